public import Logging
public import MQTTServer
internal import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What the embedded broker is told: in `[server]` and `[[listener]]` of a configuration file, in a mosquitto.conf, or
/// on the command line. Files that say who may do what are named here, and read when the broker starts.
///
/// The keys of `[server]` and `[[listener]]` are described at ``ServerSettings`` and ``ListenerSettings``.
public struct BrokerConfiguration: Sendable {
    /// All but the rules of ``access``.
    public var server: ServerConfiguration
    /// Who may do what, where a listener has no files of its own.
    var access = AccessFiles()
    /// By the listener's name.
    var listenerAccess: [String: AccessFiles] = [:]
    /// Where a listener's pre-shared keys come from, by its name.
    var listenerPSKFiles: [String: String] = [:]
    /// What client identifiers must begin with.
    var clientPrefix: String?
    /// Bytes of payload that a client may publish at once, or leave as its will.
    var maximumPayload: Int?
    public var log = Log()
    /// Holds the process's identifier while the broker runs. Default: there is none.
    var processFile: String?

    /// `[log]`, and what a mosquitto.conf says of logs.
    public struct Log: Sendable, Hashable {
        /// `level`: as in an agent's configuration.
        public var level = Logger.Level.info
        /// Files that lines are appended to; they are opened anew at each reload.
        var files: [String] = []
        /// Whether they go to standard error too.
        var isOnStandardError = true
    }

    init(server: ServerConfiguration = ServerConfiguration()) { self.server = server }

    /// One listener for whoever can reach the address, or for this machine, nothing on disk: what runs without a
    /// configuration.
    ///
    /// - Parameters:
    ///   - host: an address, in brackets or not, or a name; nil is 127.0.0.1.
    ///   - port: nil is 1883; 0 takes a free one.
    ///   - allowsAnonymous: nil: on this machine only.
    public init(host: String? = nil, port: Int? = nil, allowsAnonymous: Bool? = nil, passwordFile: String? = nil) {
        self.init()
        access.passwordPath = passwordFile
        let bare = host?.first == "[" && host?.last == "]" ? host.map { String($0.dropFirst().dropLast()) } : host
        server.listeners = [Listener(address: .tcp(host: bare ?? "127.0.0.1", port: port ?? 1883))]
        settle(allowsAnonymous: allowsAnonymous)
    }

    /// Logs more than the configuration says: debugging, or with 2 everything.
    public mutating func raiseLogLevel(by steps: Int) { log.level = min(log.level, steps > 1 ? .trace : .debug) }

    /// What says who may come in at a listener.
    func access(at listener: Listener) -> AccessFiles { listenerAccess[listener.name] ?? access }

    /// Gives each listener that was not told a decision on anonymous clients (S4): only where nobody else's machine
    /// can reach it, and not where there are passwords.
    mutating func settle(allowsAnonymous: Bool? = nil) {
        for (index, listener) in server.listeners.enumerated() where listener.allowsAnonymous == nil {
            server.listeners[index].allowsAnonymous =
                allowsAnonymous ?? (listener.address.isLocal && access(at: listener).passwordPath == nil)
        }
    }
}

extension Listener.Address {
    /// Whether only this machine can reach it.
    var isLocal: Bool {
        switch self {
        case .unix: true
        case .tcp("localhost", _), .tcp("::1", _): true
        // An address, and not a name that begins like one.
        case .tcp(let host, _): host.hasPrefix("127.") && (try? SocketAddress(ipAddress: host, port: 0)) != nil
        }
    }

    /// The loopback addresses that this machine has.
    static func loopback(port: Int) -> [Listener.Address] {
        ["127.0.0.1", "::1"].filter { $0 == "127.0.0.1" || isBindable($0) }.map { .tcp(host: $0, port: port) }
    }

    /// Some boards know no IPv6, and some do only for others.
    private static func isBindable(_ host: String) -> Bool {
        guard let address = try? SocketAddress(ipAddress: host, port: 0), let descriptor = openIPv6Socket() else {
            return false
        }
        defer { close(descriptor) }
        return address.withSockAddr { bind(descriptor, $0, socklen_t($1)) } == 0
    }

    private static func openIPv6Socket() -> CInt? {
        #if canImport(Glibc)
        let descriptor = socket(AF_INET6, CInt(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = socket(AF_INET6, SOCK_STREAM, 0)
        #endif
        return descriptor >= 0 ? descriptor : nil
    }

    /// All addresses of this machine: `::`, which takes IPv4 as well, where the kernel knows IPv6, else `0.0.0.0`.
    static func everywhere(port: Int) -> Listener.Address {
        guard let descriptor = openIPv6Socket() else { return .tcp(host: "0.0.0.0", port: port) }
        close(descriptor)
        return .tcp(host: "::", port: port)
    }
}

import Glibc
import MQTTServer
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport

/// The broker that the suite is about: an ``MQTTServer`` in this process.
///
/// `FIELDPOST_CONFORMANCE_BROKER=host:port swift test --filter '^ConformanceTests'` points the suite at any other that
/// lets anonymous clients in; tests that need a broker of a configuration of their own are left out then.
enum BrokerUnderTest {
    struct Address: Sendable {
        let host: String
        let port: Int
    }

    /// What a broker of its own is configured to; nil leaves the broker's default.
    struct Settings: Sendable {
        var maximumQoS: QoS?
        var retainAvailable: Bool?
        /// Bytes.
        var maximumPacketSize: Int?
        var topicAliasMaximum: UInt16?
        var receiveMaximum: UInt16?
        /// Seconds.
        var maximumKeepAlive: UInt16?
        /// The only account; anonymous clients are refused then.
        var account: (username: String, password: String)?
        /// A topic that nobody may write to.
        var readOnlyTopic: String?
        var wildcardsAvailable: Bool?
        var sharedSubscriptionsAvailable: Bool?
        /// Seconds.
        var maximumSessionExpiry: UInt32?
        /// A client identifier that is not accepted.
        var refusedIdentifier: String?
        /// Says yes to clients that authenticate themselves with ``Riddle``.
        var asksRiddles = false
        var responseInformation: String?
        var speaksWebSocket = false
    }

    /// Whether the broker is none of ours, so that it cannot be configured here.
    static let isForeign = foreign != nil

    private static let foreign: Address? = {
        guard let value = getenv("FIELDPOST_CONFORMANCE_BROKER") else { return nil }
        let parts = String(cString: value).split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else { return nil }
        return Address(host: String(parts[0]), port: port)
    }()

    /// The broker of all tests that ask for no other keeps its sessions on disk, as a gateway's does; those of
    /// ``withOwn(_:_:)`` keep theirs in memory.
    private static let shared = Task {
        let directory = try TemporaryDirectory()
        var configuration = ServerConfiguration(listeners: [Listener(address: .tcp(host: "127.0.0.1", port: 0))])
        configuration.persistence = .init(path: directory.path("broker.db"))
        configuration.persistence?.survivesPowerLoss = false
        let server = MQTTServer(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        try await server.start()
        return (server: server, port: try await port(of: server), directory: directory)
    }

    static func address(port: Int?) async throws -> Address {
        if let port { return Address(host: "127.0.0.1", port: port) }
        if let foreign { return foreign }
        return Address(host: "127.0.0.1", port: try await shared.value.port)
    }

    /// Lends the port of a broker with a configuration of its own.
    static func withOwn(_ settings: Settings = Settings(), _ body: (Int) async throws -> Void) async throws {
        let server = MQTTServer(
            try configuration(settings), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        try await server.start()
        do {
            try await body(try await port(of: server))
        } catch {
            await server.stop(timeout: .zero)
            throw error
        }
        await server.stop(timeout: .zero)
    }

    private static func configuration(_ settings: Settings) throws -> ServerConfiguration {
        var listener = Listener(
            address: .tcp(host: "127.0.0.1", port: 0), speech: settings.speaksWebSocket ? .webSocket : .mqtt)
        listener.allowsAnonymous = settings.account == nil
        var configuration = ServerConfiguration(listeners: [listener])
        configuration.responseInformation = settings.responseInformation
        if let value = settings.maximumQoS { configuration.limits.maximumQoS = value }
        if let value = settings.retainAvailable { configuration.limits.isRetainAvailable = value }
        if let value = settings.maximumPacketSize { configuration.limits.maximumPacketSize = value }
        if let value = settings.topicAliasMaximum { configuration.limits.topicAliasMaximum = value }
        if let value = settings.receiveMaximum { configuration.limits.receiveMaximum = value }
        if let value = settings.maximumKeepAlive { configuration.limits.maximumKeepAlive = value }
        if let value = settings.wildcardsAvailable { configuration.limits.areWildcardsAvailable = value }
        if let value = settings.sharedSubscriptionsAvailable {
            configuration.limits.areSharedSubscriptionsAvailable = value
        }
        if let value = settings.maximumSessionExpiry { configuration.limits.maximumSessionExpiry = value }
        if let identifier = settings.refusedIdentifier {
            configuration.hooks.validateConnection = { request in
                request.client.identifier == identifier ? .refuse(.clientIdentifierNotValid) : .accept
            }
        }
        if let (username, password) = settings.account {
            let salt: [UInt8] = Array(1...12)
            guard let hash = PasswordFile.hash(password: Array(password.utf8), iterations: 101, salt: salt) else {
                throw Surprise("no hash of a password")
            }
            configuration.access.passwords = try PasswordFile(
                parsing: Array("\(username):\(hash)\n".utf8), path: "passwords")
        }
        if let topic = settings.readOnlyTopic {
            configuration.access.acl = try AccessControlList(
                parsing: Array("topic read \(topic)\ntopic readwrite allowed\n".utf8), path: "acl")
        }
        if settings.asksRiddles {
            configuration.hooks.authenticators[Riddle.method] = { _ in Riddle() }
        }
        return configuration
    }

    private static func port(of server: MQTTServer) async throws -> Int {
        guard let port = await server.addresses.first?.address.port else { throw Surprise("a broker without a port") }
        return port
    }
}

/// An authentication method: the server asks, and “42” is right.
struct Riddle: ServerAuthenticator {
    static let method = "riddle"
    static let question = "6 x 7"
    static let answer = "42"

    func proceed(with data: ByteBuffer?) async -> AuthenticationStep {
        switch data.map({ String(buffer: $0) }) {
        case nil: .continue(ByteBuffer(string: Self.question))
        case Self.answer?: .success(nil)
        default: .failure(.notAuthorized)
        }
    }
}

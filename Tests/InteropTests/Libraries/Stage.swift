import MQTT
import MQTTServer
import MQTTWire
import NIOCore
import NIOPosix
import OpenSSLTransport
import TestSupport

/// Where a server listens, and what is needed to get there over TLS.
struct Addresses: Sendable {
    var ports: [Variant.Transport: Int]
    var path: String
    var root: String
    /// A client's certificate and key.
    var leaf: Authority.Leaf

    func fields(for login: Login) -> [Field] {
        let transport = login.variant.transport
        var fields = [Field("transport", transport.rawValue)]
        if transport == .unix { return fields + [Field("path", path)] }
        fields += [Field("host", "127.0.0.1"), Field("port", ports[transport] ?? 0)]
        guard transport == .tls || transport == .wss else { return fields }
        fields.append(Field("ca", root))
        if login.showsCertificate { fields += [Field("cert", leaf.chain), Field("key", leaf.key)] }
        return fields
    }

    func endpoint(for variant: Variant) -> Endpoint {
        let port = ports[variant.transport] ?? 0
        return switch variant.transport {
        case .tcp, .unix: Endpoint(host: "127.0.0.1", port: port)
        case .tls: Endpoint(transport: .tls, host: "127.0.0.1", port: port)
        case .ws: Endpoint(transport: .webSocket(path: "/mqtt"), host: "127.0.0.1", port: port)
        case .wss: Endpoint(transport: .secureWebSocket(path: "/mqtt"), host: "127.0.0.1", port: port)
        }
    }
}

/// A running server with a listener of each kind.
struct Stage: Sendable {
    let server: MQTTServer
    let addresses: Addresses

    /// Lets a client connect.
    func connect(_ login: Login, process: LibraryProcess? = nil) async throws -> any Participant {
        if login.variant.library == .own { return try await OwnClient(login, addresses) }
        return try await ForeignClient(login, addresses, process: process)
    }

    func connect(
        _ variant: Variant, _ identifier: String, _ change: (inout Login) -> Void = { _ in }
    ) async throws -> any Participant {
        var login = Login(variant, identifier)
        change(&login)
        return try await connect(login)
    }

    /// Lends a server to `body`.
    ///
    /// - Parameter folder: where it keeps its state and its socket; by default a temporary one.
    @discardableResult
    static func with<Result>(
        in folder: TemporaryDirectory? = nil, ports: [Variant.Transport: Int] = [:],
        change: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (Stage) async throws -> Result
    ) async throws -> Result {
        let folder = try folder ?? TemporaryDirectory()
        defer { withExtendedLifetime(folder) {} }
        let authority = try await Authority.get()
        let own = try await authority.leaf("server")
        let path = folder.path("socket")
        var configuration = ServerConfiguration(
            listeners: Variant.Transport.allCases.map { transport in
                let address: Listener.Address =
                    transport == .unix ? .unix(path: path) : .tcp(host: "127.0.0.1", port: ports[transport] ?? 0)
                var listener = Listener(name: transport.rawValue, address: address)
                if transport == .ws || transport == .wss { listener.speech = .webSocket }
                if transport == .tls || transport == .wss {
                    listener.tls = TLSServerConfiguration(
                        certificate: TLSCertificate(chainFile: own.chain, privateKeyFile: own.key))
                    listener.tls?.clientCertificates = .optional(.file(authority.root))
                }
                return listener
            })
        configuration.systemInterval = .zero
        // The folder may be on a slow disk, and no test pulls a plug.
        configuration.persistence = .init(path: folder.path("state.db"))
        configuration.persistence?.survivesPowerLoss = false
        change(&configuration)
        let server = MQTTServer(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        try await server.start()
        var found: [Variant.Transport: Int] = [:]
        for (listener, address) in await server.addresses {
            if let transport = Variant.Transport(rawValue: listener), let port = address.port {
                found[transport] = port
            }
        }
        let addresses = Addresses(
            ports: found, path: path, root: authority.root, leaf: try await authority.leaf("client"))
        do {
            let result = try await body(Stage(server: server, addresses: addresses))
            try await within(.seconds(30), "the server's end") { await server.stop() }
            return result
        } catch {
            await server.stop(timeout: .seconds(1))
            throw error
        }
    }
}

import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import OpenSSLTransport
import TestSupport
import Testing

@testable import MQTTServer

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite(.timeLimit(.minutes(3))) struct ListenerTests {
    private func make(_ listeners: [Listener]) -> MQTTServer {
        var configuration = ServerConfiguration(listeners: listeners)
        configuration.systemInterval = .zero
        return MQTTServer(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }

    private func start(_ listeners: Listener...) async throws -> MQTTServer {
        let server = make(listeners)
        try await server.start()
        return server
    }

    private func error(of listeners: Listener...) async throws -> ServerError {
        let server = make(listeners)
        return try #require(await #expect(throws: ServerError.self) { try await server.start() })
    }

    private func talk(to address: SocketAddress) async throws {
        let client = try await RawClient.connect(to: address)
        #expect(try await client.connect("a").reasonCode == .success)
        try await client.send(.pingreq)
        #expect(try await client.next() == .pingresp)
    }

    // MARK: Addresses

    @Test(arguments: ["127.0.0.1", "localhost", "::1", "::", "0.0.0.0"])
    func `it listens where it is told`(host: String) async throws {
        let server = try await start(Listener(name: "here", address: .tcp(host: host, port: 0)))
        let addresses = await server.addresses
        #expect(addresses.allSatisfy { $0.listener == "here" && $0.address.port ?? 0 > 0 })
        #expect(Set(addresses.map(\.address.port)).count == 1)
        let port = try await server.port
        // `::` takes IPv4 as well; and who is not local has to allow it before clients come without a name.
        let client = try await RawClient.connect(
            to: SocketAddress(ipAddress: host == "::1" ? "::1" : "127.0.0.1", port: port))
        let connack = try await client.connect("a")
        #expect(connack.reasonCode == (host == "::" || host == "0.0.0.0" ? .notAuthorized : .success))
        await server.stop()
    }

    @Test func `a Unix socket is made, and removed`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("broker.sock")
            let listener = Listener(address: .unix(path: path))
            let server = try await start(listener)
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o660)
            try await talk(to: SocketAddress(unixDomainSocketPath: path))
            // A live one is not taken away.
            let error = try await error(of: listener)
            #expect(error.code == .addressInUse)
            #expect(error.description.contains(path))
            try await talk(to: SocketAddress(unixDomainSocketPath: path))
            await server.stop()
            #expect(!directory.exists("broker.sock"))
        }
    }

    @Test func `a socket that an earlier process left is replaced`() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("broker.sock")
            for old in try await BoundSocket.bind(Listener(address: .unix(path: path))) { close(old.descriptor) }
            #expect(directory.exists("broker.sock"))
            let server = try await start(Listener(address: .unix(path: path)))
            try await talk(to: SocketAddress(unixDomainSocketPath: path))
            await server.stop()
        }
    }

    @Test func `something else at the path stays`() async throws {
        try await withTemporaryDirectory { directory in
            try directory.write("precious", to: "broker.sock")
            let error = try await error(of: Listener(address: .unix(path: directory.path("broker.sock"))))
            #expect(error.code == .addressInUse)
            #expect(try directory.read("broker.sock") == "precious")
            let missing = try await self.error(of: Listener(address: .unix(path: directory.path("none/broker.sock"))))
            #expect(missing.code == .cannotListen)
            #expect(missing.description.contains("make its folder"))
        }
    }

    @Test func `a port in use is told with who has it`() async throws {
        let server = try await start(Listener(address: .tcp(host: "127.0.0.1", port: 0)))
        let port = try await server.port
        let error = try await error(
            of: Listener(name: "free", address: .tcp(host: "127.0.0.1", port: 0)),
            Listener(name: "taken", address: .tcp(host: "127.0.0.1", port: port)))
        #expect(error.code == .addressInUse)
        #expect(error.listener == "taken")
        #expect(error.description.contains("127.0.0.1:\(port)"))
        #expect(error.description.contains("(process \(getpid()))"))
        await server.stop()
    }

    @Test func `where one listener cannot be all are given up`() async throws {
        let free = try freePort()
        let error = try await error(
            of: Listener(name: "free", address: .tcp(host: "127.0.0.1", port: free)),
            Listener(name: "nowhere", address: .tcp(host: "192.0.2.1", port: 0)))
        #expect(error.code == .addressNotAvailable)
        #expect(!accepts(port: free))
        let unknown = try await self.error(
            of: Listener(name: "x", address: .tcp(host: "no.such.host.invalid", port: 1)))
        #expect(unknown.code == .unknownHost)
        let twice = try await self.error(
            of: Listener(name: "x", address: .tcp(host: "127.0.0.1", port: 0)),
            Listener(name: "x", address: .tcp(host: "127.0.0.1", port: 0)))
        #expect(twice.code == .invalidSetting)
    }

    @Test func twoListenersCannotShareAnAddress() async throws {
        let port = try freePort()
        let error = try await error(
            of: Listener(name: "first", address: .tcp(host: "127.0.0.1", port: port)),
            Listener(name: "second", address: .tcp(host: "127.0.0.1", port: port)))
        #expect(error.code == .addressInUse)
        #expect(error.listener == "second")
        #expect(!accepts(port: port))
        try await withTemporaryDirectory { directory in
            let path = directory.path("broker.sock")
            let error = try await self.error(
                of: Listener(name: "first", address: .unix(path: path)),
                Listener(name: "second", address: .unix(path: path)))
            #expect(error.code == .addressInUse)
            #expect(error.listener == "second")
            #expect(!directory.exists("broker.sock"))
        }
    }

    // MARK: Transports

    private func webSocket(_ port: Int) -> Endpoint {
        Endpoint(transport: .webSocket(path: "/any/path"), host: "127.0.0.1", port: port)
    }

    private func exchange(_ endpoint: Endpoint, tls: TLSClientConfiguration? = nil) async throws {
        try await withClient(
            port: endpoint.port,
            change: {
                $0.endpoints = [endpoint]
                if let tls { $0.tls = tls }
            }
        ) { client in
            try await client.subscribe([Subscription(filter: TopicFilter("t"), qos: .atLeastOnce)])
            let text = String(repeating: "x", count: 100_000)
            try await client.publish(Message("t", text), until: .acknowledged)
            #expect(try await collect(1, from: client).first?.payload.readableBytes == text.utf8.count)
        }
    }

    @Test func `a WebSocket carries MQTT`() async throws {
        try await withServer(configuration { $0.speech = .webSocket }) { server in
            try await exchange(webSocket(try await server.port))
            // Plain MQTT is not understood there.
            let plain = try await RawClient.connect(port: try await server.port)
            try await plain.send(.connect(Connect(version: .v5, clientIdentifier: "a")))
            _ = try await plain.bytes()
            #expect(await server.clients().isEmpty)
        }
    }

    @Test func `one listener takes both, and tells them apart`() async throws {
        try await withServer(configuration { $0.speech = .both }) { server in
            let port = try await server.port
            try await exchange(webSocket(port))
            try await exchange(Endpoint(host: "127.0.0.1", port: port))
            let slow = try await RawClient.connect(port: port)
            var bytes = ByteBuffer()
            try Packet.connect(Connect(version: .v5, clientIdentifier: "slow")).encode(into: &bytes, version: .v5)
            for byte in bytes.readableBytesView { try await slow.send([byte]) }
            #expect(try await slow.next().type == .connack)
        }
    }

    @Test(arguments: [Listener.Speech.mqtt, .webSocket, .both])
    func `TLS carries all`(speech: Listener.Speech) async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        let tls = TLSServerConfiguration(
            certificate: TLSCertificate(chainFile: leaf.chain, privateKeyFile: leaf.key))
        try await withServer(
            configuration {
                $0.speech = speech
                $0.tls = tls
            }
        ) { server in
            let port = try await server.port
            let trust = TLSClientConfiguration(trustRoots: .file(authority.root))
            if speech != .webSocket {
                try await exchange(Endpoint(transport: .tls, host: "127.0.0.1", port: port), tls: trust)
            }
            if speech != .mqtt {
                let endpoint = Endpoint(transport: .secureWebSocket(path: "/mqtt"), host: "127.0.0.1", port: port)
                try await exchange(endpoint, tls: trust)
            }
        }
    }

    @Test(arguments: [Listener.CertificateIdentity.notUsed, .commonName, .subject])
    func `a certificate says who a client is`(identity: Listener.CertificateIdentity) async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        let gate = try await authority.leaf("gate-7")
        var tls = TLSServerConfiguration(
            certificate: TLSCertificate(chainFile: leaf.chain, privateKeyFile: leaf.key))
        tls.clientCertificates = .required(.file(authority.root))
        var configuration = configuration {
            $0.tls = tls
            $0.certificateIdentity = identity
            $0.allowsAnonymous = identity == .notUsed
        }
        configuration.access.acl = try AccessControlList(
            parsing: Array("user gate-7\ntopic readwrite gate/7/#\nuser CN=gate-7\ntopic readwrite gate/7/#\n".utf8),
            path: "acl")
        try await withServer(configuration) { server in
            var trust = TLSClientConfiguration(trustRoots: .file(authority.root))
            trust.certificate = TLSCertificate(chainFile: gate.chain, privateKeyFile: gate.key)
            let port = try await server.port
            try await withClient(
                port: port,
                change: {
                    $0.endpoints = [Endpoint(transport: .tls, host: "127.0.0.1", port: port)]
                    $0.tls = trust
                }
            ) { client in
                try await eventually("a connection") { await client.isConnected }
                let information = try #require(await server.clients().first?.client)
                #expect(information.certificateSubject == "CN=gate-7")
                let names: [Listener.CertificateIdentity: String] = [.commonName: "gate-7", .subject: "CN=gate-7"]
                #expect(information.username == names[identity])
                let codes = try? await client.subscribe([Subscription(filter: TopicFilter("gate/7/x"))])
                #expect((codes?.first?.isError == false) == (identity != .notUsed))
            }
        }
    }

    @Test(arguments: [nil, true])
    func `where certificates say who a client is, nobody else can say so`(allowsAnonymous: Bool?) async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        var tls = TLSServerConfiguration(
            certificate: TLSCertificate(chainFile: leaf.chain, privateKeyFile: leaf.key))
        tls.clientCertificates = .optional(.file(authority.root))
        var configuration = configuration {
            $0.tls = tls
            $0.certificateIdentity = .commonName
            $0.allowsAnonymous = allowsAnonymous
        }
        var plain = Listener(name: "plain", address: .tcp(host: "127.0.0.1", port: 0))
        plain.allowsAnonymous = allowsAnonymous
        configuration.listeners.append(plain)
        configuration.access.acl = try AccessControlList(
            parsing: Array("topic readwrite open\nuser gate-7\ntopic readwrite gate\npattern readwrite own/%u\n".utf8),
            path: "acl")
        try await withServer(configuration) { server in
            let addresses = await server.addresses
            let secure = try #require(addresses.first { $0.listener == "test" }?.address.port)
            func prepare(_ client: inout ClientConfiguration, as username: String?) {
                client.endpoints = [Endpoint(transport: .tls, host: "127.0.0.1", port: secure)]
                client.tls = TLSClientConfiguration(trustRoots: .file(authority.root))
                client.parameters = { _ in ConnectParameters(username: username) }
            }
            try await withClient(port: secure, identifier: "claims", change: { prepare(&$0, as: "gate-7") }) { client in
                try await eventually("a refusal") { await server.statistics.connectionsRefused > 0 }
                #expect(await !client.isConnected)
            }
            try await withClient(port: secure, identifier: "nameless", change: { prepare(&$0, as: nil) }) { client in
                try await eventually("a connection") { await client.isConnected }
                #expect(await server.clients().map(\.client.username) == [nil])
                let codes = try? await client.subscribe([Subscription(filter: TopicFilter("gate"))])
                #expect(codes?.first?.isError != false)
            }
            // Nor at a listener that asks for no names.
            let port = try #require(addresses.first { $0.listener == "plain" }?.address.port)
            let other = try await RawClient.connect(port: port)
            #expect(try await other.connect("elsewhere") { $0.username = "gate-7" }.reasonCode == .success)
            let filters = try ["gate", "own/gate-7", "open"].map { Subscription(filter: try TopicFilter($0)) }
            try await other.send(.subscribe(Subscribe(packetIdentifier: .first, subscriptions: filters)))
            guard case .suback(let suback) = try await other.next() else { throw RawClient.End.closed }
            #expect(suback.reasonCodes.map(\.isError) == [true, true, false])
        }
    }

    @Test func `new certificates are used after a reload`() async throws {
        let authority = try await Authority.get()
        try await withTemporaryDirectory { directory in
            func install(_ name: String) async throws {
                let leaf = try await authority.leaf(name)
                try directory.write(Authority.read(leaf.chain), to: "server.pem")
                try directory.write(Authority.read(leaf.key), to: "server.key")
            }
            try await install("first")
            let tls = TLSServerConfiguration(
                certificate: TLSCertificate(
                    chainFile: directory.path("server.pem"), privateKeyFile: directory.path("server.key")))
            try await withServer(configuration { $0.tls = tls }) { server in
                let port = try await server.port
                func shown() async throws -> String {
                    let lines = try await runProgram(
                        try systemProgram("sh"),
                        ["-c", "openssl s_client -connect 127.0.0.1:\(port) </dev/null"], timeout: .seconds(20))
                    return lines.output.first { $0.contains("subject=") } ?? ""
                }
                #expect(try await shown().contains("first"))
                try await install("second")
                #expect(try await shown().contains("first"))
                try await server.reload()
                #expect(try await shown().contains("second"))
                // What cannot be used leaves everything as it is.
                try directory.write("nonsense", to: "server.pem")
                let error = await #expect(throws: ServerError.self) { try await server.reload() }
                #expect(error?.code == .tls)
                #expect(try await shown().contains("second"))
            }
        }
    }
}

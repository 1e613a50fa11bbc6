import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import OpenSSLTransport

/// Against other implementations' ends of the wire, and none at all.
struct SocketTests {
    private func client() async throws -> TLSClientConfiguration {
        TLSClientConfiguration(trustRoots: .file(try await Authority.get().root))
    }

    @Test(
        "openssl s_server: data, and a resumed second connection",
        arguments: [["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-no_ticket"]])
    func opensslServer(options: [String]) async throws {
        let port = try freePort()
        let leaf = try await Authority.get().leaf("good")
        let server = try await Program.start(
            try systemProgram("openssl"),
            ["s_server", "-accept", "127.0.0.1:\(port)", "-rev", "-cert", leaf.chain, "-key", leaf.key] + options)
        defer { withExtendedLifetime(server) {} }
        try await server.output.line(containing: "ACCEPT")
        var configuration = try await client()
        configuration.sessionCache = TLSSessionCache()
        for number in 1...3 {
            let client = try await SocketClient.connect(configuration, port: port)
            let completed = try await client.completed()
            #expect(completed.version == (options == ["-tls1_3"] ? .v1_3 : .v1_2))
            #expect(completed.isResumed == (number > 1), "connection \(number)")
            try await client.channel.writeAndFlush(ByteBuffer(string: "hello\n"))
            try await client.end.lines.line(containing: "olleh")
            try await client.channel.close()
        }
    }

    private func listen(
        _ configuration: TLSServerConfiguration
    ) async throws -> (listener: any Channel, end: SocketEnd, port: Int) {
        let context = try TLSServerContext(configuration)
        let end = SocketEnd(on: MultiThreadedEventLoopGroup.singleton.next())
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([TLSHandler(server: context), end])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return (listener, end, try #require(listener.localAddress?.port))
    }

    @Test("openssl s_client with TLS 1.1 only is refused, and so is one without a cipher suite in common")
    func poorClient() async throws {
        let leaf = try await Authority.get().leaf("good")
        for (options, words) in [
            (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "the client does not speak TLS 1.2 or newer"),
            (
                ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                "the client has no cipher suite in common with us"
            ),
        ] {
            let (listener, end, port) = try await listen(TLSServerConfiguration(certificate: leaf.certificate))
            let client = try await runProgram(
                try systemProgram("openssl"), ["s_client", "-connect", "127.0.0.1:\(port)"] + options)
            #expect(client.ending == .exited(1))
            let error = try await within(.seconds(10), "the end") { try await end.end.futureResult.get() } as? TLSError
            #expect(error?.description == words)
            try await listener.close()
        }
    }

    @Test("openssl s_client may not renegotiate")
    func renegotiation() async throws {
        let leaf = try await Authority.get().leaf("good")
        let (listener, _, port) = try await listen(TLSServerConfiguration(certificate: leaf.certificate))
        let client = try await runProgram(
            "/bin/sh", ["-c", "echo R | openssl s_client -tls1_2 -connect 127.0.0.1:\(port)"])
        #expect(client.errors.contains { $0.contains("RENEGOTIATING") })
        #expect(client.errors.contains { $0.contains("no renegotiation") }, "\(client.errors)")
        try await listener.close()
    }

    @Test("openssl s_client: data, ALPN, a client certificate")
    func opensslClient() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("bin-0427", extensions: "extendedKeyUsage=clientAuth")
        var configuration = TLSServerConfiguration(certificate: try await authority.leaf("good").certificate)
        configuration.clientCertificates = .required(.file(authority.root))
        configuration.applicationProtocols = ["mqtt"]
        let (listener, end, port) = try await listen(configuration)
        let result = try await runProgram(
            "/bin/sh",
            [
                "-c", "echo hello | openssl s_client \"$@\"", "sh", "-connect", "127.0.0.1:\(port)", "-servername",
                "localhost", "-verify_return_error", "-verify_hostname", "localhost", "-CAfile", authority.root,
                "-cert",
                leaf.chain, "-key", leaf.key, "-alpn", "h2,mqtt", "-quiet", "-no_ign_eof",
            ])
        #expect(result.ending == .exited(0), "\(result.errors)")
        let completed = try await end.handshake.futureResult.get()
        #expect(completed.applicationProtocol == "mqtt")
        #expect(completed.peerCertificate?.commonName == "bin-0427")
        try await end.lines.line(containing: "hello")
        #expect(try await end.end.futureResult.get() == nil, "s_client says close_notify")
        try await listener.close()
    }

    @Test("A server of TLS 1.0 or 1.1 only", arguments: ["-tls1", "-tls1_1"])
    func oldServer(version: String) async throws {
        let server = try await OpenSSLServer.start(
            try await Authority.get().leaf("good"), version, "-cipher", "ALL:@SECLEVEL=0")
        let error = try await SocketClient.error(try await client(), port: server.port)
        #expect(error?.code == .protocolVersion)
        #expect(
            error?.description
                == "the server does not speak TLS 1.2 or newer: it answers “protocol version” (alert 70)")
    }

    @Test("A server of TLS 1.2, when 1.3 is the least")
    func notNewEnough() async throws {
        let server = try await OpenSSLServer.start(try await Authority.get().leaf("good"), "-tls1_2")
        var configuration = try await client()
        configuration.minimumVersion = .v1_3
        #expect(
            try await SocketClient.error(configuration, port: server.port)?.description
                == "the server does not speak TLS 1.3 or newer: it answers “protocol version” (alert 70)")
    }

    @Test("A server that chooses an old version all the same")
    func oldServerHello() async throws {
        // ServerHello of TLS 1.1 with TLS_RSA_WITH_AES_128_CBC_SHA.
        let hello: [UInt8] =
            [22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2] + [UInt8](repeating: 7, count: 32) + [0, 0, 0x2F, 0]
        let server = try await ScriptedServer.start([.receive(100), .send(hello)])
        #expect(
            try await SocketClient.error(try await client(), port: server.port)?.description
                == "the server does not speak TLS 1.2 or newer")
    }

    @Test("No cipher suite in common")
    func noSharedCipher() async throws {
        let server = try await OpenSSLServer.start(
            try await Authority.get().leaf("good"), "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
        let error = try await SocketClient.error(try await client(), port: server.port)
        #expect(error?.code == .noSharedCipher)
        #expect(
            error?.description
                == "the server has no cipher suite in common with us, it seems: it answers “handshake failure” (alert 40)"
        )
    }

    @Test("A server of TLS 1.2 that wants a certificate")
    func certificateWanted() async throws {
        let server = try await OpenSSLServer.start(try await Authority.get().leaf("good"), "-tls1_2", "-Verify", "1")
        let error = try await SocketClient.error(try await client(), port: server.port)
        #expect(error?.code == .certificateRefused)
        #expect(
            error?.description
                == "the server requires a certificate of ours, and there is none: it answers “handshake failure” (alert 40)"
        )
    }

    @Test(
        "A server that does not speak TLS at all",
        arguments: [
            (
                Array("HTTP/1.1 400 Bad Request\r\n".utf8),
                "48 54 54 50 2F 31 2E 31 (“HTTP/1.1”), which looks like HTTP without TLS"
            ),
            ([0x20, 2, 0, 0], "20 02 00 00 (“ ...”), which looks like MQTT without TLS"),
            (Array("SSH-2.0-OpenSSH_9".utf8), "53 53 48 2D 32 2E 30 2D (“SSH-2.0-”), which looks like SSH"),
            ([22, 9, 9], "16 09 09 (“...”), which looks like another protocol, or TLS behind something else"),
        ])
    func notTLS(bytes: [UInt8], words: String) async throws {
        let server = try await ScriptedServer.start([.receive(100), .send(bytes)])
        let error = try await SocketClient.error(try await client(), port: server.port)
        #expect(error?.code == .notTLS)
        #expect(error?.description == "the server does not speak TLS on this port: it begins with " + words)
    }

    @Test("A real broker's plain-text port closes without a word")
    func mosquitto() async throws {
        let broker = try await Mosquitto.start()
        let error = try await SocketClient.error(try await client(), port: broker.port)
        #expect(error?.code == .closedDuringHandshake)
        #expect(
            error?.description == "the server closed the connection without a word of TLS: is this its TLS port?")
        try await broker.stop()
    }

    @Test("A server that accepts TCP and says nothing")
    func silent() async throws {
        let server = try await ScriptedServer.start([])
        var configuration = try await client()
        configuration.handshakeTimeout = .milliseconds(200)
        let error = try await SocketClient.error(configuration, port: server.port)
        #expect(error?.code == .handshakeTimeout)
        #expect(error?.description == "the TLS handshake was not done after 0.2 seconds: the server said nothing")
        await server.stop()
    }

    @Test("A server that cuts in the midst of the handshake")
    func cut() async throws {
        let server = try await ScriptedServer.start([.receive(100), .send([22, 3, 3, 0, 90, 2, 0, 0]), .close])
        let error = try await SocketClient.error(try await client(), port: server.port)
        #expect(error?.code == .closedDuringHandshake)
        #expect(error?.description == "the server closed the connection in the midst of the TLS handshake")
    }

    @Test("A server that is killed after the handshake")
    func killed() async throws {
        let server = try await OpenSSLServer.start(try await Authority.get().leaf("good"))
        let client = try await SocketClient.connect(try await client(), port: server.port)
        _ = try await client.completed()
        await server.program.kill()
        let error = try await within(.seconds(10), "the end") { try await client.end.end.futureResult.get() }
        // A reset, where something that it had not read was on the way.
        #expect((error as? TLSError)?.code == .truncated || error is IOError)
    }

    @Test("Much data both ways at once, through the real sockets' back-pressure")
    func muchData() async throws {
        let server = try await OpenSSLServer.start(try await Authority.get().leaf("good"))
        let client = try await SocketClient.connect(try await client(), port: server.port)
        _ = try await client.completed()
        // s_server -rev reads lines of up to 16 kB.
        for number in 0..<200 {
            try await client.channel.writeAndFlush(
                ByteBuffer(string: "\(number) " + String(repeating: "x", count: 10_000) + "\n"))
        }
        try await client.end.lines.line(containing: " 991")
        try await client.channel.close()
    }
}

import Glibc
import TestSupport
import Testing

/// The agent over TLS, with a real broker's certificates and those of people who are not it.
@Suite(.timeLimit(.minutes(3))) struct SecureTests {
    private func withSecureBroker(
        _ leaf: Authority.Leaf, lines: [String] = [], _ body: (Int, Mosquitto) async throws -> Void
    ) async throws {
        let authority = try await Authority.get()
        let port = try freePort()
        let all =
            ["listener \(port) 127.0.0.1", "cafile \(authority.root)", "certfile \(leaf.chain)", "keyfile \(leaf.key)"]
            + lines
        try await withMosquitto(lines: all) { broker in try await body(port, broker) }
    }

    private func station(_ port: Int, _ tls: String, host: String = "127.0.0.1") throws -> Station {
        let text = Station.text(port: port, broker: tls, rest: Station.sensors(1))
            .replacing("mqtt://127.0.0.1", with: "mqtts://\(host)")
        return try Station(text: text)
    }

    @Test func S1_readingsArriveOverTLSWithCertificatesOfBothSides() async throws {
        let authority = try await Authority.get()
        let server = try await authority.leaf("broker")
        let own = try await authority.leaf("station", extensions: "extendedKeyUsage=clientAuth")
        let lines = ["require_certificate true", "use_identity_as_username true"]
        try await withSecureBroker(server, lines: lines) { port, broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/s1"])
            let station = try station(
                port,
                """
                [broker.tls]
                ca_file = "\(authority.root)"
                certificate_file = "\(own.chain)"
                key_file = "\(own.key)"
                """)
            let agent = try await station.run()
            try await watcher.wait(for: "readings") { $0.count >= 5 }
            try await broker.log.line(containing: "u'station'")
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
        }
    }

    @Test func S1_aBrokerThatIsNotTheOneIsRefusedAndTheReasonIsSaid() async throws {
        let authority = try await Authority.get()
        let other = try await authority.leaf("elsewhere", extensions: "subjectAltName=DNS:elsewhere.example")
        try await withSecureBroker(other) { port, broker in
            let station = try station(port, "[broker.tls]\nca_file = \"\(authority.root)\"")
            let agent = try await station.run()
            let line = try await agent.errors.line(containing: "not connected")
            #expect(line.contains("127.0.0.1"))
            #expect(line.contains("elsewhere.example"))
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            #expect(try await station.queue("messages") > 0, "nothing left the board")
        }
    }

    @Test func pubAndSubSpeakTLSToo() async throws {
        let authority = try await Authority.get()
        try await withSecureBroker(try await authority.leaf("broker")) { port, broker in
            let fieldpost = try Program.built("fieldpost")
            let url = "mqtts://127.0.0.1:\(port)/a"
            let published = try await runProgram(
                fieldpost, ["pub", "-L", url, "--cafile", authority.root, "-m", "x", "-r", "-q", "1"])
            #expect(published.ending == .exited(0), "\(published.errors)")
            let heard = try await runProgram(
                fieldpost,
                ["sub", "-h", "127.0.0.1", "-p", "\(port)", "--cafile", authority.root, "-t", "a", "-C", "1"])
            #expect(heard.output == ["x"])
            let refused = try await runProgram(fieldpost, ["pub", "-L", url, "-m", "x"])
            #expect(refused.ending == .exited(69))
            #expect(refused.errors.joined().contains("Test CA"))
        }
    }

    @Test(arguments: ["ws", "wss"])
    func readingsArriveOverWebSocket(scheme: String) async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        let port = try freePort()
        var lines = ["listener \(port) 127.0.0.1", "protocol websockets"]
        if scheme == "wss" { lines += ["certfile \(leaf.chain)", "keyfile \(leaf.key)"] }
        try await withMosquitto(lines: lines) { broker in
            try await eventually("the second listener") { accepts(port: port) }
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/s1"])
            let tls = scheme == "wss" ? "[broker.tls]\nca_file = \"\(authority.root)\"" : ""
            let text = Station.text(port: port, broker: tls, rest: Station.sensors(1))
            let station = try Station(text: text.replacing("mqtt://", with: "\(scheme)://"))
            let agent = try await station.run()
            try await watcher.wait(for: "readings") { $0.count >= 20 }
            agent.send(SIGTERM)
            #expect(try await agent.wait(timeout: .seconds(5)) == .exited(0))
            let last = try await station.queue("next") - 1
            try await watcher.wait(for: "the last reading") { $0.contains { "seq".value(in: $0) == "\(last)" } }
        }
    }

    @Test func aBrokerThatDoesNotAnswerDoesNotHoldUpTheEndOfAWebSocket() async throws {
        let port = try freePort()
        try await withMosquitto(lines: ["listener \(port) 127.0.0.1", "protocol websockets"]) { broker in
            try await eventually("the second listener") { accepts(port: port) }
            let text = Station.text(port: port, rest: Station.sensors(1))
            let station = try Station(text: text.replacing("mqtt://", with: "ws://"))
            let agent = try await station.run()
            try await agent.errors.line(containing: " info connected: ")
            let program = try #require(await broker.program)
            program.send(SIGSTOP)
            agent.send(SIGTERM)
            #expect(try await agent.wait(timeout: .seconds(10)) == .exited(0))
            let lines = await agent.errors.lines
            #expect(!lines.contains { $0.contains("takes too long") })
            program.send(SIGCONT)
        }
    }

    @Test func S1_withoutACAOfItsOwnTheSystemsStoreDecides() async throws {
        let authority = try await Authority.get()
        try await withSecureBroker(try await authority.leaf("broker")) { port, _ in
            let station = try station(port, "", host: "localhost")
            let agent = try await station.run()
            let line = try await agent.errors.line(containing: "not connected")
            #expect(line.contains("Test CA"))
            await agent.kill()
        }
    }

    @Test func aMissingFileNamesItselfAndIsReadAgainLater() async throws {
        let authority = try await Authority.get()
        try await withSecureBroker(try await authority.leaf("broker")) { port, broker in
            let station = try station(
                port, "[broker.tls]\nca_file = \"ca.pem\"", host: "localhost")
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/station/s1"])
            let agent = try await station.run()
            let line = try await agent.errors.line(containing: "not connected")
            #expect(line.contains(station.directory.path("ca.pem")))
            try station.directory.write(String(decoding: Authority.read(authority.root), as: UTF8.self), to: "ca.pem")
            try await watcher.wait(for: "readings") { $0.count >= 5 }
            await agent.kill()
        }
    }
}

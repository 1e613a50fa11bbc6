import MQTTServer
import MQTTWire
import NIOCore
import OpenSSLTransport
import TestSupport
import Testing

/// Mosquitto's command-line clients, and ours, which owners have in their scripts.
@Suite(.timeLimit(.minutes(2))) struct ToolTests {
    /// Runs `mosquitto_pub` or `mosquitto_sub` to its end.
    func run(_ tool: String, _ stage: Stage, _ arguments: [String], over transport: Variant.Transport = .tcp)
        async throws
        -> (ending: Program.Ending, output: [String], errors: [String])
    {
        let place =
            transport == .unix
            ? ["--unix", stage.addresses.path]
            : ["-h", "127.0.0.1", "-p", "\(stage.addresses.ports[transport] ?? 0)"]
        let secure = transport == .tls ? ["--cafile", stage.addresses.root] : []
        return try await runProgram(systemProgram(tool), place + secure + arguments, timeout: .seconds(20))
    }

    @Test(arguments: ["mqttv31", "mqttv311", "mqttv5"], [Variant.Transport.tcp, .tls, .unix])
    func `mosquitto_pub and mosquitto_sub work over each transport`(
        version: String, transport: Variant.Transport
    ) async throws {
        try await Stage.with { stage in
            for qos in 0...2 {
                let retained = ["-V", version, "-q", "\(qos)", "-t", "tool/\(qos)", "-m", "text \(qos)", "-r"]
                #expect(try await run("mosquitto_pub", stage, retained, over: transport).ending == .exited(0))
            }
            let options = ["-V", version, "-t", "tool/#", "-q", "2", "-C", "3", "-W", "10", "-F", "%t %q %r %p"]
            let result = try await run("mosquitto_sub", stage, options, over: transport)
            #expect(result.ending == .exited(0))
            #expect(result.output.sorted() == (0...2).map { "tool/\($0) \($0) 1 text \($0)" })
            // It ends when nothing has come for a second.
            _ = try await run(
                "mosquitto_sub", stage, ["-V", version, "-t", "tool/#", "--remove-retained", "-W", "1"],
                over: transport)
            try await eventually("no retained messages") { await stage.server.retainedMessages().isEmpty }
        }
    }

    @Test func `a client is known by its certificate, and not let in without`() async throws {
        let authority = try await Authority.get()
        try await Stage.with {
            for index in $0.listeners.indices where $0.listeners[index].name == "tls" {
                $0.listeners[index].tls?.clientCertificates = .required(.file(authority.root))
                $0.listeners[index].certificateIdentity = .commonName
                $0.listeners[index].allowsAnonymous = false
            }
        } _: { stage in
            let leaf = stage.addresses.leaf
            let pair = ["--cert", leaf.chain, "--key", leaf.key]
            let sub = try await MosquittoSub.start(
                port: stage.addresses.ports[.tls] ?? 0, ["who/#"], extra: ["--cafile", stage.addresses.root] + pair)
            #expect(await stage.server.clients().map(\.client.username) == ["client"])
            let post = ["-t", "who/am/i", "-m", "me", "-q", "2"]
            #expect(try await run("mosquitto_pub", stage, post + pair, over: .tls).ending == .exited(0))
            #expect(try await sub.next() == "who/am/i 2 0 me")
            #expect(try await run("mosquitto_pub", stage, post, over: .tls).ending != .exited(0))
            for library in [Library.pahoPython, .pahoC, .mqttJS, .libmosquitto, .own] {
                let client = try await stage.connect(Variant(library, .v5, .tls), "shown") {
                    $0.showsCertificate = true
                }
                try await client.publish(Post("who/is/it", "\(library)", .atLeastOnce))
                #expect(try await sub.next() == "who/is/it 1 0 \(library)")
                await #expect(throws: (any Error).self) {
                    _ = try await stage.connect(Variant(library, .v5, .tls), "hidden")
                }
            }
            try await sub.stop()
        }
    }

    @Test func `lines of standard input are published one by one, and a file as a whole`() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write((0..<500).map { "line \($0)" }.joined(separator: "\n") + "\n", to: "lines")
        try await Stage.with { stage in
            let sub = try await MosquittoSub.start(
                port: stage.addresses.ports[.tcp] ?? 0, ["lines", "file"], format: "%t %l")
            let place = "-h 127.0.0.1 -p \(stage.addresses.ports[.tcp] ?? 0)"
            for (count, qos) in [(500, 1), (1_000, 2)] {
                let command = "exec mosquitto_pub \(place) -V mqttv5 -t lines -q \(qos) -l < \(file)"
                let result = try await runProgram(systemProgram("sh"), ["-c", command], timeout: .seconds(20))
                #expect(result.ending == .exited(0))
                try await sub.wait { $0.count { $0.hasPrefix("lines ") } == count }
            }
            #expect(try await run("mosquitto_pub", stage, ["-t", "file", "-f", file]).ending == .exited(0))
            let size = try folder.readBytes("lines").count
            try await sub.wait { $0.last == "file \(size)" }
            try await sub.stop()
        }
    }

    @Test(arguments: Variant.foreign.filter { $0.version == .v5 })
    func `mosquitto_rr is answered by each library`(variant: Variant) async throws {
        try await Stage.with { stage in
            let answerer = try await stage.connect(variant, "answerer")
            try await answerer.subscribe("ask/#", .atLeastOnce)
            async let answer = run(
                "mosquitto_rr", stage,
                [
                    "-V", "mqttv5", "-t", "ask/it", "-e", "answers/rr", "-m", "?", "-q", "1", "-W", "10", "-D",
                    "PUBLISH", "correlation-data", "7",
                ]
            )
            let question = try await answerer.inbox.wait(for: 1)[0]
            let topic = try #require(question.properties["p8"]?.text)
            #expect(topic == "answers/rr")
            #expect(question.properties["p9"]?.text == "7")
            try await answerer.publish(
                Post(topic, "42", .atLeastOnce, properties: [.correlationData(.init(string: "7"))]))
            let result = try await answer
            #expect(result.ending == .exited(0))
            #expect(result.output == ["42"])
        }
    }

    @Test func `who speaks the old 3.1 is told so where it is not spoken`() async throws {
        try await Stage.with {
            for index in $0.listeners.indices { $0.listeners[index].versions = [.v3_1_1, .v5] }
        } _: { stage in
            let result = try await run("mosquitto_pub", stage, ["-V", "mqttv31", "-t", "x", "-m", "x"])
            #expect(result.ending != .exited(0))
            #expect(result.errors.joined().contains("protocol version"), "\(result.errors)")
        }
    }

    /// In the wild this is a site's Mosquitto whose upstream is a gateway.
    @Test(arguments: ["mqttv311", "mqttv31", "mqttv50"])
    func `a Mosquitto that bridges everything both ways makes no loop, and retained messages stay so`(version: String)
        async throws
    {
        try await Stage.with { stage in
            let mosquitto = try await Mosquitto.start(lines: [
                "connection up", "address 127.0.0.1:\(stage.addresses.ports[.tcp] ?? 0)",
                "bridge_protocol_version \(version)", "topic # both 1", "restart_timeout 1",
            ])
            let inside = try await stage.connect(Variant(.pahoPython, .v5, .tcp), "inside")
            try await inside.subscribe("site/#", .atLeastOnce)
            // The bridge has subscribed when it carries what is said behind it.
            try await mosquitto.log.line(containing: "Received SUBACK")
            try await inside.publish(Post("site/down", "down", .atLeastOnce, retain: true))
            try await mosquitto.log.line(containing: "Received PUBLISH from local")
            try await mosquittoPub(port: mosquitto.port, "site/up", "up", retain: true)
            let got = try await inside.inbox.wait(for: 2)
            #expect(got.map(\.payload) == ["down", "up"])
            // What comes behind shows that nothing has come twice.
            try await mosquittoPub(port: mosquitto.port, "site/end", "end")
            #expect(try await inside.inbox.wait(for: 3).map(\.payload) == ["down", "up", "end"])
            // They are retained on the other side, too.
            let late = try await stage.connect(Variant(.pahoPython, .v5, .tcp), "late")
            try await late.subscribe("site/#", .atLeastOnce)
            #expect(Set(try await late.inbox.wait(for: 2).map(\.payload)) == ["down", "up"])
            let there = try await runProgram(
                systemProgram("mosquitto_sub"),
                ["-p", "\(mosquitto.port)", "-t", "site/#", "-C", "2", "--retained-only", "-W", "20"])
            #expect(there.output.sorted() == ["down", "up"])
            await mosquitto.kill()
        }
    }

    @Test(arguments: [3, 5]) func `fieldpost pub and sub speak with everybody`(version: Int) async throws {
        try await Stage.with { stage in
            let reader = try await stage.connect(Variant(.mqttJS, .v5, .ws), "reader")
            try await reader.subscribe("tools/#", .exactlyOnce)
            let place = [
                "-h", "127.0.0.1", "-p", "\(stage.addresses.ports[.tcp] ?? 0)", "-V", version == 5 ? "5" : "311",
            ]
            let fieldpost = try Program.built("fieldpost")
            for qos in 0...2 {
                let result = try await runProgram(
                    fieldpost, ["pub"] + place + ["-t", "tools/pub", "-m", "\(qos)", "-q", "\(qos)"],
                    timeout: .seconds(30))
                #expect(result.ending == .exited(0), "\(result.errors)")
            }
            #expect(try await reader.inbox.wait(for: 3).map(\.qos) == QoS.allCases)
            try await reader.publish(Post("tools/kept", "kept", .exactlyOnce, retain: true))
            let result = try await runProgram(
                fieldpost, ["sub"] + place + ["-t", "tools/#", "-q", "2", "-C", "1"], timeout: .seconds(30))
            #expect(result.output == ["kept"], "\(result.errors)")
        }
    }
}

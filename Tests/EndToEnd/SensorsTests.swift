import Glibc
import TestSupport
import Testing

/// What a board has, and drivers that are not ours, as the command line shows them.
@Suite(.timeLimit(.minutes(2))) struct SensorsTests {
    private func fieldpost(_ arguments: String...) async throws -> (
        ending: Program.Ending, output: [String], errors: [String]
    ) {
        try await runProgram(Program.built("fieldpost"), arguments)
    }

    @Test func whatIsFoundIsShownWithItsPresentValue() async throws {
        let table = try await fieldpost("sensors")
        #expect(table.ending == .exited(0))
        #expect(table.output.first?.hasPrefix("sensor") == true)
        // Every Linux has memory.
        #expect(table.output.contains { $0.contains("memory") })
        let objects = try await fieldpost("sensors", "--json")
        #expect(objects.ending == .exited(0))
        #expect(
            objects.output.allSatisfy {
                ($0.hasPrefix(#"{"name":""#) || $0.hasPrefix(#"{"interface":""#)) && $0.hasSuffix("}")
            })
        #expect(objects.output.contains { $0.contains(#""readings":[{"#) })
        let both = try await fieldpost("sensors", "--json", "--toml")
        #expect(both.ending == .exited(64))
    }

    @Test func itsTablesAreAConfigurationThatRuns() async throws {
        let directory = try TemporaryDirectory()
        let tables = try await fieldpost("sensors", "--toml")
        #expect(tables.ending == .exited(0))
        let port = try freePort()
        let file = try directory.write(
            ([#"listener = [{ bind = "127.0.0.1", port = \#(port) }]"#]
                + tables.output.map { $0 == #"every = "10s""# ? #"every = "1s""# : $0 })
                .joined(separator: "\n"), to: "board.toml")
        let check = try await fieldpost("check", file)
        #expect(check.ending == .exited(0), "\(check.output)")
        let read = try await fieldpost("read", "--config", file)
        #expect(read.ending == .exited(0), "\(read.output)")
        let agent = try await Program.start(Program.built("fieldpost"), ["run", "--config", file])
        try await agent.errors.line(containing: "started: ")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/+/+"], extra: ["-i", "watcher"])
        try await watcher.wait(for: "a reading") { $0.contains { $0.contains(#""value":"#) } }
        await watcher.kill()
        agent.send(SIGINT)
        #expect(try await agent.wait() == .exited(0))
    }

    // MARK: A program of somebody else's

    private func wellAgent(_ arguments: String...) async throws -> (
        ending: Program.Ending, output: [String], errors: [String]
    ) {
        try await runProgram(Program.built("well-agent"), arguments)
    }

    /// A channel of a program that speaks JSON, of a plugin, and of a file.
    @Test func aChannelThatFailsIsToldOfAndTheOthersGoOn() async throws {
        let directory = try TemporaryDirectory()
        let port = try freePort()
        let plugin = try directory.write(
            #"""
            #!/usr/bin/python3
            import sys, json
            n = 0
            for line in sys.stdin:
                q = json.loads(line); t = q["type"]
                r = {"type": t, "id": q["id"]}
                if t == "describe": r["protocol"] = 1
                elif t == "read":
                    n += 1
                    r["readings"] = [{"channel": "a", "value": n}, {"channel": "n", "value": 95} if n < 4 else {"channel": "n", "value": None, "reason": "probe unplugged"}]
                print(json.dumps(r), flush=True)

            """#, to: "plugin")
        let state = try directory.write(#"{"a": 1, "n": 95}"#, to: "state")
        let file = try directory.write(
            """
            listener = [{ bind = "127.0.0.1", port = \(port) }]
            [device]
            id = "hut"
            [[sensor]]
            name = "p"
            driver = "plugin"
            command = ["/usr/bin/env", "python3", "\(plugin)"]
            every = "200ms"
            [[sensor]]
            name = "e"
            driver = "exec"
            command = ["/bin/cat", "\(state)"]
            format = "json"
            channels = { a = "a", n = "n" }
            every = "200ms"
            [[sensor]]
            name = "sum"
            expression = "p.a + p.n"
            [[alarm]]
            name = "lost"
            sensor = "p"
            channel = "n"
            on_failure = true
            [[alarm]]
            name = "unknown"
            sensor = "sum"
            on_failure = true
            """, to: "hut.toml")
        let agent = try await Program.start(Program.built("fieldpost"), ["run", "--config", file])
        try await agent.errors.line(containing: "started: ")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/hut/#"], extra: ["-i", "watcher"])
        try await watcher.wait(for: "the values of e") { $0.contains { $0.hasPrefix("fieldpost/hut/e ") } }
        _ = try directory.write(#"{"a": 2}"#, to: "state")
        try await watcher.wait(for: "the failures") { lines in
            func has(_ topic: String, _ parts: String...) -> Bool {
                lines.contains { line in
                    line.hasPrefix("fieldpost/hut/\(topic) ") && parts.allSatisfy { line.contains($0) }
                }
            }
            return has("p", #""channel":"n","value":null,"quality":"sensor error""#, "probe unplugged")
                && has("e", #""channel":"n","value":null,"quality":"sensor error""#, "said nothing at n")
                && has("sum", #""value":null,"quality":"sensor error","reason":"input p.n fails: "#)
                && has("alarm/lost", #""state":"raised""#) && has("alarm/unknown", #""state":"raised""#)
                && has("e", #""channel":"a","value":2"#)
        }
        let count = await watcher.received.lines.count
        try await watcher.wait(for: "the others go on") { lines in
            lines.dropFirst(count).count { $0.hasPrefix("fieldpost/hut/p ") && $0.contains(#""channel":"a""#) } > 3
        }
        #expect(
            await !watcher.received.lines.dropFirst(count).contains { $0.contains(#"/sum "#) || $0.contains("null") })
        await watcher.kill()
        agent.send(SIGINT)
        #expect(try await agent.wait() == .exited(0))
    }

    @Test func aProgramOfOnesOwnIsAWholeAgentWithOneDriverMore() async throws {
        let directory = try TemporaryDirectory()
        let depth = try directory.write("250\n", to: "depth")
        let port = try freePort()
        func text(_ deep: String) -> String {
            """
            listener = [{ bind = "127.0.0.1", port = \(port) }]
            [device]
            id = "meadow"
            [[sensor]]
            name = "well"
            driver = "well"
            file = "\(depth)"
            depth = \(deep)
            every = "100ms"
            """
        }
        let file = try directory.write(text("\"deep\""), to: "well.toml")
        let wrong = try await wellAgent("check", file)
        #expect(wrong.ending == .exited(1))
        #expect(wrong.output.first?.contains("sensor[1].depth") == true, "\(wrong.output)")
        // Others do not know it.
        #expect(try await fieldpost("check", file).output.contains { $0.contains(#""well" is no driver"#) })

        _ = try directory.write(text("10"), to: "well.toml")
        let check = try await wellAgent("check", file)
        #expect(check.output.last == "\(file): good: device \"meadow\", 1 sensor, a broker of its own")
        let read = try await wellAgent("read", "--config", file)
        #expect(read.output == ["well level  7.5 m", "well fill   75 %"])

        let agent = try await Program.start(Program.built("well-agent"), ["run", "--config", file])
        try await agent.errors.line(containing: "started: ")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/meadow/well"], extra: ["-i", "watcher"])
        try await watcher.wait(for: "a level") { $0.contains { $0.contains(#""channel":"level","value":7.5"#) } }
        // A depth that no well has, and another well after a reload, whose driver is still known.
        _ = try directory.write("1100\n", to: "depth")
        try await watcher.wait(for: "a level that cannot be") {
            $0.contains {
                $0.contains(#""value":-1,"unit":"m","quality":"out of range","reason":"the well is 10.0 m deep""#)
            }
        }
        _ = try directory.write(text("20"), to: "well.toml")
        agent.send(SIGHUP)
        try await watcher.wait(for: "another level") { $0.contains { $0.contains(#""channel":"level","value":9"#) } }
        // And none at all.
        _ = try directory.write("dry\n", to: "depth")
        try await watcher.wait(for: "the failure") {
            $0.contains {
                $0.contains(#""value":null,"quality":"sensor error","reason":"\#(depth) does not hold a number""#)
            }
        }
        await watcher.kill()
        agent.send(SIGINT)
        #expect(try await agent.wait() == .exited(0))
    }
}

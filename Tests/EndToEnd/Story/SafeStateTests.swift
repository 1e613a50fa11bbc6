import Glibc
import Relay
import TestSupport
import Testing

/// An output that nobody can command any more goes into its safe state, and not before.
@Suite(.timeLimit(.minutes(2))) struct SafeStateTests {
    private static let patience = Duration.milliseconds(1500)

    /// A pump, which is switched on, and a lamp that has no safe state, on a line that can be cut.
    private func withPump(
        _ body: (_ line: TCPRelay, Board, Program) async throws -> Void
    ) async throws {
        try await withMosquitto { broker in
            let line = try await TCPRelay.start(port: broker.port)
            let board = try pump(port: line.port)
            let agent = try await board.run()
            let asker = try await Asker.start(port: broker.port, "pump")
            try await broker.log.line(containing: "fieldpost/pump/command/+ (QoS 0)")
            for output in ["pump", "lamp"] {
                let answer = try await asker.ask("set", #"{"sensor":"\#(output)","value":1}"#)
                #expect(answer.hasPrefix(#"{"ok":true"#), "\(answer)")
            }
            #expect(try board.shows("pump") == "1")
            try await body(line, board, agent)
            await agent.kill()
            await asker.leave()
            await line.stop()
        }
    }

    private func pump(port: Int) throws -> Board {
        let board = try Board("pump", port: port) { folder in
            """
            [commands]
            allow = ["set"]
            [[sensor]]
            name = "pump"
            driver = "file"
            path = "\(folder)/pump"
            writable = true
            safe = 0
            safe_after = "1500ms"
            every = "1h"
            [[sensor]]
            name = "lamp"
            driver = "file"
            path = "\(folder)/lamp"
            writable = true
            every = "1h"
            """
        }
        for output in ["pump", "lamp"] { try board.put("0", into: output) }
        return board
    }

    @Test func itComesWhenTheLineWasCutForSoLong() async throws {
        try await withPump { line, board, agent in
            let cut = ContinuousClock.now
            await line.cut()
            try await agent.errors.line(containing: "an output is in its safe state: there is no connection")
            #expect(cut.duration(to: .now) >= Self.patience)
            #expect(try board.shows("pump") == "0")
            #expect(try board.shows("lamp") == "1")
            // It stays there when the line is back: nobody has switched it on again.
            try await line.mend()
            try await agent.errors.wait(for: "the connection") { $0.count { $0.contains("connected: ") } > 1 }
            #expect(try board.shows("pump") == "0")
        }
    }

    @Test func itDoesNotComeWhenTheLineIsBackInTime() async throws {
        try await withPump { line, board, agent in
            // Each time is too short, all together are not.
            for connection in 2...5 {
                let cut = ContinuousClock.now
                await line.cut()
                try await Task.sleep(for: Self.patience / 3)
                try await line.mend()
                try await agent.errors.wait(for: "the connection") {
                    $0.count { $0.contains("connected: ") } >= connection
                }
                // On a machine that stood still meanwhile this shows nothing.
                guard cut.duration(to: .now) < Self.patience * 0.8 else { return }
                // Long enough to be seen: it is looked for ten times in that time.
                try await Task.sleep(for: Self.patience / 5)
            }
            try await Task.sleep(for: Self.patience * 1.2)
            #expect(try board.shows("pump") == "1")
            #expect(await !agent.errors.lines.contains { $0.contains("safe state") })
        }
    }

    @Test func itComesWhenTheAgentStops() async throws {
        try await withPump { _, board, agent in
            agent.send(SIGTERM)
            let ending = try await agent.wait()
            let (pump, lamp) = (try board.shows("pump"), try board.shows("lamp"))
            #expect(ending == .exited(0))
            #expect(pump == "0" && lamp == "1")
        }
    }

    @Test func itComesWhenThereNeverWasAConnection() async throws {
        let board = try pump(port: try freePort())
        try board.put("1", into: "pump")
        let start = ContinuousClock.now
        let agent = try await board.start()
        try await eventually("the safe state") { try board.shows("pump") == "0" }
        #expect(start.duration(to: .now) >= Self.patience)
        await agent.kill()
    }
}

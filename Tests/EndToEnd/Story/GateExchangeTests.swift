import TestSupport
import Testing

/// A gate and a radar that are asked on topics which were there before Fieldpost.
@Suite(.timeLimit(.minutes(2))) struct GateExchangeTests {
    /// A lane's board, with the gate and the radar as files.
    private func withLane(
        answers: String, version: String = "auto", _ body: (_ port: Int, Board, Program) async throws -> Void
    ) async throws {
        try await withMosquitto { broker in
            let board = try Board("lane-1", port: broker.port, broker: "version = \"\(version)\"") { folder in
                """
                [commands]
                allow = ["read", "set"]
                [[commands.exchange]]
                requests = "detrd/status/request/{id}"
                responses = "detrd/status/response/{id}"
                answers = "\(answers)"
                [commands.exchange.words]
                open = { command = "set", sensor = "gate", value = true }
                close = { command = "set", sensor = "gate", value = false }
                "level?" = { command = "read", sensor = "radar" }
                [[sensor]]
                name = "radar"
                driver = "file"
                path = "\(folder)/radar"
                unit = "m"
                every = "1h"
                [[sensor]]
                name = "gate"
                driver = "file"
                path = "\(folder)/gate"
                kind = "boolean"
                writable = true
                every = "1h"
                """
            }
            try board.put("2.41", into: "radar")
            try board.put("0", into: "gate")
            let agent = try await board.run()
            try await broker.log.line(containing: "detrd/status/request/+ (QoS 0)")
            try await body(broker.port, board, agent)
            await agent.kill()
        }
    }

    @Test(arguments: ["3.1.1", "5"]) func theGateOpensAndTheRadarTellsItsLevel(version: String) async throws {
        try await withLane(answers: "value", version: version) { port, board, _ in
            let console = try await MosquittoSub.start(
                port: port, ["detrd/status/response/+"], format: "%t %q %r %p")
            try await mosquittoPub(port: port, "detrd/status/request/1AB.ENTER.DETRD", "level?", version: .v3)
            #expect(try await console.next() == "detrd/status/response/1AB.ENTER.DETRD 1 0 2.41")
            try await mosquittoPub(port: port, "detrd/status/request/1AB.ENTER.GATE", "open", version: .v3)
            #expect(try await console.next() == "detrd/status/response/1AB.ENTER.GATE 1 0 true")
            #expect(try board.shows("gate") == "1")
            try await mosquittoPub(port: port, "detrd/status/request/1AB.ENTER.GATE", "close", version: .v3)
            #expect(try await console.next() == "detrd/status/response/1AB.ENTER.GATE 1 0 false")
            #expect(try board.shows("gate") == "0")
            // JSON does as well. What is no word and no command is told so.
            try await mosquittoPub(
                port: port, "detrd/status/request/2CD.LEAVE.DETRD", #"{"command":"read","sensor":"radar"}"#)
            #expect(try await console.next() == "detrd/status/response/2CD.LEAVE.DETRD 1 0 2.41")
            try await mosquittoPub(port: port, "detrd/status/request/2CD.LEAVE.DETRD", "explode")
            let error = try await console.next()
            #expect(
                error.hasPrefix(#"detrd/status/response/2CD.LEAVE.DETRD 1 0 error: there is no command "explode""#),
                "\(error)")
            try board.directory.remove("radar")
            try await mosquittoPub(port: port, "detrd/status/request/2CD.LEAVE.DETRD", "level?")
            let failure = try await console.next()
            #expect(failure.hasPrefix("detrd/status/response/2CD.LEAVE.DETRD 1 0 error: "), "\(failure)")
            await console.kill()
        }
    }

    @Test func answersMayBeJSON() async throws {
        try await withLane(answers: "json") { port, _, _ in
            let console = try await MosquittoSub.start(port: port, ["detrd/status/response/+"], format: "%p")
            try await mosquittoPub(port: port, "detrd/status/request/1AB.ENTER.DETRD", "level?")
            let answer = try await console.next()
            #expect(answer.hasPrefix(#"{"ok":true,"readings":[{"sensor":"radar","time":""#), "\(answer)")
            #expect(answer.hasSuffix(#""value":2.41,"unit":"m"}]}"#), "\(answer)")
            await console.kill()
        }
    }

    @Test func requestingProgramsAreAnswered() async throws {
        try await withLane(answers: "value") { port, board, _ in
            let theirs = try await runProgram(
                systemProgram("mosquitto_rr"),
                [
                    "-h", "127.0.0.1", "-p", "\(port)", "-V", "5", "-t", "detrd/status/request/1AB.ENTER.DETRD", "-e",
                    "detrd/status/response/1AB.ENTER.DETRD", "-m", "level?", "-W", "10",
                ])
            #expect(theirs.ending == .exited(0) && theirs.output == ["2.41"], "\(theirs)")
            for version in ["5", "311"] {
                let ours = try await fieldpost(
                    "request", port: port,
                    [
                        "-V", version, "-t", "detrd/status/request/1AB.ENTER.DETRD", "-e",
                        "detrd/status/response/1AB.ENTER.DETRD", "-m", "open", "-W", "10",
                    ])
                #expect(ours.ending == .exited(0) && ours.output == ["true"], "\(ours)")
                #expect(try board.shows("gate") == "1")
                try board.put("0", into: "gate")
            }
        }
    }
}

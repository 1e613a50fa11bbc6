import Glibc
import TestSupport
import Testing

/// The ways in which a command can be asked and answered, and that none is done twice.
@Suite(.timeLimit(.minutes(2))) struct RemoteCommandOnceTests {
    @Test(arguments: ["3.1.1", "5"]) func withoutAResponseTopicTheAnswerComesBesideTheCommand(version: String)
        async throws
    {
        try await CommandedBoard.with(version: version) { station in
            let agent = try await station.run()
            try await station.asker.ask(by: "run", "note")
            #expect(
                try await station.asker.answer(on: "fieldpost/board/command/run/response")
                    == #"{"ok":true,"output":"noted\n"}"#)
            // With an id in the payload it stands in the answer.
            try await station.asker.ask(by: "run", #"{"program":"note","id":"a7"}"#)
            #expect(
                try await station.asker.answer(on: "fieldpost/board/command/run/response", count: 2)
                    == #"{"ok":true,"id":"a7","output":"noted\n"}"#)
            // With an id in the topic it stands in that of the answer.
            try await station.asker.ask(by: "run/request/17", "note")
            #expect(
                try await station.asker.answer(on: "fieldpost/board/command/run/response/17")
                    == #"{"ok":true,"output":"noted\n"}"#)
            #expect(try station.notes == 3)
            await agent.kill()
        }
    }

    @Test func ourOwnRequestIsAnswered() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            for way in [[], ["-V", "311"], ["--by-topics"]] {
                let result = try await fieldpost(
                    "request", port: station.asker.port,
                    ["-t", "fieldpost/board/command/run", "-m", "note", "-W", "10"] + way)
                #expect(result.ending == .exited(0) && result.errors.isEmpty, "\(way): \(result)")
                #expect(result.output == [#"{"ok":true,"output":"noted\n"}"#], "\(way)")
            }
            #expect(try station.notes == 3)
            await agent.kill()
        }
    }

    @Test(arguments: [false, true]) func whoAsksTwiceUnderOneIDIsAnsweredTwice(isKilledBetween: Bool) async throws {
        try await CommandedBoard.with { station in
            var agent = try await station.run()
            func askAll(_ count: Int) async throws -> [String] {
                try await station.asker.ask(by: "run", #"{"program":"note","id":"in the payload"}"#)
                try await station.asker.ask(by: "run/request/topic", "note")
                try await station.asker.send("run", "note", to: "answers/data", correlation: "d")
                return [
                    try await station.asker.answer(on: "fieldpost/board/command/run/response", count: count),
                    try await station.asker.answer(on: "fieldpost/board/command/run/response/topic", count: count),
                    try await station.asker.answer(on: "answers/data", correlation: "d", count: count),
                ]
            }
            let first = try await askAll(1)
            #expect(first.allSatisfy { $0.hasPrefix(#"{"ok":true,"#) }, "\(first)")
            #expect(try station.notes == 3)
            if isKilledBetween {
                await agent.kill()
                agent = try await station.run()
            }
            #expect(try await askAll(2) == first)
            #expect(try station.notes == 3)
            await agent.kill()
        }
    }

    @Test func whoAsksAgainWhileItIsDoneHearsTheSameAnswer() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            for _ in 1...3 {
                try await station.asker.send("run", "slow-note", to: "answers/data", correlation: "d")
            }
            for count in 1...3 {
                #expect(
                    try await station.asker.answer(on: "answers/data", correlation: "d", count: count)
                        == #"{"ok":true,"output":"noted slowly\n"}"#)
            }
            #expect(try station.notes == 1)
            await agent.kill()
        }
    }

    /// Nobody can know then whether it was done to its end; doing it again might do harm.
    @Test func whatWasUnderWayWhenTheAgentWasKilledIsNotBegunAgain() async throws {
        try await CommandedBoard.with { station in
            var agent = try await station.run()
            try await station.asker.ask(by: "run/request/17", "stuck-note")
            try await eventually("its begin") { try station.notes == 1 }
            await agent.kill()
            agent = try await station.run()
            try await station.asker.ask(by: "run/request/17", "stuck-note")
            let answer = try await station.asker.answer(on: "fieldpost/board/command/run/response/17")
            #expect(answer.hasPrefix(#"{"ok":false,"error":"failed","message":""#), "\(answer)")
            #expect(answer.contains("it may have been done"), "\(answer)")
            // The next one is done.
            try await station.asker.ask(by: "run/request/18", "note")
            #expect(
                try await station.asker.answer(on: "fieldpost/board/command/run/response/18").hasPrefix(#"{"ok":true"#))
            #expect(try station.notes == 2)
            await agent.kill()
        }
    }
}

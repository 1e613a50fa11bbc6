import Glibc
import TestSupport
import Testing

/// A board with everything that commands can act on: a distance that is read seldom, a gate, an alarm, and programs.
struct CommandedBoard: Sendable {
    let board: Board
    let asker: Asker
    /// Hears all that the board says.
    let ears: MosquittoSub

    static let everything = #"["read", "status", "acknowledge", "set", "interval", "calibrate", "run", "reload"]"#

    static func with(
        allow: String = everything, commands: String = "", version: String = "auto",
        _ body: (CommandedBoard) async throws -> Void
    ) async throws {
        try await withMosquitto { broker in
            let board = try Board("board", port: broker.port, broker: "version = \"\(version)\"") { folder in
                """
                [commands]
                allow = \(allow)
                \(commands)
                [[commands.program]]
                name = "note"
                command = ["sh", "-c", "echo done >> \(folder)/notes; echo noted"]
                [[commands.program]]
                name = "slow-note"
                command = ["sh", "-c", "echo done >> \(folder)/notes; sleep 0.5; echo noted slowly"]
                [[commands.program]]
                name = "stuck-note"
                command = ["sh", "-c", "echo done >> \(folder)/notes; exec sleep 600"]
                [[commands.program]]
                name = "say"
                command = ["echo", "said:"]
                arguments = true
                [[commands.program]]
                name = "endless"
                command = ["sh", "-c", "echo $$$$ > \(folder)/pid.new; mv \(folder)/pid.new \(folder)/pid; exec sleep 600"]
                timeout = "1500ms"
                [[sensor]]
                name = "distance"
                driver = "file"
                path = "\(folder)/distance"
                unit = "m"
                every = "1h"
                [[sensor]]
                name = "fill"
                expression = "100 * (0.92 - distance) / 0.92"
                unit = "%"
                [[sensor]]
                name = "gate"
                driver = "file"
                path = "\(folder)/gate"
                kind = "boolean"
                writable = true
                every = "1h"
                [[sensor]]
                name = "lamp"
                driver = "file"
                path = "\(folder)/lamp"
                writable = true
                every = "1h"
                [[alarm]]
                name = "full"
                sensor = "fill"
                raise_above = 85
                clear_below = 20
                """
            }
            for (device, value) in [("distance", "0.50"), ("gate", "0"), ("lamp", "0")] {
                try board.put(value, into: device)
            }
            let ears = try await MosquittoSub.start(port: broker.port, ["fieldpost/board/#"], format: "%t %p")
            let asker = try await Asker.start(port: broker.port, "board")
            try await body(CommandedBoard(board: board, asker: asker, ears: ears))
            await asker.leave()
            await ears.kill()
        }
    }

    /// Comes back when it takes commands.
    func run() async throws -> Program {
        let agent = try await board.run()
        // What is sent before it has subscribed is lost, as commands of QoS 0 should be. An earlier agent's answers do
        // not count, which may come late.
        let greeting = "hello-\(agent.processIdentifier)"
        try await eventually("an answer") {
            try await asker.ask(by: "ping/request/\(greeting)", "")
            return await asker.answers(on: "fieldpost/board/command/ping/response/\(greeting)") > 0
        }
        return agent
    }

    func ask(_ command: String, _ payload: String, correlation: String? = nil) async throws -> String {
        try await asker.ask(command, payload, correlation: correlation)
    }

    func hears(_ text: String, on topic: String, after skipped: Int = 0) async throws {
        try await ears.wait(for: "\(text) on \(topic)") { lines in
            lines.dropFirst(skipped).contains { $0.hasPrefix("fieldpost/board/\(topic) ") && $0.contains(text) }
        }
    }

    var heard: Int { get async { await ears.received.lines.count } }

    /// How often the note was taken.
    var notes: Int {
        get throws { board.directory.exists("notes") ? try board.directory.read("notes").count { $0 == "\n" } : 0 }
    }
}

/// What a board does that is asked to, by MQTT 5's response topic and correlation data.
@Suite(.timeLimit(.minutes(2))) struct RemoteCommandTests {
    @Test func readReadsNow() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            try await station.hears(#""value":0.5"#, on: "distance")
            // It would be read in an hour.
            try station.board.put("0.46", into: "distance")
            let one = try await station.ask("read", #"{"sensor":"distance"}"#)
            #expect(one.hasPrefix(#"{"ok":true,"readings":[{"sensor":"distance","time":""#), "\(one)")
            #expect(one.contains(#""value":0.46,"unit":"m""#), "\(one)")
            try await station.hears(#""value":0.46"#, on: "distance")
            try await station.hears(#""value":50"#, on: "fill")
            // The bare word does as well; what is computed has its present value; and all have theirs.
            #expect(try await station.ask("read", "fill").contains(#""sensor":"fill""#))
            let all = try await station.ask("read", "")
            for part in [#""sensor":"distance""#, #""sensor":"fill""#, #""sensor":"gate""#, #""sensor":"lamp""#] {
                #expect(all.contains(part), "\(all)")
            }
            // One that fails says so.
            try station.board.directory.remove("distance")
            let none = try await station.ask("read", "distance")
            #expect(
                none.hasPrefix(#"{"ok":false,"error":"failed","message":""#) && none.contains("/distance"), "\(none)")
            let rest = try await station.ask("read", "{}")
            #expect(rest.hasPrefix(#"{"ok":true,"#) && rest.contains(#""failures":{"distance":""#), "\(rest)")
            await agent.kill()
        }
    }

    @Test func setSetsAnOutputAndItsReadingIsTold() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            let open = try await station.ask("set", #"{"sensor":"gate","value":true}"#)
            #expect(
                open.hasPrefix(#"{"ok":true,"readings":[{"sensor":"gate","#) && open.contains(#""value":true"#),
                "\(open)")
            #expect(try station.board.shows("gate") == "1")
            try await station.hears(#""value":true"#, on: "gate")
            #expect(try await station.ask("set", #"{"sensor":"lamp","value":42}"#).hasPrefix(#"{"ok":true"#))
            #expect(try station.board.shows("lamp") == "42")
            try await station.hears(#""value":42"#, on: "lamp")
            // Of another kind than its own.
            let text = try await station.ask("set", #"{"sensor":"gate","value":"open"}"#)
            #expect(text.hasPrefix(#"{"ok":false,"error":"malformed""#), "\(text)")
            #expect(try station.board.shows("gate") == "1")
            await agent.kill()
        }
    }

    @Test func anIntervalHoldsOverARestart() async throws {
        try await CommandedBoard.with { station in
            var agent = try await station.run()
            #expect(try await station.ask("interval", #"{"sensor":"distance","every":"20ms"}"#) == #"{"ok":true}"#)
            try await station.ears.wait(for: "many readings") {
                $0.count { $0.hasPrefix("fieldpost/board/distance ") } > 9
            }
            await agent.kill()
            let before = await station.heard
            agent = try await station.run()
            try await station.ears.wait(for: "many readings") {
                $0.dropFirst(before).count { $0.hasPrefix("fieldpost/board/distance ") } > 9
            }
            // As it was configured: the next one comes in an hour, and only one can be under way.
            #expect(try await station.ask("interval", #"{"sensor":"distance","every":null}"#) == #"{"ok":true}"#)
            // One that is asked for comes behind all that were read before it, which answers overtake.
            let last = try await station.ask("read", "distance")
            let time = try #require("time".value(in: last), "\(last)")
            let lines = try await station.ears.wait(for: "the reading of \(time)") { $0.contains { $0.contains(time) } }
            let after = lines.firstIndex { $0.contains(time) } ?? 0
            try await Task.sleep(for: .milliseconds(200))
            let later = await station.ears.received.lines[after...]
            #expect(later.count { $0.hasPrefix("fieldpost/board/distance ") } <= 2)
            let derived = try await station.ask("interval", #"{"sensor":"fill","every":"1s"}"#)
            #expect(derived.hasPrefix(#"{"ok":false,"error":"malformed""#), "\(derived)")
            await agent.kill()
        }
    }

    @Test func aCorrectionHoldsOverARestart() async throws {
        try await CommandedBoard.with { station in
            var agent = try await station.run()
            try await station.hears(#""value":0.5"#, on: "distance")
            let answer = try await station.ask("calibrate", #"{"sensor":"distance","to":0.46}"#)
            #expect(answer.hasPrefix(#"{"ok":true,"offset":-0.0"#), "\(answer)")
            #expect(try await station.ask("read", "distance").contains(#""value":0.46"#))
            // What is computed from it follows.
            #expect(try await station.ask("read", "fill").contains(#""value":50"#))
            await agent.kill()
            agent = try await station.run()
            try await eventually("a corrected reading") {
                try await station.ask("read", "distance").contains(#""value":0.46"#)
            }
            #expect(try await station.ask("calibrate", #"{"sensor":"distance","to":null}"#) == #"{"ok":true}"#)
            #expect(try await station.ask("read", "distance").contains(#""value":0.5,"#))
            await agent.kill()
        }
    }

    @Test func anAlarmIsAcknowledged() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            // There is nothing to be acknowledged yet.
            #expect(
                try await station.ask("acknowledge", #"{"alarm":"full","by":"anna"}"#)
                    == #"{"ok":true,"changed":false}"#)
            try station.board.put("0.05", into: "distance")
            #expect(try await station.ask("read", "distance").hasPrefix(#"{"ok":true"#))
            try await station.hears(#""state":"raised""#, on: "alarm/full")
            #expect(
                try await station.ask("acknowledge", #"{"alarm":"full","by":"anna"}"#) == #"{"ok":true,"changed":true}"#
            )
            try await station.hears(#""state":"acknowledged""#, on: "alarm/full")
            try await station.hears(#""by":"anna""#, on: "alarm/full")
            #expect(try await station.ask("acknowledge", "full") == #"{"ok":true,"changed":false}"#)
            let unknown = try await station.ask("acknowledge", "ful")
            #expect(unknown.hasPrefix(#"{"ok":false,"error":"unknown","message":"there is no alarm"#), "\(unknown)")
            await agent.kill()
        }
    }

    @Test func theStatusIsTold() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            let answer = try await station.ask("status", "")
            #expect(answer.hasPrefix(#"{"ok":true,"status":{"state":"online","#), "\(answer)")
            #expect(answer.contains(#""boot":1,"#) && answer.contains(#""queue":{"#), "\(answer)")
            await agent.kill()
        }
    }

    @Test func aReloadReadsTheConfigurationAgain() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            try station.board.configure(
                more: "[[sensor]]\nname = \"load\"\ndriver = \"file\"\npath = \"/proc/loadavg\"\npattern = \"^[0-9.]+\""
            )
            #expect(try await station.ask("read", "load").hasPrefix(#"{"ok":false,"error":"unknown""#))
            #expect(try await station.ask("reload", "") == #"{"ok":true}"#)
            try await station.hears(#""value":"#, on: "load")
            try await eventually("an answer") {
                // One that is asked while the links are made anew is not heard (QoS 0).
                let answer = try? await within(.seconds(2), "an answer") { try await station.ask("read", "load") }
                return answer?.hasPrefix(#"{"ok":true"#) ?? false
            }
            // What is wrong is told, and changes nothing.
            try station.board.configure(more: "[[sensor]]\nname = 7")
            let refused = try await station.ask("reload", "")
            #expect(refused.hasPrefix(#"{"ok":false,"error":"failed""#), "\(refused)")
            #expect(refused.contains("sensor[5]"), "\(refused)")
            #expect(try await station.ask("read", "load").hasPrefix(#"{"ok":true"#))
            await agent.kill()
        }
    }

    @Test func programsOfTheListAreRun() async throws {
        try await CommandedBoard.with { station in
            let agent = try await station.run()
            #expect(try await station.ask("run", "note") == #"{"ok":true,"output":"noted\n"}"#)
            #expect(try station.notes == 1)
            // Arguments are words, never read by a shell.
            #expect(
                try await station.ask("run", #"{"program":"say","arguments":["a b","$HOME; ls"]}"#)
                    == #"{"ok":true,"output":"said: a b $HOME; ls\n"}"#)
            let argued = try await station.ask("run", #"{"program":"note","arguments":["x"]}"#)
            #expect(
                argued.hasPrefix(#"{"ok":false,"error":"malformed""#) && argued.contains("takes no arguments"),
                "\(argued)")
            #expect(try station.notes == 1)
            let other = try await station.ask("run", "reboot")
            #expect(other == #"{"ok":false,"error":"unknown","message":"there is no program \"reboot\""}"#)

            // One that does not end is killed.
            let endless = try await station.ask("run", "endless")
            #expect(endless.hasPrefix(#"{"ok":false,"error":""#) && endless.contains("was killed"), "\(endless)")
            let process = try #require(Int32(try station.board.shows("pid")))
            try await eventually("its end") { kill(process, 0) != 0 && errno == ESRCH }
            await agent.kill()
        }
    }
}

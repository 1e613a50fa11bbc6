import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct BrokerConsoleTests {
    @Test func commandsFromAPipeAreAnswered() async throws {
        let input = try CommandInput()
        let broker = try await RunningCommand.start(["--port", "0"], input: input)
        let output = broker.program.output
        let watcher = try await MosquittoSub.start(port: broker.port, ["site/#"], extra: ["-i", "watcher"])
        try await output.wait(for: "the watcher") { lines in
            input.type("clients\n")
            return lines.contains { $0.hasPrefix("watcher ") && $0.contains("  3.1.1  ") }
        }
        input.type("subscriptions watcher\n")
        try await output.line(containing: "watcher  site/#")
        input.type("publish site/gate 'it is open' -q 1 -r\n")
        try await watcher.wait(for: "the message") { $0.contains { $0.contains("it is open") } }
        try await output.line(containing: "published to 1 session")
        input.type("retained\n")
        try await output.line(containing: "site/gate    1   10B  it is open")
        input.type("sessions\n")
        try await output.line(containing: "connected")
        input.type("stats\n")
        try await output.line(containing: "clients        1 now")
        input.type("clinets\n")
        try await output.line(containing: "unknown command \"clinets\"; help lists them")
        input.type("reload\n")
        try await broker.program.errors.line(containing: "reloaded: changed=nothing")
        input.type("kick watcher\n")
        try await output.line(containing: "watcher is disconnected")
        input.type("delete nobody\n")
        try await output.line(containing: "no session nobody")
        input.type("exit\n")
        #expect(try await broker.program.wait() == .exited(0))
        await watcher.kill()
    }

    @Test func aDeviceOf3_1KeepsItsSessionAndLeavesItsWill() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write(
            "[server]\nstore = { path = \"broker.db\" }\n[[listener]]\nport = 0\nbind = \"127.0.0.1\"", to: "b.toml")
        for isAgain in [false, true] {
            let input = try CommandInput()
            let broker = try await RunningCommand.start(["--config", file], input: input)
            let watcher = try await MosquittoSub.start(
                port: broker.port, ["site/#", "wills"], version: .v3_1, clientID: "watcher")
            for qos in 1...2 where isAgain { #expect(try await watcher.next() == "site/while/away \(qos) 0 \(qos)") }
            for qos in 0...2 {
                try await mosquittoPub(port: broker.port, "site/\(qos)", "\(qos)", qos: qos, version: .v3_1)
                #expect(try await watcher.next() == "site/\(qos) \(qos) 0 \(qos)")
            }
            let mortal = try await MosquittoSub.start(
                port: broker.port, ["nothing"], version: .v3_1,
                extra: ["--will-topic", "wills", "--will-payload", "gone", "--will-qos", "2"])
            try await broker.program.output.wait(for: "both") { lines in
                input.type("clients\n")
                return lines.contains { $0.hasPrefix("watcher ") && $0.contains("  3.1  ") }
            }
            await mortal.kill()
            #expect(try await watcher.next() == "wills 2 0 gone")
            await watcher.kill()
            for qos in 0...2 {
                try await mosquittoPub(port: broker.port, "site/while/away", "\(qos)", qos: qos, version: .v3_1)
            }
            #expect(try await broker.stop() == .exited(0))
        }
    }

    @Test func theEndOfTheInputIsTheEnd() async throws {
        let result = try await runProgram(
            systemProgram("sh"),
            ["-c", "echo clients | \"$0\" broker --port 0 --console", try Program.built("fieldpost")])
        #expect(result.ending == .exited(0))
        #expect(result.output.last == "no clients")
    }

    @Test func withoutATerminalThereIsNoConsole() async throws {
        let input = try CommandInput()
        input.type("exit\n")
        let broker = try await RunningCommand.start(["--port", "0"], input: input, console: nil)
        try await mosquittoPub(port: broker.port, "a", "b")
        #expect(await broker.program.output.lines.count == 1)
        #expect(try await broker.stop() == .exited(0))
    }

    /// `script` gives it a terminal, and passes on what is typed. Nothing else may be in that terminal's foreground: a shell
    /// in between would be interrupted too, and end with 130.
    private func start(_ input: CommandInput) async throws -> (program: Program, port: Int) {
        let program = try await Program.start(
            systemProgram("sh"),
            [
                "-c", "exec script -qec \"exec '$0' broker --port 0\" /dev/null < '\(input.path)'",
                try Program.built("fieldpost"),
            ], environment: ["SHELL": "/bin/sh"])
        return (program, try await RunningCommand.port(program))
    }

    @Test func logsThatArriveMeanwhileLeaveWhatWasTyped() async throws {
        let input = try CommandInput()
        let (program, port) = try await start(input)
        let output = program.output
        try await output.line(containing: "type help for commands")
        input.type("clie")
        // Carriage returns end lines here, and what stands behind the prompt can only be seen when the next log takes its
        // place. What is typed may be read after any of the logs; behind it there is one more.
        try await eventually("what was typed so far, behind a log") {
            try await mosquittoPub(port: port, "a", "b")
            let lines = await output.lines
            guard let log = lines.firstIndex(where: { $0.contains("connected: ") }) else { return false }
            return lines[log...].contains { $0.hasSuffix("> clie") }
        }
        // The broker may learn of its last client's leave after that client has gone.
        try await output.wait(for: "nobody to be connected") { lines in
            lines.count { $0.contains(" disconnected: ") } == lines.count { $0.contains(" connected: ") }
        }
        input.type("nts\r")
        try await output.line(containing: "no clients")
        // Once more, by the arrow.
        input.type("\u{1B}[A\r")
        try await output.wait(for: "the second answer") { $0.count { $0.contains("no clients") } == 2 }
        input.type("\u{4}")
        #expect(try await program.wait() == .exited(0))
        #expect(await output.lines.contains { $0.contains("stopping") })
    }

    /// An interactive shell at a terminal, and what is typed there.
    private func startShell(_ input: CommandInput) async throws -> Program {
        try await Program.start(
            systemProgram("sh"),
            ["-c", "exec script -qec 'exec bash --norc --noprofile -i' /dev/null < '\(input.path)'"],
            environment: ["FIELDPOST": try Program.built("fieldpost"), "PS1": "", "HISTFILE": ""])
    }

    /// What the terminal shows of a line that it echoes itself.
    private func echoes(_ output: LineLog, _ text: String) async -> Bool {
        await output.lines.contains(text)
    }

    @Test func controlZGivesTheTerminalBackUntilItIsBroughtBack() async throws {
        let input = try CommandInput()
        let shell = try await startShell(input)
        let output = shell.output
        input.type("\"$FIELDPOST\" broker --port 0\r")
        let port = try await RunningCommand.port(shell)
        try await output.line(containing: "type help for commands")
        for number in 1...2 {
            input.type("half\u{1A}")
            try await output.wait(for: "stop \(number)") { $0.count { $0.contains("Stopped") } == number }
            input.type("fg\r")
            // The shell's terminal would echo what is typed before the prompt is there, which log lines replace.
            let count = await output.lines.count
            try await eventually("prompt \(number)") {
                try await mosquittoPub(port: port, "a", "b")
                return await output.lines.dropFirst(count).contains { $0.hasSuffix("> half") }
            }
            // The last publisher may be there for a moment yet.
            let answers = await output.lines.count { $0.contains("no clients") }
            try await eventually("answer \(number)") {
                input.type("\u{15}clients\r")
                return await output.lines.count { $0.contains("no clients") } > answers
            }
        }
        #expect(await !echoes(output, "clients"), "the terminal echoes")
        input.type("\u{15}exit\r")
        try await output.line(containing: "stopping: reason=\"exit at the console\"")
        input.type("\rexit 7\r")
        #expect(try await shell.wait() == .exited(7))
    }

    @Test func whatIsBroughtToTheForegroundHasAConsole() async throws {
        let input = try CommandInput()
        let shell = try await startShell(input)
        let output = shell.output
        input.type("\"$FIELDPOST\" broker --port 0 &\r")
        try await output.line(containing: "listening at ")
        #expect(await !output.lines.contains { $0.contains("type help for commands") })
        // The shell's, and not the broker's.
        input.type("echo still-$((1 + 1))\r")
        try await output.line(containing: "still-2")
        input.type("fg\r")
        try await output.wait(for: "an answer") { lines in
            input.type("\u{15}clients\r")
            return lines.contains { $0.contains("no clients") }
        }
        input.type("\u{15}\u{4}")
        try await output.line(containing: "stopping: reason=\"end of input\"")
        input.type("\rexit 7\r")
        #expect(try await shell.wait() == .exited(7))
    }

    @Test func controlCEndsItCleanly() async throws {
        let input = try CommandInput()
        let (program, _) = try await start(input)
        try await program.output.line(containing: "type help for commands")
        input.type("half a line\u{3}")
        #expect(try await program.wait() == .exited(0))
        #expect(await program.output.lines.contains { $0.contains("stopping: reason=interrupted") })
    }
}

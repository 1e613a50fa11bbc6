import Glibc
import TestSupport
import Testing

/// The command line as its user meets it.
@Suite(.timeLimit(.minutes(2))) struct CommandTests {
    private func fieldpost(_ arguments: String...) async throws -> (
        ending: Program.Ending, output: [String], errors: [String]
    ) {
        try await runProgram(Program.built("fieldpost"), arguments)
    }

    @Test func checkFindsEverythingAtOnceAndExitsWithOne() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            """
            [broker]
            servers = ["http://broker.example"]
            keep_alive = 60
            [[sensor]]
            name = "fill"
            driver = "simulatd"
            """, to: "a.toml")
        let result = try await fieldpost("check", file)
        #expect(result.ending == .exited(1))
        #expect(result.output.count == 3)
        #expect(result.output.allSatisfy { $0.hasPrefix("\(file):") })
        #expect(result.output.last?.contains("simulated") == true, "the nearest driver is named")
        let run = try await fieldpost("run", "--config", file)
        #expect(run.ending == .exited(78))
        #expect(run.errors == result.output)
    }

    @Test func checkSaysThatAllIsWell() async throws {
        let station = try Station(port: 1883)
        let result = try await fieldpost("check", station.file)
        #expect(result.ending == .exited(0))
        #expect(result.output == ["\(station.file): good: device \"station\", 1 sensor"])
    }

    @Test func checkLoadsCertificatesAndKeys() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            "broker = { servers = [\"mqtts://broker.example\"], tls = { ca_file = \"ca.pem\" } }\nsensor = []",
            to: "a.toml")
        let missing = try await fieldpost("check", file)
        #expect(missing.ending == .exited(1))
        #expect(missing.output.last?.contains("ca.pem cannot be read: No such file or directory") == true)
        _ = try directory.write("no certificate", to: "ca.pem")
        let broken = try await fieldpost("check", file)
        #expect(broken.ending == .exited(1))
        #expect(broken.output.last?.contains("ca.pem") == true)
    }

    @Test func aConfigurationThatIsNotThere() async throws {
        let result = try await fieldpost("run", "--config", "/no/such/file.toml")
        #expect(result.ending == .exited(78))
        #expect(result.errors == ["/no/such/file.toml: does not exist"])
    }

    @Test func readPrintsValuesAndFailures() async throws {
        let station = try Station(
            port: 1883,
            rest: """
                [[sensor]]
                name = "load"
                driver = "file"
                path = "/proc/loadavg"
                pattern = "^[0-9.]+"
                [[sensor]]
                name = "gone"
                driver = "file"
                path = "/sys/no/such/file"
                """)
        let both = try await fieldpost("read", "--config", station.file)
        #expect(both.ending == .exited(1))
        #expect(both.output.count == 2)
        #expect(both.output.first?.hasPrefix("load  ") == true)
        #expect(both.output.last?.hasPrefix("gone  failed: /sys/no/such/file does not exist") == true)
        let one = try await fieldpost("read", "--config", station.file, "--json", "load")
        #expect(one.ending == .exited(0))
        #expect(Double("value".value(in: one.output.first ?? "") ?? "") != nil)
        let none = try await fieldpost("read", "--config", station.file, "lod")
        #expect(none.ending == .exited(1))
        #expect(none.errors.first?.contains("there are load, gone") == true)
    }

    @Test func readShowsWhatAlarmsAndUplinksSee() async throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write("460\n", to: "echo")
        let station = try Station(
            port: 1883,
            rest: """
                [[sensor]]
                name = "echo"
                driver = "file"
                path = "\(directory.path)/echo"
                unit = "mm"
                convert = "m"
                range = [0.02, 4]
                window = { every = "1h", values = ["mean"] }
                [[sensor]]
                name = "fill"
                expression = "100 * (0.92 - echo) / 0.92"
                unit = "%"
                range = [0, 40]
                [[sensor]]
                name = "filling"
                driver = "file"
                path = "\(directory.path)/echo"
                rate = "1h"
                [[sensor]]
                name = "sum"
                expression = "fill + gone"
                [[sensor]]
                name = "gone"
                driver = "file"
                path = "/no/such/file"
                """)
        let fill = try await fieldpost("read", "--config", station.file, "fill")
        #expect(fill.ending == .exited(0))
        #expect(fill.output == ["fill  50 % (out of range: 50 is not within 0 to 40)"])
        let all = try await fieldpost("read", "--config", station.file)
        #expect(all.ending == .exited(1))
        #expect(
            all.output.map { $0.prefix { $0 != "/" } } == [
                "echo     0.46 m", "fill     50 % (out of range: 50 is not within 0 to 40)",
                "filling  nothing yet: its filters want a second value, or have left this one out",
                "sum      failed: input gone fails: ", "gone     failed: ",
            ])
        let json = try await fieldpost("read", "--config", station.file, "--json", "filling", "sum")
        #expect("value".value(in: json.output.first ?? "") == "null")
        #expect(json.output.last?.hasPrefix(#"{"sensor":"sum","error":"input gone fails: /no/such/file"#) == true)
    }

    @Test func theQueueOfAnAgentThatNeverRan() async throws {
        let station = try Station(port: 1883)
        let result = try await fieldpost("queue", "status", "--config", station.file)
        #expect(result.ending == .exited(74))
        #expect(result.errors.first?.contains("there is no queue; the agent creates it when it first runs") == true)
    }

    @Test func twoAgentsCannotShareAQueue() async throws {
        let station = try Station(port: try freePort())
        let first = try await station.run()
        try await first.errors.line(containing: "started")
        let second = try await station.run()
        #expect(try await second.wait() == .exited(74))
        let pid = first.processIdentifier
        #expect(await second.errors.lines.contains { $0.contains("in use by process \(pid)") })
        let purge = try await fieldpost("queue", "purge", "--all", "--config", station.file)
        #expect(purge.ending == .exited(74))
        #expect(purge.errors.first?.contains("in use by process \(pid)") == true)
        await first.kill()
    }

    @Test func aHangUpReadsTheConfigurationAgain() async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port)
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/#"])
            let agent = try await station.run()
            try await watcher.wait(for: "s1") { $0.contains { $0.contains("/s1 ") } }

            try station.directory.write("nonsense", to: "station.toml")
            agent.send(SIGHUP)
            try await agent.errors.line(containing: "not reloaded")

            try station.directory.write(
                Station.text(port: broker.port, rest: Station.sensors(2)), to: "station.toml")
            agent.send(SIGHUP)
            try await watcher.wait(for: "s2") { $0.contains { $0.contains("/s2 ") } }
            let lines = await watcher.received.lines
            #expect(lines.contains { $0.contains(#""reason":"reloading""#) })
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
        }
    }

    @Test func aReloadThatCannotBeginGoesBack() async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port)
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "online") { $0.contains { $0.contains("online") } }
            let text = Station.text(port: broker.port, rest: Station.sensors(1))
            try station.directory.write(
                text.replacing("[queue]", with: "[queue]\npath = \"/no/such/folder/queue.db\""), to: "station.toml")
            agent.send(SIGHUP)
            try await agent.errors.line(containing: "back to the configuration before")
            try await watcher.wait(for: "online again") { lines in
                guard let end = lines.firstIndex(where: { $0.contains(#""reason":"reloading""#) }) else { return false }
                return lines[end...].contains { $0.contains(#""state":"online""#) }
            }
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
        }
    }

    @Test func aStopIsNotForgottenBehindManyReloads() async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port)
            let agent = try await station.run()
            try await agent.errors.line(containing: " info connected: ")
            for _ in 1...30 { agent.send(SIGHUP) }
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            let log = await agent.errors.lines
            #expect(log.last { $0.contains("stopping") }?.contains("reason=stopped") == true)
            #expect(!log.contains { $0.contains("takes too long") })
            let status = try await retained(port: broker.port, station.statusTopic, seconds: 10)
            #expect(status?.contains(#""state":"offline""#) == true)
        }
    }

    @Test func aSensorThatFailsFromTheStartIsInTheStatus() async throws {
        try await withMosquitto { broker in
            let station = try Station(
                port: broker.port,
                rest: """
                    [[sensor]]
                    name = "gone"
                    driver = "file"
                    path = "/sys/no/such/file"
                    """)
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "the failure") { lines in
                lines.contains { $0.contains(#""failing":{"gone":"/sys/no/such/file does not exist"#) }
            }
            await agent.kill()
        }
    }

    @Test func readsThatWereLeftOutAreCountedInTheStatus() async throws {
        try await withMosquitto { broker in
            let station = try Station(
                port: broker.port,
                rest: """
                    [status]
                    every = "1s"
                    [[sensor]]
                    name = "slow"
                    driver = "exec"
                    command = ["sh", "-c", "sleep 0.25; echo 1"]
                    every = "100ms"
                    [[sensor]]
                    name = "quick"
                    driver = "simulated"
                    kind = "random-walk"
                    every = "5s"
                    """)
            let watcher = try await MosquittoSub.start(port: broker.port, [station.statusTopic])
            let agent = try await station.run()
            try await watcher.wait(for: "the count") { lines in
                lines.contains { $0.contains(#""overruns":{"slow":"#) && !$0.contains("quick") }
            }
            await agent.kill()
        }
    }

    @Test func S2_noSecretIsLoggedWhateverTheLevel() async throws {
        let directory = try TemporaryDirectory()
        try await withMosquitto { broker in
            let password = "correct-horse-battery"
            let station = try Station(
                port: broker.port, broker: "username = \"u\"\npassword = \"\(password)\"",
                rest: "[log]\nlevel = \"trace\"\n" + Station.sensors(1))
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/#"])
            let agent = try await station.run()
            try await watcher.wait(for: "readings") { $0.count > 5 }
            agent.send(SIGTERM)
            try await agent.wait()
            let everything =
                await agent.errors.lines + agent.output.lines + watcher.received.lines
                + (try await station.fieldpost("check", station.file)).output
            #expect(!everything.contains { $0.contains(password) })
        }
        _ = directory
    }

    @Test(arguments: [["--help"], ["run", "--help"], ["queue", "--help"], ["help", "check"]])
    func helpIsHelp(arguments: [String]) async throws {
        let result = try await runProgram(Program.built("fieldpost"), arguments)
        #expect(result.ending == .exited(0))
        #expect(result.output.contains { $0.hasPrefix("USAGE: fieldpost") })
    }

    @Test func helpFitsTheTerminal() async throws {
        let narrow = try await runProgram(
            Program.built("fieldpost"), ["read", "--help"], environment: ["COLUMNS": "50"])
        #expect(narrow.output.allSatisfy { $0.count <= 50 })
        let wide = try await runProgram(
            Program.built("fieldpost"), ["read", "--help"], environment: ["COLUMNS": "200"])
        #expect(wide.output.count < narrow.output.count)
    }

    @Test func helpThatCannotBeWrittenIsAnError() async throws {
        let result = try await runProgram(
            systemProgram("sh"), ["-c", "exec \"$0\" help >/dev/full", Program.built("fieldpost")])
        #expect(result.ending == .exited(74))
        #expect(result.errors == ["standard output: No space left on device"])
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func completionScriptsAreUnderstood(shell: String) async throws {
        let script = try await fieldpost("--generate-completion-script", shell)
        #expect(script.ending == .exited(0))
        let directory = try TemporaryDirectory()
        let file = try directory.write(script.output.joined(separator: "\n"), to: "script")
        let result = try await runProgram(systemProgram(shell), ["-n", file])
        #expect(result.ending == .exited(0))
        #expect(result.errors == [])
    }

    @Test func theManualHasAllCommands() async throws {
        let page = try await fieldpost("help", "--manual")
        #expect(page.ending == .exited(0))
        for command in [
            "run", "check", "read", "queue status", "queue purge", "broker", "pub", "sub", "request", "demo",
        ] {
            #expect(page.output.contains(".SS \"fieldpost \(command)\""), "\(command)")
        }
        let directory = try TemporaryDirectory()
        let file = try directory.write(page.output.joined(separator: "\n") + "\n", to: "fieldpost.1")
        let result = try await runProgram(systemProgram("groff"), ["-man", "-ww", "-z", "-K", "utf8", file])
        #expect(result.ending == .exited(0))
        #expect(result.errors == [])
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func aSignalEndsACommandThatDoesNotCare(signal: CInt) async throws {
        let directory = try TemporaryDirectory()
        let pipe = directory.path("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        let reader = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        defer { close(reader) }
        // The manual is longer, and who writes it has to wait.
        let setPipeSize: CInt = 1031  // F_SETPIPE_SZ
        #expect(fcntl(reader, setPipeSize, 4096) == 4096)
        let help = try await Program.start(
            systemProgram("sh"), ["-c", "exec \"$0\" help --manual >\"$1\"", Program.built("fieldpost"), pipe])
        try await within(.seconds(10), "the first of it") {
            var readable = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            while poll(&readable, 1, 0) != 1 { try await Task.sleep(for: .milliseconds(10)) }
        }
        help.send(signal)
        #expect(try await help.wait() == .killed(signal: signal))
    }

    @Test func anUnknownCommandIsAMatterOfUsage() async throws {
        let unknown = try await fieldpost("rnu")
        #expect(unknown.ending == .exited(64))
        #expect(unknown.output == [])
        #expect(unknown.errors.first == "Error: Unknown command 'rnu'. Did you mean 'fieldpost run'?")
        #expect(try await fieldpost("queue", "purge", "--config", "x").ending == .exited(64))
    }
}

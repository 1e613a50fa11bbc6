import Glibc
import TestSupport
import Testing

/// `fieldpost run` and `fieldpost broker` as a service manager sees them.
@Suite(.timeLimit(.minutes(2))) struct ServiceManagerTests {
    private func start(
        _ arguments: [String], _ listener: NotifyListener, watchdog: Duration? = nil
    ) async throws -> Program {
        var environment = ["NOTIFY_SOCKET": listener.path]
        if let watchdog { environment["WATCHDOG_USEC"] = "\(Int64(watchdog / .microseconds(1)))" }
        return try await Program.start(Program.built("fieldpost"), arguments, environment: environment)
    }

    private func gateway(port: Int) -> String {
        """
        [device]
        id = "station"
        [server]
        store = {}
        [[listener]]
        bind = "127.0.0.1"
        port = \(port)
        \(Station.sensors(1))
        """
    }

    // MARK: Ready

    @Test func whoeverListensIsReadyOnlyThen() async throws {
        let listener = try NotifyListener()
        let port = try freePort()
        let broker = try await start(["broker", "--port", "\(port)"], listener)
        #expect(try await listener.next("READY=1").datagram == "READY=1\nSTATUS=running")
        #expect(try await mayPublish(port: port))

        let second = try NotifyListener()
        let late = try await start(["broker", "--port", "\(port)"], second)
        #expect(try await late.wait() == .exited(74))
        #expect(await second.datagrams.lines.isEmpty, "a port that is taken: never ready")
        broker.send(SIGTERM)
        try await listener.next("STOPPING=1")
        #expect(try await broker.wait() == .exited(0))
    }

    @Test func anAgentWithABrokerInsideIsReadyWhenThatListens() async throws {
        let listener = try NotifyListener()
        let port = try freePort()
        let station = try Station(text: gateway(port: port))
        let agent = try await start(["run", "--config", station.file], listener)
        try await listener.next("READY=1")
        #expect(try await mayPublish(port: port))
        try await listener.next("STATUS=connected to its own broker; 1 client")

        let second = try NotifyListener()
        let other = try Station(text: gateway(port: port))
        #expect(try await start(["run", "--config", other.file], second).wait() == .exited(74))
        #expect(await !second.datagrams.lines.contains { $0.contains("READY") })
        await agent.kill()
    }

    @Test func aBoardWithoutANetworkIsReady() async throws {
        let listener = try NotifyListener()
        let station = try Station(port: try freePort())
        let agent = try await start(["run", "--config", station.file], listener)
        try await listener.next("READY=1")
        try await listener.next("STATUS=offline since ")
        try await listener.next(" queued")
        await agent.kill()
    }

    @Test func aConfigurationWithMistakesIsNeverReady() async throws {
        let listener = try NotifyListener()
        let station = try Station(text: "nonsense")
        #expect(try await start(["run", "--config", station.file], listener).wait() == .exited(78))
        #expect(await listener.datagrams.lines.isEmpty)
    }

    // MARK: The status

    @Test func theStatusFollowsTheConnectionAndTheSensors() async throws {
        try await withMosquitto { broker in
            let listener = try NotifyListener()
            let station = try Station(
                port: broker.port,
                rest: Station.sensors(1) + "\n[[sensor]]\nname = \"lid\"\ndriver = \"file\"\npath = \"/no/such\"")
            let agent = try await start(["run", "--config", station.file], listener)
            var seen = try await listener.next("connected to 127.0.0.1:\(broker.port); failing: lid").count
            await broker.kill()
            seen = try await listener.next("STATUS=offline since ", after: seen).count
            try await broker.restart()
            seen = try await listener.next("STATUS=connected to 127.0.0.1:\(broker.port)", after: seen).count
            agent.send(SIGTERM)
            let stopping = try await listener.next("STOPPING=1", after: seen).datagram
            #expect(stopping.contains("\nEXTEND_TIMEOUT_USEC=4500000\nSTATUS=stopping; connected to "))
            #expect(try await agent.wait() == .exited(0))
        }
    }

    // MARK: Reloading

    @Test func aReloadEndsWithReadyWhateverCameOfIt() async throws {
        let listener = try NotifyListener()
        let port = try freePort()
        let station = try Station(port: port)
        let good = try station.directory.read("station.toml")
        let agent = try await start(["run", "--config", station.file], listener)
        var seen = try await listener.next("READY=1").count

        func reload(with text: String) async throws -> String {
            try station.directory.write(text, to: "station.toml")
            agent.send(SIGHUP)
            let reloading = try await listener.next("RELOADING=1\nMONOTONIC_USEC=", after: seen)
            let ready = try await listener.next("READY=1", after: reloading.count)
            seen = ready.count
            return ready.datagram
        }

        let refused = try await reload(with: "nonsense")
        #expect(refused.contains("new configuration refused, going on with the old one: \(station.file):1:"))
        #expect(try await !reload(with: good).contains("refused"))
        let impossible = try await reload(
            with: good.replacing("[queue]", with: "[queue]\npath = \"/no/such/folder/queue.db\""))
        #expect(impossible.contains("new configuration refused") && impossible.contains("/no/such/folder"))
        #expect(try await !reload(with: good).contains("refused"))
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
    }

    @Test func aBrokerReloadsItsFiles() async throws {
        let listener = try NotifyListener()
        let folder = try TemporaryDirectory()
        try folder.write("user a\ntopic read #\n", to: "acl")
        let file = try folder.write(
            "[server]\nallow_anonymous = true\nacl_file = \"acl\"\n[[listener]]\nport = 0\n", to: "b.toml")
        let broker = try await start(["broker", "--config", file], listener)
        var seen = try await listener.next("READY=1").count
        try folder.write("nonsense\n", to: "acl")
        broker.send(SIGHUP)
        seen = try await listener.next("RELOADING=1", after: seen).count
        let refused = try await listener.next("READY=1", after: seen)
        #expect(refused.datagram.contains("new configuration refused, going on with the old one: \(folder.path)/acl:1"))
        try folder.write("user a\n", to: "acl")
        broker.send(SIGHUP)
        seen = try await listener.next("RELOADING=1", after: refused.count).count
        #expect(try await !listener.next("READY=1", after: seen).datagram.contains("refused"))
        await broker.kill()
    }

    // MARK: The watchdog

    @Test func signsOfLifeComeInTimeAlsoAcrossAReload() async throws {
        let listener = try NotifyListener()
        let station = try Station(port: try freePort())
        // Signs come three times as often; a busy machine may be late with one.
        let interval = Duration.seconds(9)
        let agent = try await start(["run", "--config", station.file], listener, watchdog: interval)
        var (seen, last) = (try await listener.next("READY=1").count, ContinuousClock.now)
        for sign in 1...4 {
            if sign == 2 { agent.send(SIGHUP) }
            seen = try await listener.next("WATCHDOG=1", after: seen, timeout: interval).count
            #expect(.now - last < interval)
            last = .now
        }
        #expect(await agent.errors.lines.contains { $0.contains("reason=reloading") })
        await agent.kill()
    }

    private static var mayHoldThreads: Bool {
        if getuid() == 0 { return true }
        guard let file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re") else { return true }
        defer { fclose(file) }
        return getc(file) == CInt(UInt8(ascii: "0"))
    }

    /// One thread after the other is held, from outside.
    @Test(
        .enabled(if: Self.mayHoldThreads, "other processes' threads may not be held here"),
        arguments: [
            ("run", "fieldpost-queue", "queue"), ("run", "NIO-ELT", "event loop"),
            ("broker", "fieldpost-store", "broker's store"), ("broker", "NIO-ELT", "broker's event loop"),
        ])
    func aPartThatHangsIsNamedAndEndsTheSignsOfLife(command: String, thread: String, part: String) async throws {
        let listener = try NotifyListener()
        let text =
            command == "run"
            ? Station.text(port: try freePort(), rest: Station.sensors(1))
            : "[server]\nstore = {}\n[[listener]]\nbind = \"127.0.0.1\"\nport = 0\n"
        let station = try Station(text: text)
        let interval = Duration.milliseconds(2400)
        let program = try await start([command, "--config", station.file], listener, watchdog: interval)
        var seen = try await listener.next("WATCHDOG=1").count
        seen = try await listener.next("WATCHDOG=1", after: seen).count

        let script = #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Python/hold_thread.py"
        let holder = try await Program.start(
            "/usr/bin/python3", ["-B", "/\(script)", "\(program.processIdentifier)", thread])
        try await holder.output.line(containing: "held")
        try await program.errors.line(containing: "a part of the service hangs; the service manager will end it")
        #expect(
            await program.errors.lines.contains {
                $0.contains(" error ") && $0.contains("part=\"\(part)\"") || $0.contains("part=\(part) ")
            })
        seen = try await listener.next("hanging: \(part)", after: seen).count
        // For as long as the service manager would wait.
        try await Task.sleep(for: interval)
        #expect(await !listener.datagrams.lines.dropFirst(seen).contains { $0.contains("WATCHDOG") })

        await holder.kill()
        try await program.errors.line(containing: "a part of the service is back")
        try await listener.next("WATCHDOG=1", after: seen)
        program.send(SIGTERM)
        #expect(try await program.wait() == .exited(0))
    }

    // MARK: Others

    @Test func processesThatItStartsDoNotSpeakForIt() async throws {
        let listener = try NotifyListener()
        let demo = try await start(["demo", "--keep-running"], listener)
        try await demo.output.line(containing: "values", timeout: .seconds(30))
        #expect(await listener.datagrams.lines.isEmpty)
        demo.send(SIGINT)
        #expect(try await demo.wait(timeout: .seconds(10)) == .exited(0))
    }

    /// As systemd starts it: `JOURNAL_STREAM` names the device and inode of its standard error.
    @Test func theJournalGetsPrioritiesAndNoTimes() async throws {
        let station = try Station(port: try freePort())
        let agent = try await Program.start(
            systemProgram("sh"),
            [
                "-c", #"JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$0" run --config "$1""#,
                Program.built("fieldpost"), station.file,
            ])
        let started = try await agent.errors.line(containing: "started: ")
        #expect(started.hasPrefix("<6>started: "))
        try await agent.errors.line(containing: "<4>not connected: ")
        try station.directory.write("broker = 1\nsensor = 2\n", to: "station.toml")
        agent.send(SIGHUP)
        try await agent.errors.line(containing: "<3>not reloaded: ")
        let problems = await agent.errors.lines.filter { $0.contains(station.file) && !$0.contains("not reloaded") }
        #expect(problems.count > 1 && problems.allSatisfy { $0.hasPrefix("<3>\(station.file):") }, "\(problems)")
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
        #expect(await agent.errors.lines.allSatisfy { $0.hasPrefix("<") })
    }

    @Test func withoutAJournalLogsAreAsTheyWere() async throws {
        let station = try Station(port: try freePort())
        let agent = try await Program.start(
            Program.built("fieldpost"), ["run", "--config", station.file], environment: ["JOURNAL_STREAM": "9:1"])
        #expect(try await agent.errors.line(containing: "started: ").contains("Z info started: "))
        await agent.kill()
    }

    /// LoadCredential= shows secrets to the service alone.
    @Test func credentialsAreTheServicesAndWhoeverLooksFromOutsideIsHelped() async throws {
        let station = try Station(
            port: try freePort(), broker: "username = \"u\"\npassword_file = \"${CREDENTIALS_DIRECTORY}/password\"")
        let check = try await station.fieldpost("check", station.file)
        #expect(check.ending == .exited(0))
        #expect(check.output.first?.contains("warning: broker.password_file: not looked at: ") == true)
        #expect(check.output.first?.hasSuffix("its unit must say LoadCredential=password:FILE") == true)
        let queue = try await station.fieldpost("queue", "status", "--config", station.file)
        #expect(queue.errors.first?.contains("there is no queue") == true)
        #expect(try await station.fieldpost("read", "--config", station.file).ending == .exited(0))

        let outside = try await station.fieldpost("run", "--config", station.file)
        #expect(outside.ending == .exited(78))
        #expect(
            outside.errors == [
                "\(station.file):7:17: broker.password_file: the environment variable CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit that says LoadCredential=NAME:FILE"
            ])
        let credentials = try station.directory.makeDirectory("credentials")
        let forgotten = try await runProgram(
            Program.built("fieldpost"), ["run", "--config", station.file],
            environment: ["CREDENTIALS_DIRECTORY": credentials])
        #expect(
            forgotten.errors.first?.hasSuffix("does not exist: its unit must say LoadCredential=password:FILE") == true)
        try station.directory.write("sesame\n", to: "credentials/password")
        let inside = try await Program.start(
            Program.built("fieldpost"), ["run", "--config", station.file],
            environment: ["CREDENTIALS_DIRECTORY": credentials])
        try await inside.errors.line(containing: "started: ")
        await inside.kill()
    }
}

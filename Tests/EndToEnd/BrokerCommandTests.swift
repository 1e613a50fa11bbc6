import Glibc
import TestSupport
import Testing

/// `fieldpost broker` as its owner meets it, and Mosquitto's clients as its guests.
@Suite(.timeLimit(.minutes(3))) struct BrokerCommandTests {
    private func fieldpost(_ arguments: String...) async throws -> Outcome {
        try await runProgram(Program.built("fieldpost"), arguments)
    }

    @Test func S4_withoutOptionsItIsForThisMachineAndSaysSoInOneLine() async throws {
        let broker = try await RunningCommand.start(["--port", "0"])
        #expect(
            await broker.program.output.lines == [
                "listening at mqtt://127.0.0.1:\(broker.port): for everybody on this machine; others cannot reach it; nothing is kept on disk (--bind and --config change that)"
            ])
        try await mosquittoPub(port: broker.port, "a/b", "kept", retain: true)
        #expect(try await retained(port: broker.port, "a/b", seconds: 10) == "kept")
        #expect(try await broker.stop() == .exited(0))
    }

    @Test(arguments: [SIGTERM, SIGINT]) func aSignalStopsItCleanlyWithClientsConnected(signal: CInt) async throws {
        let broker = try await RunningCommand.start(["--port", "0"])
        let watcher = try await MosquittoSub.start(port: broker.port, ["#"])
        #expect(try await broker.stop(signal) == .exited(0))
        #expect(await broker.program.errors.lines.contains { $0.contains("stopping") })
        await watcher.kill()
    }

    /// Otherwise what is opened next has their numbers.
    @Test(arguments: 0...2) func aStandardDescriptorThatIsClosedIsNobodyElses(descriptor: Int) async throws {
        let port = try freePort()
        let program = try await Program.start(
            systemProgram("sh"),
            [
                "-c", "exec \"$0\" broker --port \(port) \(descriptor)\(descriptor == 0 ? "<" : ">")&-",
                try Program.built("fieldpost"),
            ])
        try await eventually("a broker that listens") { try await mayPublish(port: port) }
        #expect(try target(of: "/proc/\(program.processIdentifier)/fd/\(descriptor)") == "/dev/null")
        program.send(SIGTERM)
        #expect(try await program.wait() == .exited(0))
    }

    private func target(of link: String) throws -> String {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = bytes.withUnsafeMutableBytes { bytes in
            bytes.bindMemory(to: CChar.self).baseAddress.map { readlink(link, $0, bytes.count) } ?? -1
        }
        guard count >= 0 else { throw Unexpected("\(link): \(errno)") }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    @Test func aResultThatNobodyCanReadIsAFailure() async throws {
        let result = try await runProgram(
            systemProgram("sh"), ["-c", "\"$0\" broker --print-config >&-", try Program.built("fieldpost")])
        #expect(result.ending == .exited(74) && result.errors == ["standard output is closed"])
    }

    @Test func whatIsLoggedSaysWhyAndOnlyOnce() async throws {
        let folder = try TemporaryDirectory()
        try await passwords(folder, ["ada": "one"])
        let file = try folder.write(
            "[server]\npassword_file = \"passwords\"\n[[listener]]\nport = 0\nbind = \"127.0.0.1\"", to: "b.toml")
        let broker = try await RunningCommand.start(["--config", file])
        let log = broker.program.errors
        #expect(try await !mayPublish(port: broker.port))
        let refusal = try await log.line(containing: "refused: ")
        #expect(refusal.contains("reason=\"Not authorized\"") && !refusal.contains("code="), "\(refusal)")
        let version = try await runProgram(
            systemProgram("mosquitto_sub"),
            ["-p", "\(broker.port)", "-u", "ada", "-P", "one", "-t", "$SYS/broker/version", "-C", "1", "-W", "5"])
        let told = try await fieldpost("--version")
        #expect(version.output == ["fieldpost version \(told.output.first ?? "")"])
        broker.program.send(SIGHUP)
        try await log.line(containing: "reloaded: changed=nothing")
        #expect(await !log.lines.contains { $0.contains("anew") })
        #expect(try await broker.stop() == .exited(0))
        #expect(await log.lines.contains { $0.hasSuffix("stopping: reason=SIGTERM") })
    }

    @Test func aPortThatIsTakenIsNamed() async throws {
        let broker = try await RunningCommand.start(["--port", "0"])
        let second = try await fieldpost("broker", "--port", "\(broker.port)")
        #expect(second.ending == .exited(74))
        #expect(
            second.errors.contains { $0.contains("127.0.0.1:\(broker.port)") && $0.contains("in use") }, "\(second)")
        _ = try await broker.stop()
    }

    @Test func S4_othersAreLetInOnlyIfToldSo() async throws {
        let refused = try await fieldpost("broker", "--bind", "0.0.0.0", "--port", "0")
        #expect(refused.ending == .exited(78))
        #expect(refused.errors.first?.hasPrefix("nobody could come in: ") == true)
        let broker = try await RunningCommand.start(["--bind", "0.0.0.0", "--port", "0", "--allow-anonymous"])
        #expect(await broker.program.output.lines.first?.contains("for everybody who can reach it") == true)
        #expect(try await mayPublish(port: broker.port))
        _ = try await broker.stop()
    }

    @Test(arguments: [
        ["--port", "70000"], ["--config", "a", "--mosquitto-conf", "b"], ["--config", "a", "--port", "1"],
        ["--mosquitto-conf", "a", "--bind", "::"],
    ])
    func whatMakesNoSenseIsAMatterOfUsage(arguments: [String]) async throws {
        let result = try await runProgram(Program.built("fieldpost"), ["broker"] + arguments)
        #expect(result.ending == .exited(64))
    }

    @Test func aConfigurationWithMistakesIsRefusedWithAllOfThem() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("[server]\nacl = 1\n[[listener]]\nport = \"x\"", to: "b.toml")
        let result = try await fieldpost("broker", "--config", file)
        #expect(result.ending == .exited(78))
        #expect(result.errors.count == 2)
        let check = try await fieldpost("check", file)
        #expect(check.ending == .exited(1))
        #expect(check.output == result.errors)
    }

    // MARK: Rules

    private func passwords(_ folder: TemporaryDirectory, _ users: [String: String]) async throws {
        var first = true
        for (name, password) in users {
            let result = try await runProgram(
                systemProgram("mosquitto_passwd"),
                ["-b"] + (first ? ["-c"] : []) + [folder.path("passwords"), name, password])
            guard result.ending == .exited(0) else { throw Unexpected("\(result)") }
            first = false
        }
    }

    @Test func passwordsAndRulesAreMosquittosAndReadAgainWhenTold() async throws {
        let folder = try TemporaryDirectory()
        try await passwords(folder, ["ada": "one"])
        try folder.write("user ada\ntopic readwrite a\n", to: "acl")
        let file = try folder.write(
            "[server]\npassword_file = \"passwords\"\nacl_file = \"acl\"\n[[listener]]\nport = 0\nbind = \"127.0.0.1\"",
            to: "b.toml")
        let check = try await fieldpost("check", file)
        #expect(check.ending == .exited(0))
        #expect(check.output.last == "\(file): good: a broker")
        #expect(
            check.output.contains {
                $0.contains("for everybody on this machine with a password; others cannot reach it")
            })

        let broker = try await RunningCommand.start(["--config", file])
        let log = broker.program.errors
        #expect(try await mayPublish(port: broker.port, "-u", "ada", "-P", "one"))
        #expect(try await !mayPublish(port: broker.port, "-u", "ada", "-P", "two"))
        #expect(try await !mayPublish(port: broker.port))

        try await passwords(folder, ["ada": "two", "bob": "three"])
        broker.program.send(SIGHUP)
        let line = try await log.line(containing: "reloaded: ")
        #expect(line.contains("changed=\(folder.path("passwords"))"))
        #expect(try await mayPublish(port: broker.port, "-u", "ada", "-P", "two"))
        #expect(try await !mayPublish(port: broker.port, "-u", "ada", "-P", "one"))

        try folder.write("nonsense\n", to: "acl")
        try folder.write("[server]", to: "b.toml")
        broker.program.send(SIGHUP)
        let refusal = try await log.line(containing: "not reloaded: ")
        #expect(refusal.contains(folder.path("acl")))
        try await log.line(containing: "the configuration itself has changed: that takes a restart")
        #expect(try await mayPublish(port: broker.port, "-u", "ada", "-P", "two"))
        #expect(try await broker.stop() == .exited(0))

        try folder.write(
            "[server]\npassword_file = \"passwords\"\nacl_file = \"acl\"\n", to: "b.toml")
        let broken = try await fieldpost("broker", "--config", file)
        #expect(broken.ending == .exited(78))
        #expect(broken.errors.contains { $0.contains("\(folder.path("acl")):1") })
    }

    @Test func aStoreWhoseFolderIsGoneDoesNotKeepAUserIn() async throws {
        let folder = try TemporaryDirectory()
        try await passwords(folder, ["ada": "one", "bob": "two"])
        try folder.makeDirectory("state")
        let file = try folder.write(
            """
            [server]
            password_file = "passwords"
            store = { path = "\(folder.path("state"))/broker.db" }
            [[listener]]
            port = 0
            bind = "127.0.0.1"
            """, to: "b.toml")
        let broker = try await RunningCommand.start(["--config", file])
        #expect(try await mayPublish(port: broker.port, "-u", "bob", "-P", "two"))
        #expect(rename(folder.path("state"), folder.path("elsewhere")) == 0)
        try await passwords(folder, ["ada": "one"])
        broker.program.send(SIGHUP)
        try await broker.program.errors.line(containing: "reloaded: changed=")
        #expect(try await !mayPublish(port: broker.port, "-u", "bob", "-P", "two"))
        #expect(try await mayPublish(port: broker.port, "-u", "ada", "-P", "one"))
        #expect(try await broker.stop() == .exited(0))
    }

    @Test(.enabled("no mounts here") { await ReadOnlyDisk.isPossible() })
    func D6_aDiskThatIsReadOnlyDoesNotStopIt() async throws {
        let folder = try TemporaryDirectory()
        let disk = ReadOnlyDisk(try folder.makeDirectory("disk"))
        let file = try folder.write(
            "[server]\nstore = { path = \"\(disk.folder)/broker.db\" }\n[[listener]]\nport = 0\nbind = \"127.0.0.1\"",
            to: "b.toml")
        let program = try await disk.start(["broker", "--config", file])
        let port = try await RunningCommand.port(program)
        #expect(await program.errors.lines.contains { $0.contains("mount its file system for writing") })
        try await mosquittoPub(port: port, "a", "kept", retain: true)
        #expect(try await retained(port: port, "a") == "kept")
        program.send(SIGHUP)
        try await program.errors.line(containing: "reloaded: ")
        try await disk.mend(for: program)
        try await program.errors.line(containing: "the broker's state is on disk again", timeout: .seconds(20))
        program.send(SIGTERM)
        #expect(try await program.wait() == .exited(0))
        #expect(await !program.errors.lines.contains { $0.contains("latest state is not on disk") })
    }

    @Test func certificatesAreReadAgainWhenTold() async throws {
        let folder = try TemporaryDirectory()
        let authority = try await Authority.get()
        let (old, new) = (try await authority.leaf("broker-old"), try await authority.leaf("broker-new"))
        func install(_ leaf: Authority.Leaf) throws {
            try folder.write(try Authority.read(leaf.chain), to: "c.pem")
            try folder.write(try Authority.read(leaf.key), to: "k.pem")
        }
        try install(old)
        let file = try folder.write(
            "[[listener]]\nport = 0\nbind = \"127.0.0.1\"\ntls = { certificate_file = \"c.pem\", key_file = \"k.pem\" }",
            to: "b.toml")
        let broker = try await RunningCommand.start(["--config", file])
        func subject() async throws -> String {
            let result = try await runProgram(
                systemProgram("sh"),
                [
                    "-c",
                    "echo | openssl s_client -connect 127.0.0.1:\(broker.port) 2>/dev/null | openssl x509 -noout -subject",
                ])
            return result.output.joined()
        }
        #expect(try await subject().contains("broker-old"))
        try install(new)
        broker.program.send(SIGHUP)
        try await broker.program.errors.line(containing: "reloaded: ")
        #expect(try await subject().contains("broker-new"))
        try folder.write("no key", to: "k.pem")
        broker.program.send(SIGHUP)
        try await broker.program.errors.line(containing: "not reloaded: ")
        #expect(try await subject().contains("broker-new"))
        #expect(
            try await mayPublish(port: broker.port, "--cafile", authority.root))
        _ = try await broker.stop()
    }

    @Test func whatWasAcknowledgedIsThereAfterARestart() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write(
            "[server]\nstore = {}\n[[listener]]\nport = 0\nbind = \"127.0.0.1\"", to: "b.toml")
        let first = try await RunningCommand.start(["--config", file])
        #expect(await first.program.output.lines.last?.hasSuffix("kept in \(folder.path("broker.db"))") == true)
        try await mosquittoPub(port: first.port, "a", "kept", retain: true)
        await first.program.kill()
        let second = try await RunningCommand.start(["--config", file])
        #expect(try await retained(port: second.port, "a", seconds: 10) == "kept")
        #expect(try await second.stop() == .exited(0))
    }

    // MARK: mosquitto.conf

    @Test func aMosquittoConfIsHonouredAndWhatIsNotIsNamed() async throws {
        let folder = try TemporaryDirectory()
        try await passwords(folder, ["ada": "one"])
        let port = try freePort()
        let log = folder.path("m.log")
        let text = """
            listener \(port) 127.0.0.1
            password_file \(folder.path("passwords"))
            pid_file \(folder.path("pid"))
            log_dest file \(log)
            max_packet_size 1000
            max_inflight_bytes 5
            autosave_interval 5
            """
        let file = try folder.write(text, to: "m.conf")
        let check = try await fieldpost("check", "--mosquitto-conf", file)
        #expect(check.ending == .exited(0))
        #expect(
            check.output.contains(
                "\(file):6: max_inflight_bytes: not honoured: only messages are counted: see max_inflight_messages"))
        #expect(
            check.output.contains(
                "\(file):7: autosave_interval: not needed: every change is on disk before anybody relies on it"))
        #expect(check.output.last?.contains("good: 5 directives honoured, 1 not, 1 not needed") == true)
        let printed = try await fieldpost("broker", "--mosquitto-conf", file, "--print-config")
        #expect(printed.output.contains("max_packet_size = \"1kB\""))
        for lost in ["pid_file \(folder.path("pid"))", "log_dest file \(log)"] {
            #expect(printed.errors.contains { $0.hasPrefix("\(lost) has no key in TOML") }, "\(printed.errors)")
        }

        let program = try await Program.start(Program.built("fieldpost"), ["broker", "--mosquitto-conf", file])
        _ = try await RunningCommand.port(program)
        try await program.errors.line(containing: "max_inflight_bytes: not honoured")
        #expect(try folder.read("pid") == "\(program.processIdentifier)\n")
        #expect(try await mayPublish(port: port, "-u", "ada", "-P", "one"))
        #expect(try await !mayPublish(port: port))
        try await eventually("the log in its file") { try folder.read("m.log").contains("connected") }
        #expect(await !program.errors.lines.contains { $0.contains(" connected") })
        // As logrotate does it.
        #expect(rename(log, log + ".1") == 0)
        program.send(SIGHUP)
        try await eventually("a new log") { access(log, F_OK) == 0 }
        program.send(SIGTERM)
        #expect(try await program.wait() == .exited(0))
        #expect(access(folder.path("pid"), F_OK) != 0)
    }

    @Test func aMosquittoConfThatCannotBeUsedIsRefused() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("lisener 1\nmount_point a/\n", to: "m.conf")
        let check = try await fieldpost("check", "--mosquitto-conf", file)
        #expect(check.ending == .exited(1))
        #expect(check.output.first == "\(file):1: lisener: is no directive of Mosquitto's: did you mean listener?")
        let broker = try await fieldpost("broker", "--mosquitto-conf", file)
        #expect(broker.ending == .exited(78))
        #expect(broker.errors.count >= 2)
    }

    // MARK: The example

    @Test func theExampleIsGoodAndShowsEveryKey() async throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        let text = String(decoding: try Authority.read("\(root)/Config/broker.toml"), as: UTF8.self)
        let folder = try TemporaryDirectory()
        let plain = try folder.write(text, to: "broker.toml")
        let result = try await fieldpost("check", plain)
        #expect(result.ending == .exited(0), "\(result.output)")

        // With every commented key in force there is nothing that is not known, and only files are missing.
        let all = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let bare = line.hasPrefix("# ") ? line.dropFirst(2) : line
            let isSetting = bare.prefix { $0 != "#" }.contains(" = ") || bare.hasPrefix("[")
            let isTwice = bare.hasPrefix("store = { path = \"broker.db\", dur")
            return isSetting && !isTwice ? bare : "#\(line)"
        }
        let full = try folder.write(all.joined(separator: "\n"), to: "full.toml")
        let check = try await fieldpost("check", full)
        #expect(check.ending == .exited(1))
        #expect(
            check.output.allSatisfy { $0.contains("psk_file: /etc/fieldpost/keys does not exist") }, "\(check.output)")
    }
}

import Glibc
import TestSupport
import Testing

/// `fieldpost setup` as somebody with a new board meets it.
@Suite(.timeLimit(.minutes(3))) struct SetupTests {
    private let folder: TemporaryDirectory
    private var file: String { folder.path("fieldpost.toml") }

    init() throws { folder = try TemporaryDirectory() }

    private func setup(_ arguments: [String]) async throws -> Outcome {
        try await runProgram(
            Program.built("fieldpost"), ["setup", "--config", file] + arguments, timeout: .seconds(30))
    }

    private func hasNothing() -> Bool {
        guard let stream = opendir(folder.path) else { return false }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        return count == 2
    }

    /// A broker that knows `board` with the password `right-1`, and lets others in without a name.
    private func withPasswords(_ body: (Mosquitto) async throws -> Void) async throws {
        let passwords = try TemporaryDirectory()
        let path = try passwords.write("", to: "passwords")
        chmod(path, 0o600)
        let made = try await runProgram(systemProgram("mosquitto_passwd"), ["-b", path, "board", "right-1"])
        #expect(made.ending == .exited(0))
        try await withMosquitto(lines: ["password_file \(path)"], body)
        withExtendedLifetime(passwords) {}
    }

    /// What was written is good, and an agent that runs with it publishes.
    private func expectReadings(port: Int, device: String) async throws {
        let fieldpost = try Program.built("fieldpost")
        let check = try await runProgram(fieldpost, ["check", file])
        #expect(check.ending == .exited(0), "\(check.output)")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/\(device)/+"])
        let agent = try await Program.start(fieldpost, ["run", "--config", file])
        try await watcher.wait(for: "readings") { lines in
            ["load", "memory", "status"].allSatisfy { name in
                lines.contains { $0.contains("fieldpost/\(device)/\(name) ") }
            }
        }
        // The one that is to come is asked while the other runs.
        let update = try await runProgram(fieldpost, ["check", "--for-update", file])
        #expect(update.ending == .exited(0), "\(update.output)")
        #expect(update.output.contains { $0.contains("queue.db is of format 2, as this program writes it") })
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
    }

    @Test func optionsAloneWriteAConfigurationThatPublishes() async throws {
        try await withPasswords { broker in
            let secret = try TemporaryDirectory()
            let password = try secret.write("right-1\n", to: "password")
            chmod(password, 0o600)
            let result = try await runProgram(
                systemProgram("sh"),
                [
                    "-c", "exec \"$0\" \"$@\" < '\(password)'", try Program.built("fieldpost"), "setup", "--config",
                    file,
                    "--yes", "--broker", "mqtt://127.0.0.1:\(broker.port)", "--device", "bin-7", "--username", "board",
                    "--password-file", "-", "--sensors", "load,memory",
                ], timeout: .seconds(30))
            #expect(result.ending == .exited(0), "\(result.errors)")
            #expect(result.output.contains("Good: MQTT 5.0; published and received."))
            #expect(try folder.read("fieldpost.password") == "right-1\n")
            #expect(!(result.output + result.errors).contains { $0.contains("right-1") }, "S2")
            try await expectReadings(port: broker.port, device: "bin-7")
            try await broker.log.line(containing: "u'board'")

            // Again: not without a word.
            let arguments = ["--yes", "--broker", "mqtt://127.0.0.1:\(broker.port)", "--device", "bin-8"]
            let again = try await setup(arguments)
            #expect(again.ending == .exited(64))
            #expect(again.errors.joined().contains("--force"))
            #expect(try await setup(arguments + ["--force"]).ending == .exited(0))
            #expect(try folder.read("fieldpost.toml.bak").contains("bin-7"))
            withExtendedLifetime(secret) {}
        }
    }

    @Test func aWrongPasswordWritesNothing() async throws {
        try await withPasswords { broker in
            let secret = try TemporaryDirectory()
            let password = try secret.write("wrong\n", to: "password")
            let result = try await setup([
                "--yes", "--broker", "mqtt://127.0.0.1:\(broker.port)", "--username", "board", "--password-file",
                password,
            ])
            #expect(result.ending == .exited(69))
            #expect(result.errors.joined().contains("check user name, password"), "\(result.errors)")
            #expect(hasNothing())
            withExtendedLifetime(secret) {}
        }
    }

    @Test func anUnknownAuthorityIsNamedAndWithItsFileItIsGood() async throws {
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        let port = try freePort()
        let lines = ["listener \(port) 127.0.0.1", "certfile \(leaf.chain)", "keyfile \(leaf.key)"]
        try await withMosquitto(lines: lines) { broker in
            try await eventually("the second listener") { accepts(port: port) }
            let arguments = [
                "--yes", "--broker", "mqtts://127.0.0.1:\(port)", "--device", "d", "--sensors", "load,memory",
            ]
            let refused = try await setup(arguments)
            #expect(refused.ending == .exited(69))
            #expect(refused.errors.joined().contains("Test CA"), "\(refused.errors)")
            #expect(refused.errors.joined().contains("name the file of the CA"))
            #expect(hasNothing())
            let result = try await setup(arguments + ["--ca-file", authority.root])
            #expect(result.ending == .exited(0), "\(result.errors)")
            #expect(try folder.read("fieldpost.toml").contains("ca_file = \"\(authority.root)\""))
            try await expectReadings(port: broker.port, device: "d")
        }
    }

    @Test(arguments: [
        ("mqtt://no-such-host.invalid", "is not resolved; check the name"),
        ("mqtt://127.0.0.1:1", "Connection refused; check host and port"),
    ])
    func aBrokerThatIsNotThereIsExplained(url: String, expected: String) async throws {
        let result = try await setup(["--yes", "--broker", url])
        #expect(result.ending == .exited(69))
        #expect(result.errors.joined().contains(expected), "\(result.errors)")
        #expect(hasNothing())
    }

    @Test func accessRulesThatForbidPublishingAreExplained() async throws {
        let rules = try TemporaryDirectory()
        let path = try rules.write("topic readwrite other/#\n", to: "acl")
        chmod(path, 0o600)
        try await withMosquitto(lines: ["acl_file \(path)"]) { broker in
            let result = try await setup(["--yes", "--broker", "mqtt://127.0.0.1:\(broker.port)", "--device", "d"])
            #expect(result.ending == .exited(69))
            #expect(
                result.errors.joined().contains("publishing to fieldpost/d/setup was refused"), "\(result.errors)")
        }
        withExtendedLifetime(rules) {}
    }

    // MARK: At a terminal, and at none

    /// - Parameter answers: what is waited for, and what is typed then.
    private func converse(_ answers: [(String, String)]) async throws -> Outcome {
        let player = String(#filePath.dropLast("SetupTests.swift".count)) + "Python/converse.py"
        return try await runProgram(
            systemProgram("python3"),
            [player] + answers.flatMap { [$0.0, $0.1] }
                + ["--", try Program.built("fieldpost"), "setup", "--config", file],
            timeout: .seconds(60))
    }

    @Test func aConversationWritesAConfigurationThatPublishes() async throws {
        try await withPasswords { broker in
            let result = try await converse([
                ("Broker (", "127.0.0.1\r"), ("is no broker's URL", ""),
                ("Broker (", "mqtt://127.0.0.1:\(broker.port)\r"), ("Device name", "bin-7\r"),
                ("User name [none]:", "board\r"), ("Password (not shown; empty: none):", "wrong-1\r"),
                ("Which of them", "load memory\r"), ("check user name, password", ""), ("Change the answers", "c\r"),
                ("Broker (", "\r"), ("Device name, as it stands in topics [bin-7]:", "\r"),
                ("User name [board]:", "\r"), ("Password (not shown; empty: as before):", "right-1\r"),
                ("Good: MQTT 5.0; published and received.", ""), ("Write this to", "y\r"),
            ])
            #expect(result.ending == .exited(0), "\(result.output) \(result.errors)")
            let lines = result.output
            let written = "\(file) is written, and \(folder.path("fieldpost.password")) with the password"
            #expect(lines.contains(written))
            #expect(!lines.contains { $0.contains("right-1") || $0.contains("wrong-1") }, "\(lines)")
            #expect(!lines.contains { $0.contains("\u{1B}") }, "a dumb terminal is enough")
            #expect(try folder.read("fieldpost.password") == "right-1\n")
            try await expectReadings(port: broker.port, device: "bin-7")
        }
    }

    @Test func controlCLeavesNothingBehind() async throws {
        for prompt in ["Broker (", "Password ("] {
            let result = try await converse(
                [("Broker (", "mqtt://127.0.0.1:1\r"), ("Device", "d\r"), ("User", "u\r"), ("Password (", "p\r")]
                    .prefix { $0.0 != prompt } + [(prompt, "half\u{3}")])
            #expect(result.ending == .exited(130), "\(result.output)")
            #expect(hasNothing())
        }
    }

    @Test func controlZAndControlBackslashDoNotStopItWhileTheEchoIsOff() async throws {
        let result = try await converse([
            ("Broker (", "mqtt://127.0.0.1:1\r"), ("Device", "d\r"), ("User", "u\r"),
            ("Password (", "half\u{1A}\u{1C}\r"), ("holds a control character", ""), ("Password (", "\u{3}"),
        ])
        #expect(result.ending == .exited(130), "\(result.output)")
        #expect(hasNothing())
    }

    @Test func aPipeAnswersTooAndItsEndIsAnError() async throws {
        for (answers, code) in [("none\\nbin-7\\nload\\nt\\nt\\ns\\ny\\ny\\n", CInt(0)), ("none\\nbin-7\\n", 64)] {
            let result = try await runProgram(
                systemProgram("sh"),
                [
                    "-c", "printf '\(answers)' | \"$0\" setup --no-test --config '\(file)'",
                    try Program.built("fieldpost"),
                ],
                timeout: .seconds(30))
            if code == 0 {
                // The first of the surplus answers says neither yes nor no.
                #expect(result.ending == .exited(0), "\(result.output) \(result.errors)")
                #expect(try folder.read("fieldpost.toml").contains("[server]"))
                try folder.remove("fieldpost.toml")
            } else {
                #expect(result.ending == .exited(code))
                #expect(result.errors.joined().contains("the input ended before the questions did"))
                #expect(hasNothing())
            }
        }
    }

    @Test func whatCannotBeWrittenIsSaidFirst() async throws {
        let result = try await runProgram(
            Program.built("fieldpost"), ["setup", "--config", folder.path("no/such/a.toml"), "--yes"])
        #expect(result.ending == .exited(74))
        #expect(result.errors.joined().contains("No such file or directory"))
    }
}

/// A board that goes back to its earlier program.
@Suite(.timeLimit(.minutes(3))) struct RollbackTests {
    @Test func D6_anAgentGoesOnBesideTheQueueOfANewerOneAndSaysSo() async throws {
        try await withMosquitto { broker in
            let station = try Station(port: broker.port)
            // The header of a queue in a format that is to come: an SQLite database that says so.
            let header = try await runProgram(
                systemProgram("python3"),
                [
                    "-c",
                    """
                    import sqlite3, sys
                    c = sqlite3.connect(sys.argv[1])
                    c.executescript("CREATE TABLE later (i); PRAGMA application_id = 1179668290; PRAGMA user_version = 42")
                    """, station.directory.path("queue.db"),
                ])
            #expect(header.ending == .exited(0), "\(header.errors)")
            let bytes = try station.directory.readBytes("queue.db")
            let watcher = try await MosquittoSub.start(port: broker.port, ["fieldpost/#"])
            let agent = try await station.run()
            try await agent.errors.line(containing: "the queue was written by a newer Fieldpost: it is left as it is")
            try await watcher.wait(for: "readings") { $0.count { $0.contains("/s1 ") } > 5 }
            try await watcher.wait(for: "the status") { lines in
                lines.contains {
                    $0.contains("\"state\":\"online\"") && $0.contains("\"newer\":{\"file\":")
                        && $0.contains("\"format\":42")
                }
            }
            let status = try await station.fieldpost("queue", "status", "--config", station.file)
            #expect(status.ending == .exited(0))
            #expect(status.output.contains { $0.hasPrefix("newer  ") && $0.contains("of format 42") })
            let check = try await station.fieldpost("check", "--for-update", station.file)
            #expect(check.ending == .exited(0))
            #expect(check.output.contains { $0.contains("warning: ") && $0.contains("queue.db is of format 42") })
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            #expect(try station.directory.readBytes("queue.db") == bytes)
        }
    }

    @Test func versionIsForPeopleAndForUpdaters() async throws {
        let station = try Station(port: 1)
        let text = try await station.fieldpost("version")
        #expect(text.ending == .exited(0) && text.output.first?.hasPrefix("fieldpost  ") == true)
        let json = try await station.fieldpost("version", "--json")
        #expect(json.output.count == 1)
        #expect("version".value(in: json.output[0]) == (try await station.fieldpost("--version")).output.first)
        #expect("writes".value(in: json.output[0]) == "2")
    }
}

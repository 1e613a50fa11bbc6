import Glibc
import MQTT
import MQTTServer
import Sensing
import Settings
import Synchronization
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

/// Gives answers from a list, and keeps what it was shown.
final class ScriptedTerminal: SetupTerminal {
    private struct State {
        var answers: [String]
        var lines: [String] = []
        var secrets: [String] = []
    }

    private let state: Mutex<State>

    init(_ answers: [String] = []) { state = Mutex(State(answers: answers)) }

    /// What was shown, prompts among it.
    var lines: [String] { state.withLock { $0.lines } }
    /// The prompts behind which nothing was to be seen.
    var secrets: [String] { state.withLock { $0.secrets } }
    var unused: [String] { state.withLock { $0.answers } }

    func show(_ line: String) { state.withLock { $0.lines.append(line) } }

    func ask(_ prompt: String?, isSecret: Bool) async throws(SetupError) -> String? {
        state.withLock { state in
            if let prompt { state.lines.append(prompt) }
            if let prompt, isSecret { state.secrets.append(prompt) }
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
    }
}

/// A folder, a board and a broker for one setup.
private struct Scene {
    let folder: TemporaryDirectory
    var world: SetupWorld
    /// What was tried, in order.
    let tried = Shared()

    final class Shared: Sendable {
        let answers = Mutex<[SetupAnswers]>([])
    }

    /// - Parameter outcomes: of the trials, one after the other; then all is good.
    init(_ outcomes: [ConnectionTest.Outcome] = [], sensors: [FoundSensor] = Scene.sensors) throws {
        folder = try TemporaryDirectory()
        var world = SetupWorld()
        world.hostName = "board-7"
        world.isRoot = false
        world.workingDirectory = folder.path
        world.hasService = false
        world.findSensors = { sensors }
        let tried = tried
        world.test = { answers in
            tried.answers.withLock { all in
                all.append(answers)
                return all.count <= outcomes.count ? outcomes[all.count - 1] : .good("MQTT 5.0; published and received")
            }
        }
        self.world = world
    }

    static let sensors = ["cpu-thermal", "distance", "broken"].map { name in
        FoundSensor(
            candidate: SensorCandidate(
                name: name, driver: name == "distance" ? "file" : "thermal",
                options: name == "distance"
                    ? [.init("path", .string("/sys/$x")), .init("scale", .number(0.001))]
                    : [.init("zone", .string(name))],
                summary: "the \(name)"),
            readings: name == "broken"
                ? []
                : [Reading(sensor: name, value: .number(47.2361), unit: "°C", time: Timestamp(milliseconds: 0))],
            error: name == "broken" ? SensorError(.unavailable, "/sys/broken", "gave no answer") : nil)
    }

    func run(_ options: SetupOptions, _ terminal: ScriptedTerminal) async -> SetupError? {
        do throws(SetupError) {
            try await Setup(options, terminal: terminal, world: world).run()
            return nil
        } catch {
            return error
        }
    }

    var configuration: String { (try? folder.read("fieldpost.toml")) ?? "" }

    func mode(_ name: String) -> mode_t {
        var file = stat()
        return stat(folder.path(name), &file) == 0 ? file.st_mode & 0o7777 : 0
    }
}

@Suite struct SetupTests {
    @Test func `somebody who answers gets what they said, and a configuration that is good`() async throws {
        let scene = try Scene()
        let terminal = ScriptedTerminal([
            "broker.example", "mqtt://broker.example", "bin 0427/a", "bin-0427", "user", "secret $pass",
            "2,cpu-thermal", "y",
        ])
        #expect(await scene.run(SetupOptions(), terminal) == nil)
        #expect(
            scene.configuration == """
                # Written by fieldpost setup; fieldpost check finds what is wrong after a change.

                [device]
                id = "bin-0427"

                [broker]
                servers = ["mqtt://broker.example:1883"]
                username = "user"
                password_file = "fieldpost.password"

                [[sensor]]
                name = "cpu-thermal"
                driver = "thermal"
                zone = "cpu-thermal"
                every = "10s"

                [[sensor]]
                name = "distance"
                driver = "file"
                path = "/sys/$$x"
                scale = 0.001
                every = "10s"

                """)
        #expect(try scene.folder.read("fieldpost.password") == "secret $pass\n")
        #expect(scene.mode("fieldpost.password") == 0o600)
        let (configuration, warnings) = try AgentConfiguration.load(path: scene.folder.path("fieldpost.toml"))
        #expect(configuration.broker.password == Secret("secret $pass".utf8))
        #expect(configuration.sensorNames == ["cpu-thermal", "distance"])
        #expect(warnings.isEmpty)

        let lines = terminal.lines
        #expect(terminal.unused.isEmpty)
        #expect(terminal.secrets.count == 1)
        #expect(lines.contains { $0.contains("is no broker's URL") })
        #expect(lines.contains { $0.contains("holds \"/\"") })
        #expect(lines.contains { $0.hasPrefix("  1  cpu-thermal  47.236 °C  ") && $0.hasSuffix("  the cpu-thermal") })
        #expect(lines.contains { $0.contains("no value: /sys/broken gave no answer") })
        #expect(lines.contains("    id = \"bin-0427\""), "it is shown before it is written")
        #expect(!lines.contains { $0.contains("secret") }, "S2")
        #expect(lines.last == "    fieldpost run --config \(scene.folder.path("fieldpost.toml"))")
    }

    @Test func `enter takes what stands in brackets`() async throws {
        let scene = try Scene()
        let terminal = ScriptedTerminal(["mqtt://b", "", "", "", ""])
        #expect(await scene.run(SetupOptions(), terminal) == nil)
        #expect(terminal.unused.isEmpty)
        let configuration = try AgentConfiguration.load(path: scene.folder.path("fieldpost.toml")).configuration
        #expect(configuration.device.id == "board-7")
        #expect(configuration.broker.username == nil)
        #expect(configuration.sensorNames == ["cpu-thermal", "distance"], "what gives a value")
        #expect(!scene.folder.exists("fieldpost.password"))
    }

    @Test func `options answer, and then nobody is asked`() async throws {
        let scene = try Scene()
        try scene.folder.write("pass\n", to: "secret")
        chmod(scene.folder.path("secret"), 0o644)
        var options = SetupOptions()
        options.file = "sub/../other.toml"
        options.broker = "wss://broker.example/mqtt"
        options.device = "d"
        options.username = "u"
        options.passwordFile = "secret"
        options.sensors = "distance"
        options.isQuiet = true
        try scene.folder.makeDirectory("sub")
        let terminal = ScriptedTerminal()
        #expect(await scene.run(options, terminal) == nil)
        let configuration = try AgentConfiguration.load(path: scene.folder.path("other.toml")).configuration
        #expect(configuration.broker.servers.map(\.description) == ["wss://broker.example:443/mqtt"])
        #expect(configuration.broker.password == Secret("pass".utf8))
        #expect(configuration.sensorNames == ["distance"])
        #expect(terminal.lines.contains { $0.hasPrefix("warning: every user can read ") })
        #expect(scene.tried.answers.withLock { $0.map(\.device) } == ["d"])
    }

    @Test func `without somebody to ask, what is missing is named`() async throws {
        let scene = try Scene()
        var options = SetupOptions()
        options.isQuiet = true
        #expect(
            await scene.run(options, ScriptedTerminal())?.description == "--broker is missing, and cannot be guessed")
        options.broker = "ftp://x"
        #expect(await scene.run(options, ScriptedTerminal())?.description.hasPrefix("--broker: \"ftp://\"") == true)
        options.broker = "mqtts://x"
        options.caFile = "missing.pem"
        var error = await scene.run(options, ScriptedTerminal())
        #expect(error?.kind == .usage && error?.description.contains(scene.folder.path("missing.pem")) == true)
        options.caFile = nil
        options.passwordFile = "-"
        error = await scene.run(options, ScriptedTerminal(["p"]))
        #expect(error?.description == "--password-file - stands without a --username; give one")
        options.username = "u"
        error = await scene.run(options, ScriptedTerminal([]))
        #expect(error?.description.contains("has no password in its first line") == true)
        options.passwordFile = "nothing"
        error = await scene.run(options, ScriptedTerminal([]))
        #expect(
            error?.description
                == "--password-file: \(scene.folder.path("nothing")) does not exist: name the file with the password, or - for standard input"
        )
        options.passwordFile = nil
        options.sensors = "distance,moon"
        error = await scene.run(options, ScriptedTerminal([]))
        #expect(
            error?.description
                == "--sensors: \"moon\" is none of them: there are cpu-thermal, distance, broken")
        options.sensors = nil
        options.broker = "mqtt://x"
        options.caFile = "ca.pem"
        error = await scene.run(options, ScriptedTerminal([]))
        #expect(error?.description.contains("is reached without TLS") == true)
        options.broker = "none"
        error = await scene.run(options, ScriptedTerminal([]))
        #expect(error?.description.contains("no meaning for a broker of the board's own") == true)
        #expect(scene.configuration == "")
        #expect(scene.tried.answers.withLock { $0.isEmpty })
    }

    @Test func `the end of the input is an error, wherever it comes, and nothing is written`() async throws {
        let all = ["mqtts://b", "d", "none", "u", "p", "all", "y"]
        for count in 0..<all.count {
            let scene = try Scene()
            let error = await scene.run(SetupOptions(), ScriptedTerminal(Array(all.prefix(count))))
            #expect(error?.kind == .usage)
            #expect(error?.description.contains("the input ended") == true, "\(count)")
            #expect(!scene.folder.exists("fieldpost.toml") && !scene.folder.exists("fieldpost.password"))
        }
    }

    @Test func `whoever answers nonsense without end is not asked without end`() async throws {
        let scene = try Scene()
        let terminal = ScriptedTerminal(Array(repeating: "what?", count: 100))
        #expect(await scene.run(SetupOptions(), terminal)?.kind == .usage)
        #expect(terminal.unused.count > 90)
    }

    @Test func `a broker that says no is explained, and the answers can be changed`() async throws {
        let scene = try Scene([.failed("refused: not authorized"), .failed("no route")])
        let terminal = ScriptedTerminal([
            "mqtt://b", "d", "u", "wrong", "all", "c", "", "", "", "right", "t", "y",
        ])
        #expect(await scene.run(SetupOptions(), terminal) == nil)
        #expect(terminal.lines.contains("It does not work: refused: not authorized."))
        #expect(terminal.lines.contains { $0.hasSuffix("[mqtt://b:1883]:") }, "what was said before is the proposal")
        let passwords = scene.tried.answers.withLock { $0.map { $0.password?.secret } }
        #expect(passwords == ["wrong", "right", "right"].map { Secret($0.utf8) })
        #expect(try scene.folder.read("fieldpost.password") == "right\n")
    }

    @Test func `a password is kept when the broker is asked for again`() async throws {
        let scene = try Scene([.failed("no route")])
        let terminal = ScriptedTerminal(["mqtt://b", "d", "u", "p", "all", "c", "mqtt://c", "", "", "", "y"])
        #expect(await scene.run(SetupOptions(), terminal) == nil)
        #expect(try scene.folder.read("fieldpost.password") == "p\n")
        #expect(scene.configuration.contains("mqtt://c:1883"))
    }

    @Test func `the answers can be saved all the same, or not at all`() async throws {
        for (answer, isWritten) in [("s", true), ("q", false)] {
            let scene = try Scene([.failed("no route")])
            let terminal = ScriptedTerminal(["mqtt://b", "", "", "", answer] + (isWritten ? ["y"] : []))
            let error = await scene.run(SetupOptions(), terminal)
            #expect(error?.kind == (isWritten ? nil : .declined))
            #expect(scene.folder.exists("fieldpost.toml") == isWritten)
        }
    }

    @Test func `without somebody to ask, a broker that says no ends it`() async throws {
        let scene = try Scene([.failed("no route")])
        var options = SetupOptions()
        options.broker = "mqtt://b"
        options.isQuiet = true
        let error = await scene.run(options, ScriptedTerminal())
        #expect(error?.kind == .unavailable)
        #expect(error?.description == "no route\nnothing was written; --no-test writes without trying")
        #expect(!scene.folder.exists("fieldpost.toml"))
        options.tests = false
        #expect(await scene.run(options, ScriptedTerminal()) == nil)
        #expect(scene.tried.answers.withLock { $0.count } == 1)
    }

    @Test func `none is a broker of its own`() async throws {
        let scene = try Scene()
        var options = SetupOptions()
        options.broker = "none"
        options.sensors = "none"
        options.isQuiet = true
        #expect(await scene.run(options, ScriptedTerminal()) == nil)
        let configuration = try AgentConfiguration.load(path: scene.folder.path("fieldpost.toml")).configuration
        #expect(configuration.server?.server.persistence != nil)
        #expect(configuration.broker.servers.isEmpty && configuration.sensorNames.isEmpty)
    }

    // MARK: What is there already

    @Test func `a configuration that is there is not replaced without a word`() async throws {
        let scene = try Scene()
        try scene.folder.write("# mine\n", to: "fieldpost.toml")
        var options = SetupOptions()
        options.broker = "mqtt://b"
        options.isQuiet = true
        let error = await scene.run(options, ScriptedTerminal())
        #expect(error?.description.contains("is there already; --force replaces it") == true)
        #expect(scene.configuration == "# mine\n")
        options.isQuiet = false
        #expect(await scene.run(options, ScriptedTerminal([""]))?.kind == .declined)
        #expect(scene.configuration == "# mine\n")
        #expect(await scene.run(options, ScriptedTerminal(["y", "", "", "", "y"])) == nil)
        #expect(try scene.folder.read("fieldpost.toml.bak") == "# mine\n")
        options.isQuiet = true
        options.force = true
        options.device = "again"
        #expect(await scene.run(options, ScriptedTerminal()) == nil)
        #expect(try scene.folder.read("fieldpost.toml.bak").contains("board-7"))
        #expect(scene.configuration.contains("again"))
    }

    @Test func `the package's example is replaced without asking, and kept all the same`() async throws {
        let scene = try Scene()
        let example = "# An example.\n\(SetupFiles.exampleMark)\n[device]\n"
        try scene.folder.write(example, to: "fieldpost.toml")
        var options = SetupOptions()
        options.broker = "mqtt://b"
        options.isQuiet = true
        #expect(await scene.run(options, ScriptedTerminal()) == nil)
        #expect(try scene.folder.read("fieldpost.toml.bak") == example)
        #expect(SetupFiles(file: scene.folder.path("fieldpost.toml")).present == .configuration)
    }

    @Test func `a file without a name, and keys that are no password`() async throws {
        let scene = try Scene()
        var options = SetupOptions()
        options.file = ""
        #expect(await scene.run(options, ScriptedTerminal())?.description == "--config is empty; name a file")
        let terminal = ScriptedTerminal(["mqtt://b", "d", "u", "p\u{1A}", "p", "none", "y"])
        #expect(await scene.run(SetupOptions(), terminal) == nil)
        #expect(terminal.secrets.count == 2)
        #expect(try scene.folder.read("fieldpost.password") == "p\n")
    }

    @Test func `a folder that is not there is said before anything is asked`() async throws {
        let scene = try Scene()
        var options = SetupOptions()
        options.file = "no/such/folder/a.toml"
        let terminal = ScriptedTerminal(["mqtt://b"])
        let error = await scene.run(options, terminal)
        #expect(error?.kind == .inputOutput)
        #expect(terminal.unused.count == 1)
    }

    @Test func `next comes systemd where it knows the service`() throws {
        var world = SetupWorld()
        world.hasService = true
        world.sudo = "sudo "
        world.isServiceRunning = false
        let file = "/etc/fieldpost/fieldpost.toml"
        #expect(world.nextSteps(file).last == "    sudo systemctl enable --now fieldpost")
        world.isServiceRunning = true
        world.isServiceEnabled = true
        #expect(world.nextSteps(file).last == "    sudo systemctl restart fieldpost")
        world.isServiceEnabled = false
        #expect(world.nextSteps(file).last == "    sudo systemctl enable fieldpost")
        #expect(world.nextSteps("/tmp/a.toml").last == "    fieldpost run --config /tmp/a.toml")
        world.isRoot = true
        #expect(world.usualFile == "/etc/fieldpost/fieldpost.toml")
        world.isRoot = false
        world.workingDirectory = "/home/pi"
        #expect(world.absolute("./a.toml") == "/home/pi/a.toml")
    }
}

/// As root, for a service with a user of its own, or with one that systemd invents.
@Suite struct SetupServiceTests {
    private func scene(hasUser: Bool) throws -> (Scene, SetupOptions) {
        var scene = try Scene()
        chmod(scene.folder.path, 0o755)
        if hasUser {
            try scene.folder.write("fieldpost:x:4711:4712::/:\n", to: "root/etc/passwd")
            try scene.folder.write("fieldpost:x:4712:\nsecrets:x:4713:pi,fieldpost\n", to: "root/etc/group")
        }
        scene.world.isRoot = true
        scene.world.hasService = !hasUser
        scene.world.isServiceRunning = false
        scene.world.sudo = "sudo "
        scene.world.serviceFile = scene.folder.path("fieldpost.toml")
        scene.world.accounts = Accounts(root: scene.folder.path("root"))
        var options = SetupOptions()
        options.broker = "mqtts://b"
        options.username = "u"
        options.isQuiet = true
        return (scene, options)
    }

    @Test func `what the service's user may do is told from owner, group and mode, and from the folders`() throws {
        guard geteuid() == 0 else { return }
        let (scene, _) = try scene(hasUser: true)
        let user = try #require(scene.world.accounts.serviceUser())
        #expect(user == ServiceUser(user: 4711, groups: [4712, 4713]))
        let file = try scene.folder.write("p", to: "secret")
        for (owner, group, mode, isGood) in [
            (0, 0, 0o600, false), (0, 0, 0o604, true), (4711, 0, 0o400, true), (4711, 0, 0o044, false),
            (0, 4713, 0o640, true), (0, 4713, 0o604, false), (0, 4714, 0o640, false),
        ] as [(uid_t, gid_t, mode_t, Bool)] {
            chown(file, owner, group)
            chmod(file, mode)
            #expect((user.obstacle(to: .read, file) == nil) == isGood, "\(owner) \(group) \(mode)")
        }
        chmod(file, 0o644)
        let inside = try scene.folder.write("p", to: "closed/in/secret")
        chmod(inside, 0o644)
        #expect(user.obstacle(to: .read, inside) == "\(scene.folder.path("closed")) may not be entered by fieldpost")
        #expect(symlink(inside, scene.folder.path("link")) == 0)
        #expect(user.obstacle(to: .read, scene.folder.path("link"))?.hasSuffix("entered by fieldpost") == true)
    }

    @Test func `a password that the service's user cannot read is copied to where it can`() async throws {
        guard geteuid() == 0 else { return }
        var (scene, options) = try scene(hasUser: true)
        let file = try scene.folder.write("pass\n", to: "secret")
        chmod(file, 0o600)
        options.passwordFile = file
        let terminal = ScriptedTerminal()
        #expect(await scene.run(options, terminal) == nil)
        #expect(
            terminal.lines.contains { $0.hasPrefix("\(file) may not be read by fieldpost; what stands in it goes to") })
        #expect(scene.configuration.contains("password_file = \"fieldpost.password\""))
        let copy = scene.folder.path("fieldpost.password")
        #expect(try scene.folder.read("fieldpost.password") == "pass\n")
        #expect(scene.world.accounts.serviceUser()?.obstacle(to: .read, copy) == nil)
        // One that it can read stays where it is.
        chown(file, 4711, 0)
        options.force = true
        #expect(await scene.run(options, ScriptedTerminal()) == nil)
        #expect(scene.configuration.contains("password_file = \"\(file)\""))
    }

    @Test func `a CA that the service's user cannot read is refused with the mend`() async throws {
        guard geteuid() == 0 else { return }
        var (scene, options) = try scene(hasUser: true)
        let file = try scene.folder.write(
            SmallFile(path: await Authority.get().root, limit: 1 << 20).bytes, to: "ca.pem")
        chmod(file, 0o600)
        options.caFile = file
        let error = await scene.run(options, ScriptedTerminal())
        #expect(error?.kind == .usage && error?.description.contains("copy it to /etc/fieldpost, chmod 644") == true)
        #expect(scene.configuration == "")
        chmod(file, 0o644)
        #expect(await scene.run(options, ScriptedTerminal()) == nil)
    }

    @Test func `a password for a user that systemd invents goes by a credential`() async throws {
        var (scene, options) = try scene(hasUser: false)
        options.passwordFile = "-"
        let terminal = ScriptedTerminal(["pass"])
        #expect(await scene.run(options, terminal) == nil)
        let lines = terminal.lines
        let file = scene.folder.path("fieldpost.password")
        #expect(lines.contains { $0.hasPrefix("warning: this system has no user fieldpost") })
        #expect(lines.contains("    sudo install -D -m 600 \(file) /etc/credstore/fieldpost.password"))
        #expect(lines.contains(#"    password_file = "${CREDENTIALS_DIRECTORY}/fieldpost.password""#))
        #expect(lines.last == "    sudo systemctl enable --now fieldpost")
        (options.username, options.passwordFile, options.force) = (nil, nil, true)
        let other = ScriptedTerminal()
        #expect(await scene.run(options, other) == nil)
        #expect(!other.lines.contains { $0.hasPrefix("warning") })
    }
}

@Suite struct SetupFilesTests {
    @Test(arguments: [true, false])
    func `a symbolic link stays one`(isThere: Bool) throws {
        let folder = try TemporaryDirectory()
        try folder.makeDirectory("real")
        if isThere { try folder.write("# old\n", to: "real/b.toml") }
        #expect(symlink("real/b.toml", folder.path("a.toml")) == 0)
        let files = SetupFiles(file: folder.path("a.toml"), accounts: Accounts(root: folder.path))
        try files.prepare()
        try files.write(password: Secret("p".utf8)) {
            ["[broker]", "servers = [\"mqtt://b\"]", "username = \"u\"", "password_file = \"\($0)\""]
        }
        #expect(names(folder) == ["a.password", "a.toml", "real"])
        var status = stat()
        #expect(lstat(files.file, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        #expect(try folder.read("real/b.toml").contains("mqtt://b"))
        #expect(folder.exists("real/b.toml.bak") == isThere)
        #expect(try AgentConfiguration.load(path: files.file).configuration.broker.password == Secret("p".utf8))
    }

    private func names(_ folder: TemporaryDirectory) -> [String] {
        guard let stream = opendir(folder.path) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    @Test func `what would not do is not written, and leaves nothing behind`() throws {
        let folder = try TemporaryDirectory()
        try folder.write("old", to: "a.toml")
        let files = SetupFiles(file: folder.path("a.toml"))
        let error = #expect(throws: SetupError.self) {
            try files.write(password: Secret("p".utf8)) { ["[broker]", "servers = []", "password_file = \"\($0)\""] }
        }
        #expect(error?.description.contains("is empty") == true)
        #expect(names(folder) == ["a.toml"])
        #expect(try folder.read("a.toml") == "old")
    }

    @Test func `the package's user can read both, and nobody else the password`() throws {
        let folder = try TemporaryDirectory()
        let etc = try TemporaryDirectory()
        try etc.write("root:x:0:0::/:\nfieldpost:x:4711:4712::/:\n", to: "etc/passwd")
        try etc.write("root:x:0:\nfieldpost:x:4712:\n", to: "etc/group")
        let files = SetupFiles(file: folder.path("new/a.toml"), accounts: Accounts(root: etc.path))
        try files.write(password: Secret("p".utf8)) {
            ["[broker]", "servers = [\"mqtt://b\"]", "username = \"u\"", "password_file = \"\($0)\""]
        }
        var (configuration, password) = (stat(), stat())
        #expect(stat(files.file, &configuration) == 0 && stat(files.passwordFile, &password) == 0)
        #expect(password.st_mode & 0o7777 == 0o600)
        #expect(configuration.st_mode & 0o7777 == 0o640)
        guard geteuid() == 0 else { return }
        #expect(configuration.st_uid == 0 && configuration.st_gid == 4712)
        #expect(password.st_uid == 4711)
    }

    @Test func `the group of the folder is kept, and without any group there is nothing to hide`() throws {
        guard geteuid() == 0 else { return }
        let folder = try TemporaryDirectory()
        let files = SetupFiles(file: folder.path("a.toml"), accounts: Accounts(root: folder.path))
        func write() throws -> stat {
            try files.write(password: nil) { _ in ["[broker]", "servers = [\"mqtt://b\"]"] }
            var status = stat()
            #expect(stat(files.file, &status) == 0)
            return status
        }
        #expect(try write().st_mode & 0o7777 == 0o644)
        chown(folder.path, 0, 4713)
        let status = try write()
        #expect(status.st_gid == 4713 && status.st_mode & 0o7777 == 0o640)
    }
}

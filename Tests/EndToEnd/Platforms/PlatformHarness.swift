import Glibc
import TestSupport
import Testing
import Units

extension Station {
    /// - Parameters:
    ///   - directory: where its files are, of which the configuration names some.
    ///   - text: the whole configuration but for the device's name.
    init(in directory: TemporaryDirectory, _ text: String) throws {
        self.directory = directory
        file = directory.path("station.toml")
        try write(text)
    }

    /// Another configuration.
    func write(_ text: String) throws { try directory.write("device.id = \"station\"\n\(text)", to: "station.toml") }

    /// A sensor that reads the clock: each value tells when it was taken, see ``isTaken(_:at:)``.
    static func clock(_ name: String = "tick", every: String = "20ms", rest: String = "") -> String {
        """
        [[sensor]]
        name = "\(name)"
        driver = "simulated"
        kind = "ramp"
        minimum = 0
        maximum = 1000000
        period = "1000s"
        decimals = 0
        every = "\(every)"
        \(rest)

        """
    }

    /// Whether a clock's value was taken at this time, in milliseconds since 1970.
    static func isTaken(_ value: JSON?, at milliseconds: Int64?) -> Bool {
        guard let value = value?.number, let milliseconds else { return false }
        return Int64(value) == milliseconds % 1_000_000
    }

    /// A sensor that reads a file of the station's folder.
    static func file(_ name: String, in directory: TemporaryDirectory, rest: String = "") -> String {
        """
        [[sensor]]
        name = "\(name)"
        driver = "file"
        path = "\(directory.path(name))"
        every = "50ms"
        \(rest)

        """
    }

    /// An output that is a file.
    static func output(_ name: String, in directory: TemporaryDirectory) throws -> String {
        try directory.write("0\n", to: name)
        return file(name, in: directory, rest: "kind = \"boolean\"\nwritable = true")
    }

    /// What `fieldpost queue status --json` says, of an uplink's queue or the agent's own.
    func queueStatus(_ uplink: String? = nil) async throws -> JSON {
        let result = try await runProgram(
            Program.built("fieldpost"),
            ["queue", "status", "--json", "--config", file] + (uplink.map { ["--uplink", $0] } ?? []))
        guard result.ending == .exited(0), let text = result.output.first else { throw Unexpected("\(result)") }
        return try JSONReader.value(Array(text.utf8)[...])
    }

    func waiting(_ uplink: String? = nil) async throws -> Int {
        guard let count = try await queueStatus(uplink)["messages"]?.number else { throw Unexpected("no messages") }
        return Int(count)
    }

    /// Runs it, and comes back when its queues are there.
    func runStarted() async throws -> Program {
        let agent = try await run()
        try await agent.errors.line(containing: "started: ")
        return agent
    }

    func stop(_ agent: Program) async throws {
        agent.send(SIGTERM)
        #expect(try await agent.wait(timeout: .seconds(10)) == .exited(0))
    }
}

/// `[uplink.broker]` or `[broker]`, for a broker nearby.
func brokerTable(_ name: String, port: Int, rest: String = "") -> String {
    """
    [\(name)]
    servers = ["mqtt://127.0.0.1:\(port)"]
    reconnect = { base = "20ms", cap = "200ms" }
    \(rest)

    """
}

/// A host application in Python on an implementation of Sparkplug that is not ours.
struct SparkplugHost {
    private static let source = #filePath
    private static func path(_ levels: Int) -> String {
        source.split(separator: "/").dropLast(levels).reduce("") { "\($0)/\($1)" }
    }
    private static var scripts: String { path(3) + "/UplinkTests/Python" }
    private static var packages: String { path(4) + "/.build/sparkplug-python" }

    let program: Program

    static func listen(port: Int) async throws -> SparkplugHost {
        // Tests/run.sh has installed it already, as a rule.
        let script = "\(scripts)/sparkplug_install.sh"
        let result = try await runProgram(systemProgram("bash"), [script, packages], timeout: .seconds(240))
        guard result.ending == .exited(0) else {
            throw ProgramError.failed(script, result.ending, output: result.errors)
        }
        let program = try await Program.start(
            "/usr/bin/python3", ["-B", "\(scripts)/sparkplug_host.py", "listen", "\(port)"],
            environment: ["PYTHONPATH": packages])
        try await program.output.line(containing: "LISTENING", timeout: .seconds(30))
        return SparkplugHost(program: program)
    }

    static func run(_ words: String...) async throws {
        let result = try await runProgram(
            "/usr/bin/python3", ["-B", "\(scripts)/sparkplug_host.py"] + words, environment: ["PYTHONPATH": packages],
            timeout: .seconds(30))
        guard result.ending == .exited(0) else {
            throw ProgramError.failed("sparkplug_host.py", result.ending, output: result.errors)
        }
    }

    /// Decodes and resolves SenML packs, each "json TEXT" or "cbor HEX".
    static func senML(_ packs: [String]) async throws -> [JSON] {
        let directory = try TemporaryDirectory()
        let file = try directory.write(packs.joined(separator: "\n") + "\n", to: "packs")
        let result = try await runProgram("/usr/bin/python3", ["-B", "\(scripts)/senml.py", file])
        guard result.ending == .exited(0) else {
            throw ProgramError.failed("senml.py", result.ending, output: result.errors)
        }
        return try result.output.map { try JSONReader.value(Array($0.utf8)[...]) }
    }

    @discardableResult
    func line(containing text: String) async throws -> String {
        try await program.output.line(containing: text, timeout: .seconds(20))
    }

    func wait(for what: String, until condition: @escaping @Sendable ([String]) -> Bool) async throws {
        try await program.output.wait(for: what, timeout: .seconds(20), until: condition)
    }

    var lines: [String] { get async { await program.output.lines } }

    /// Waits until the node has died, under the number of its last birth.
    func death() async throws { try await wait(for: "its death") { $0.last?.hasPrefix("NDEATH bdSeq=") ?? false } }

    /// What must not be seen of a node.
    var objections: [String] {
        get async {
            await lines.filter { $0.contains("GAP") || $0.contains("ERROR") || $0.contains("that is offline") }
        }
    }
}

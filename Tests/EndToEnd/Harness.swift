import TestSupport

/// An agent's configuration, its queue beside it, and the program that runs it.
struct Station: Sendable {
    let directory: TemporaryDirectory
    let file: String
    let device = "station"

    var statusTopic: String { "fieldpost/\(device)/status" }

    /// - Parameters:
    ///   - port: where the broker, or what stands for it, listens.
    ///   - broker: more lines for `[broker]`.
    ///   - rest: more tables; by default one sensor that counts up quickly.
    init(port: Int, broker: String = "", rest: String = Station.sensors(1)) throws {
        try self.init(text: Self.text(port: port, broker: broker, rest: rest))
    }

    /// - Parameter text: the whole configuration.
    init(text: String) throws {
        directory = try TemporaryDirectory()
        file = try directory.write(text, to: "station.toml")
    }

    static func text(port: Int, broker: String = "", qos: Int = 1, rest: String) -> String {
        """
        [device]
        id = "station"
        [broker]
        servers = ["mqtt://127.0.0.1:\(port)"]
        reconnect = { base = "20ms", cap = "200ms" }
        \(broker)
        [queue]
        commit_interval = "5ms"
        [uplink]
        sequence = true
        qos = \(qos)
        \(rest)
        """
    }

    static func sensors(_ count: Int, every: String = "10ms") -> String {
        (1...count).map {
            """
            [[sensor]]
            name = "s\($0)"
            driver = "simulated"
            kind = "random-walk"
            every = "\(every)"
            """
        }.joined(separator: "\n")
    }

    func run() async throws -> Program {
        try await Program.start(Program.built("fieldpost"), ["run", "--config", file])
    }

    func fieldpost(_ arguments: String...) async throws -> (ending: Program.Ending, output: [String], errors: [String])
    {
        try await runProgram(Program.built("fieldpost"), arguments)
    }

    /// A member of `fieldpost queue status --json`.
    func queue(_ member: String) async throws -> Int {
        let result = try await fieldpost("queue", "status", "--json", "--config", file)
        guard let text = result.output.first, let value = Int(member.value(in: text) ?? "") else {
            throw Unexpected("\(result)")
        }
        return value
    }
}

struct Unexpected: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

extension String {
    /// The value of this member in a flat JSON text.
    func value(in json: String) -> String? {
        guard let start = json.firstRange(of: "\"\(self)\":")?.upperBound else { return nil }
        return String(json[start...].prefix { $0 != "," && $0 != "}" }).filter { $0 != "\"" }
    }

    private func firstRange(of text: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

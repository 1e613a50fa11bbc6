internal import Glibc
internal import Relay
internal import TestSupport

/// A broker and how it is started.
struct RacedBroker: Sendable {
    let name: String
    /// Its program and arguments; PORT becomes a free port, and FOLDER a new folder that is its own.
    let command: [String]
    /// What stands in FOLDER/broker.conf.
    var configuration: [String] = []

    /// As Debian's package starts it, but that it drops nothing, however much waits for a subscriber.
    static func mosquitto() throws -> RacedBroker {
        RacedBroker(
            name: "Mosquitto", command: [try systemProgram("mosquitto"), "-c", "FOLDER/broker.conf"],
            configuration: [
                "listener PORT 127.0.0.1", "allow_anonymous true", "user root", "log_dest none", "persistence false",
                "max_queued_messages 0",
            ])
    }

    /// The broker's core and the load's; none when there is only one for both.
    static let cores: (broker: Int, load: Int)? = sysconf(CInt(_SC_NPROCESSORS_ONLN)) > 1 ? (1, 0) : nil

    /// Lends the broker, on a core of its own, to a program that loads and measures it.
    ///
    /// - Parameters:
    ///   - load: the path of brokerload.
    ///   - arguments: its arguments, but for the broker and the core.
    /// - Returns: what it measured.
    /// - Throws: ``ProgramError``, ``TimedOut`` or ``NoResult``.
    func measured(by load: String, _ arguments: [String]) async throws -> Load {
        try await withTemporaryDirectory { folder in
            let reservation = try ReservedPort()
            let port = reservation.number
            func filled(_ text: String) -> String {
                text.replacing("PORT", with: "\(port)").replacing("FOLDER", with: folder.path)
            }
            try folder.write(configuration.map { filled($0) + "\n" }.joined(), to: "broker.conf")
            let command = command.map(filled)
            let core = try Self.cores.map { [try systemProgram("taskset"), "-c", "\($0.broker)"] } ?? []
            let whole = core + command
            let broker = try await Program.start(whole[0], Array(whole.dropFirst()), directory: folder.path)
            do {
                try await eventually("\(name) to accept connections") {
                    if await broker.output.isFinished {
                        throw ProgramError.failed(name, try await broker.wait(), output: await broker.errors.lines)
                    }
                    return accepts(port: port)
                }
                let pin = Self.cores.map { ["-c", "\($0.load)"] } ?? []
                let result = try await runProgram(
                    load, arguments + ["-p", "\(port)", "-b", "\(broker.processIdentifier)"] + pin,
                    timeout: .seconds(90))
                guard result.ending == .exited(0), let line = result.output.last else {
                    throw ProgramError.failed("the load of \(name)", result.ending, output: result.errors)
                }
                let load = try Load(line)
                await broker.kill()
                return load
            } catch {
                await broker.kill()
                throw error
            }
        }
    }
}

/// What brokerload says of a broker.
struct Load: Sendable {
    private let values: [String: Double]

    /// - Parameter line: `RESULT`, names and values.
    init(_ line: String) throws {
        let fields = line.split(separator: " ")
        guard fields.first == "RESULT", fields.count.isMultiple(of: 2) == false else { throw NoResult(line: line) }
        var values: [String: Double] = [:]
        for index in stride(from: 1, to: fields.count, by: 2) {
            guard let value = Double(fields[index + 1]) else { throw NoResult(line: line) }
            values[String(fields[index])] = value
        }
        self.values = values
    }

    /// Zero when it is not measured there.
    subscript(name: String) -> Double { values[name] ?? 0 }
}

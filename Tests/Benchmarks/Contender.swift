internal import Glibc
internal import TestSupport

/// A program that publishes or receives, and measures itself while it does.
struct Contender: Sendable {
    enum Direction: String, Sendable, CaseIterable { case publish, receive }

    var name: String
    var program: String
    /// Behind direction, port, QoS and count; FOLDER becomes a new folder at each run.
    var arguments: [String] = []
    /// Ratios are to the fastest of these.
    var isYardstick = false
    /// How much less it is asked to do, because it would take too long.
    var handicap = 1

    /// - Throws: ``TimedOut`` when it does not come to an end; it is killed then.
    func run(_ direction: Direction, qos: Int, count: Int, broker: Mosquitto, loader: Contender) async throws
        -> Measurement
    {
        let count = max(count / handicap, 200)
        // A folder of its own each time: nothing is left over from the last.
        return try await withTemporaryDirectory { folder in
            let program = try await Program.start(
                program,
                [direction.rawValue, "\(broker.port)", "\(qos)", "\(count)"]
                    + arguments.map { $0 == "FOLDER" ? folder.path : $0 })
            do {
                if direction == .receive {
                    try await program.output.line(containing: "READY")
                    // Everything waits at the broker when it is let go: not the loader's speed is measured.
                    program.send(SIGSTOP)
                    _ = try await loader.run(.publish, qos: qos, count: count, broker: broker, loader: loader)
                    program.send(SIGCONT)
                }
                let ending = try await program.wait(timeout: .seconds(12))
                guard ending == .exited(0), let line = await program.output.lines.last else {
                    throw ProgramError.failed(name, ending, output: await program.errors.lines)
                }
                return try Measurement(line, count: count)
            } catch {
                await program.kill()
                throw error
            }
        }
    }
}

/// What a program said of itself.
struct Measurement: Sendable {
    /// Messages per second.
    var rate: Double
    /// Microseconds of CPU time per message.
    var cpu: Double
    /// Megabytes of memory at the highest.
    var peak: Double

    /// - Parameter line: `RESULT seconds CPU-seconds peak-in-kB`.
    init(_ line: String, count: Int) throws {
        let fields = line.split(separator: " ")
        guard fields.count == 4, fields[0] == "RESULT", let seconds = Double(fields[1]), let cpu = Double(fields[2]),
            let kilobytes = Double(fields[3])
        else { throw NoResult(line: line) }
        rate = Double(count) / max(seconds, 1e-6)
        self.cpu = cpu * 1e6 / Double(count)
        peak = kilobytes * 1024 / 1e6
    }
}

struct NoResult: Error, CustomStringConvertible {
    var line: String
    var description: String { "expected a line RESULT seconds CPU-seconds peak, got “\(line)”" }
}

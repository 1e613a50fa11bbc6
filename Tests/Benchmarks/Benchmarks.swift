internal import Glibc
internal import TestSupport

/// Our client against libmosquitto and Paho C, at the same Mosquitto, with messages of 100 bytes.
@main struct Benchmarks {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let first = arguments.first, Contender.Direction(rawValue: first) != nil {
            return try await OwnClient.run(arguments)
        }
        guard let folder = arguments.first else {
            say("usage: Benchmarks FOLDER [ROUNDS], or Tests/Benchmarks/run.sh, which builds what is in FOLDER")
            exit(64)
        }
        let rounds = arguments.dropFirst().first.flatMap { Int($0) } ?? 3
        let own = try Program.built("Benchmarks")
        let mosquitto = Contender(name: "libmosquitto", program: "\(folder)/libmosquitto-bench")
        let paho = Contender(name: "Paho C, no delay", program: "\(folder)/paho-nodelay-bench")
        let memory = [
            Contender(name: "fieldpost", program: own, arguments: ["memory"]), mosquitto, paho,
            // Waits for delayed TCP acknowledgements 20 messages long, 40 ms each.
            Contender(name: "Paho C", program: "\(folder)/paho-bench", handicap: 20),
        ]
        let durable = [
            Contender(name: "Outbox, batches of 256", program: own, arguments: ["batches", "FOLDER"]),
            Contender(name: "Outbox, 256 publishers", program: own, arguments: ["lanes", "FOLDER"]),
            Contender(
                name: "Paho C files, no delay", program: "\(folder)/paho-nodelay-bench", arguments: ["FOLDER"],
                handicap: 4),
            Contender(
                name: "Paho C files", program: "\(folder)/paho-bench", arguments: ["FOLDER"], handicap: 20),
        ]
        // Nothing is dropped, however much waits for a receiver.
        try await withMosquitto(lines: ["max_queued_messages 0", "log_type none"]) { broker in
            say("rate: messages per second, the median of \(rounds); CPU: µs per message; peak: kB; ratio: ours to it")
            for (qos, count) in [(0, 100_000), (1, 40_000), (2, 20_000)] {
                for direction in Contender.Direction.allCases {
                    // What delays Paho's sending does not touch what it receives.
                    let contenders = direction == .publish ? memory : Array(memory.prefix(3))
                    try await race("QoS \(qos) \(direction)", contenders, rounds) {
                        try await $0.run(direction, qos: qos, count: count, broker: broker, loader: mosquitto)
                    }
                }
            }
            for (qos, count) in [(1, 20_000), (2, 10_000)] {
                try await race("QoS \(qos) publish, durable", durable, rounds) {
                    try await $0.run(.publish, qos: qos, count: count, broker: broker, loader: mosquitto)
                }
            }
        }
    }

    /// Lets them run in turns, so that a slow minute of the machine is everybody's.
    private static func race(
        _ title: String, _ contenders: [Contender], _ rounds: Int,
        _ run: (Contender) async throws -> Measurement
    ) async throws {
        var results = [[Measurement]](repeating: [], count: contenders.count)
        for _ in 0..<max(rounds, 1) {
            for (index, contender) in contenders.enumerated() {
                do {
                    results[index].append(try await run(contender))
                } catch {
                    say("  no result: \(title), \(error)")
                }
            }
        }
        say("\n" + left(title, 28) + ["rate", "CPU", "peak", "ratio"].map { right($0, 10) }.joined())
        let medians = results.map { $0.sorted { $0.rate < $1.rate }.dropFirst($0.count / 2).first }
        for (contender, median) in zip(contenders, medians) {
            guard let median else {
                say(left("  " + contender.name, 28) + right("none", 10))
                continue
            }
            let ratio = medians[0].map { ($0.rate / median.rate * 100).rounded() / 100 } ?? .nan
            let cells = ["\(Int(median.rate))", "\((median.cpu * 10).rounded() / 10)", "\(median.peak)", "\(ratio)"]
            say(left("  " + contender.name, 28) + cells.map { right($0, 10) }.joined())
        }
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

internal import Glibc
internal import TestSupport

/// Our client against libmosquitto and Paho C, at the same Mosquitto, and our broker against Mosquitto, with messages
/// of 100 bytes.
@main struct Benchmarks {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let first = arguments.first, Contender.Direction(rawValue: first) != nil {
            do {
                return try await OwnClient.run(arguments)
            } catch {
                // Shown by who started it.
                say("\(error)", to: STDERR_FILENO)
                exit(1)
            }
        }
        guard arguments.count >= 2, ["clients", "brokers"].contains(arguments[0]) else {
            say("usage: Benchmarks clients|brokers FOLDER [ROUNDS [RACE]], or Tests/Benchmarks/run.sh")
            exit(64)
        }
        let folder = arguments[1]
        let rounds = max(arguments.dropFirst(2).first.flatMap { Int($0) } ?? 5, 1)
        let wanted = arguments.dropFirst(3).first ?? ""
        if arguments[0] == "brokers" {
            return await (try Brokers(folder: folder, rounds: rounds, wanted: wanted)).run()
        }
        let cast = try Cast(folder: folder)
        await Machine.describe(cast.peers.map(\.program), rounds: rounds)
        // Nothing is dropped, however much waits for a receiver.
        try await withMosquitto(lines: ["max_queued_messages 0", "log_type none"]) { broker in
            for race in cast.races where race.title.contains(wanted) {
                say(race.table(of: await race.run(rounds: rounds, broker: broker, loader: cast.libmosquitto)))
            }
        }
        say("\n" + Self.notes)
    }

    private static let notes = """
        rate: messages per second, the median of the rounds, and the lowest and the highest. ratio: to the
        faster of libmosquitto and Paho C in the same round, the median of the rounds. CPU: µs of user and
        system time per message, of the program alone. peak: MB of resident memory.
        Every program is a process of its own, speaks MQTT 3.1.1 with 20 messages in flight and TCP_NODELAY
        (linked into Paho C, which has no option for it), and lets at most 1000 wait (Paho C 20: it does not
        send what waits inside it when an acknowledgement comes, only when another message is given to it).
        A publisher is done when the broker has acknowledged everything; under QoS 0, a message of QoS 1 at
        the end. A receiver is held until everything waits for it at the broker.
        one task: publishes without waiting. 64 tasks: each waits until the broker has its message; with an
        Outbox, until it is on disk. at once: nothing is waited for that could be committed together.
        Durable: only a strict Outbox and "files, synced" survive a power cut. Paho C's files as they are
        survive the end of the process, as a relaxed Outbox does. libmosquitto keeps nothing on disk.
        """
}

/// Who runs, and in which races.
struct Cast {
    let libmosquitto: Contender
    let peers: [Contender]
    let races: [Race]

    init(folder: String) throws {
        let own = try Program.built("Benchmarks")
        func fieldpost(_ name: String, _ arguments: String...) -> Contender {
            Contender(name: name, program: own, arguments: arguments)
        }
        libmosquitto = Contender(name: "libmosquitto", program: "\(folder)/libmosquitto-bench", isYardstick: true)
        let paho = Contender(name: "Paho C", program: "\(folder)/paho-bench", isYardstick: true)
        peers = [libmosquitto, paho]
        let publishers =
            [
                fieldpost("fieldpost, one task", "memory", "one"), fieldpost("fieldpost, 64 tasks", "memory", "64"),
            ] + peers
        let receivers = [fieldpost("fieldpost", "memory", "one")] + peers
        let durable = [
            fieldpost("Outbox strict, batches of 256", "strict", "batches", "FOLDER"),
            fieldpost("Outbox strict, 256 tasks", "strict", "256", "FOLDER"),
            // Without waiting for more to commit together.
            fieldpost("Outbox strict, 20 tasks, at once", "strict-at-once", "20", "FOLDER"),
            fieldpost("Outbox relaxed, 256 tasks", "relaxed", "256", "FOLDER"),
            Contender(name: "Paho C, files", program: paho.program, arguments: ["FOLDER"], isYardstick: true),
            Contender(
                name: "Paho C, files, synced", program: "\(folder)/paho-synced-bench", arguments: ["FOLDER"],
                handicap: 20),
        ]
        // Mosquitto looks through all that wait for a receiver of QoS 2, again and again: many would measure it alone.
        races =
            [(0, 100_000, 100_000), (1, 40_000, 40_000), (2, 20_000, 5_000)].flatMap { qos, published, received in
                [
                    Race("QoS \(qos), publish", .publish, qos: qos, count: published, publishers),
                    Race("QoS \(qos), receive", .receive, qos: qos, count: received, receivers),
                ]
            }
            + [(1, 20_000), (2, 10_000)].map { qos, count in
                Race("QoS \(qos), publish, durable", .publish, qos: qos, count: count, durable)
            }
    }
}

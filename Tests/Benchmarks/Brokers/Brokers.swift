internal import Glibc
internal import TestSupport

/// Our broker, or another one, against Mosquitto, each with a core of its own, under the same load.
struct Brokers {
    let load: String
    let rounds: Int
    /// Only races with this in their title.
    let wanted: String
    let ours: RacedBroker
    let mosquitto: RacedBroker
    /// Ours with sessions on disk.
    let durable: RacedBroker

    /// - Throws: ``ProgramError`` when a broker is not there.
    init(folder: String, rounds: Int, wanted: String) throws {
        load = "\(folder)/brokerload"
        self.rounds = rounds
        self.wanted = wanted
        /// What a variable names is shown under its own name, not as ours.
        func broker(_ variable: String, _ suffix: String, _ arguments: [String], _ configuration: [String] = []) throws
            -> RacedBroker
        {
            guard let text = getenv(variable) else {
                return RacedBroker(
                    name: "fieldpost" + suffix, command: [try Program.built("fieldpost")] + arguments,
                    configuration: configuration)
            }
            let words = String(cString: text).split(separator: " ").map(String.init)
            guard let name = words.first else { throw ProgramError.missing("what \(variable) names") }
            let program = name.contains("/") ? name : try systemProgram(name)
            return RacedBroker(
                name: String(name.split(separator: "/").last ?? "") + suffix, command: [program] + words.dropFirst(),
                configuration: configuration)
        }
        ours = try broker(
            "FIELDPOST_BROKER_CMD", "", ["broker", "--no-console", "--config", "FOLDER/broker.conf"],
            Self.configuration + Self.limits)
        durable = try broker(
            "FIELDPOST_DURABLE_CMD", ", durable", ["broker", "--no-console", "--config", "FOLDER/broker.conf"],
            ["[server]", #"store = { path = "FOLDER/broker.db" }"#] + Self.limits + Self.configuration)
        mosquitto = try .mosquitto()
    }

    /// As quiet as the Mosquitto beside it, and with as much room in the queues.
    private static let configuration = [
        "[[listener]]", "port = PORT", #"bind = "127.0.0.1""#, "[log]", #"level = "warning""#,
    ]
    private static let limits = [
        "[server.limits]", "max_queued_messages = 1000000", #"max_queued_size = "1GB""#,
        #"max_queued_size_in_all = "1GB""#,
    ]

    // A thousand messages at most are on their way, so that no broker has to drop any by default, and fewer where those
    // that the subscriber has and has not acknowledged count too. Far fewer under QoS 0 would measure how long TCP waits
    // for more to send, more under QoS 2 how Mosquitto searches its queue.
    private static let flows =
        [0, 1, 2].map { BrokerRace("fan-in 100 → 1, QoS \($0)", "flow -n 100 -m 1 -q \($0) -w \([10, 5, 2][$0])") }
        + [0, 1].map { BrokerRace("fan-out 1 → 1000, QoS \($0)", "flow -n 1 -m 1000 -q \($0)") }
        + [0, 1, 2].map {
            BrokerRace("10 pairs, QoS \($0)", "flow -n 10 -m 10 -t 10 -q \($0) -w \($0 == 0 ? 100 : 20)")
        }
        + [1].map { BrokerRace("10 pairs, QoS \($0), MQTT 5.0", "flow -n 10 -m 10 -t 10 -q \($0) -v 5") }
        + [BrokerRace("connections", "connect"), BrokerRace("connections, MQTT 5.0", "connect -v 5")]
    private static let latencies = [0, 1, 2].map {
        BrokerRace("latency, QoS \($0)", "flow -n 1 -m 1 -w 1 -r 1000 -q \($0)")
    }
    private static let memory = BrokerRace("memory, 5000 idle", "idle -m 5000")
    private static let durables = [1, 2].map {
        BrokerRace("durable, 10 pairs, QoS \($0)", "flow -n 10 -m 10 -t 10 -k -q \($0)")
    }

    func run() async {
        await Machine.describe([], rounds: rounds)
        let brokers = [ours, mosquitto]
        await table(
            of: Self.flows, brokers,
            ["", "\(ours.name), /s", "CPU, µs", "\(mosquitto.name), /s", "CPU, µs", "rate, ratio", "CPU, ratio", ""]
        ) { results in
            results.flatMap { [whole($0.median("rate")), decimal($0.median("cpu"), 1)] }
                + ["rate", "cpu"].map { decimal(results[0].ratio($0, to: results[1]), 2) }
                + [remarks(results)]
        }
        await table(
            of: Self.latencies, brokers,
            ["", "\(ours.name), p50 µs", "p99", "\(mosquitto.name), p50 µs", "p99", "p50, ratio", "p99, ratio"]
        ) { results in
            results.flatMap { [whole($0.median("p50")), whole($0.median("p99"))] }
                + ["p50", "p99"].map { decimal(results[0].ratio($0, to: results[1]), 2) }
        }
        await memoryTable(brokers)
        await table(of: Self.durables, [durable], ["", "\(durable.name), /s", "CPU, µs", ""]) { results in
            [whole(results[0].median("rate")), decimal(results[0].median("cpu"), 1), remarks(results)]
        }
        say("\n" + Self.notes)
    }

    /// Races, and prints a row as soon as it is known.
    private func table(
        of races: [BrokerRace], _ brokers: [RacedBroker], _ heads: [String],
        _ cells: ([BrokerRace.Result]) -> [String]
    ) async {
        let races = races.filter { wanted.isEmpty || $0.title.contains(wanted) }
        guard !races.isEmpty else { return }
        let table = MarkdownTable(heads, firstWidth: 28)
        say("\n" + table.head)
        for race in races {
            let results = await race.run(rounds: rounds, brokers, load: load)
            say(table.row([race.title] + cells(results)))
        }
    }

    private func memoryTable(_ brokers: [RacedBroker]) async {
        guard wanted.isEmpty || Self.memory.title.contains(wanted) else { return }
        // Memory does not depend on who else uses the machine.
        let results = await Self.memory.run(rounds: min(rounds, 3), brokers, load: load)
        let kinds = [("anon", "RssAnon"), ("rss", "VmRSS"), ("pss", "Pss")]
        let table = MarkdownTable(
            [Self.memory.title + ", MB"] + kinds.map(\.1) + kinds.map { "kB each, \($0.1)" }, firstWidth: 28)
        say("\n" + table.head)
        let each = zip(brokers, results).map { broker, result in
            let before = kinds.map { result.median("\($0.0)-before") }, after = kinds.map { result.median($0.0) }
            let each = zip(before, after).map { before, after -> Double? in
                guard let before, let after, let clients = result.median("clients") else { return nil }
                return (after - before) / clients
            }
            let cells = zip(before, after).map { before, after in
                "\(decimal(before.map { $0 / 1000 }, 1)) → \(decimal(after.map { $0 / 1000 }, 1))"
            }
            say(table.row([broker.name] + cells + each.map { decimal($0, 2) }))
            return each
        }
        let ratios = zip(each[0], each[1]).map { own, other -> Double? in own.flatMap { own in other.map { own / $0 } }
        }
        say(table.row(["ratio"] + kinds.map { _ in "" } + ratios.map { decimal($0, 2) }))
    }

    /// What spoils a row.
    private func remarks(_ results: [BrokerRace.Result]) -> String {
        var remarks: [String] = []
        for (broker, result) in zip([ours, mosquitto], results) {
            if let failure = result.failure { remarks.append("\(broker.name) \(failure)") }
            let lost = result.highest("lost"), duplicates = result.highest("duplicates")
            if lost > 0 { remarks.append("\(broker.name) lost \(whole(lost)) of \(whole(result.highest("sent")))") }
            if duplicates > 0 { remarks.append("\(broker.name): \(whole(duplicates)) twice") }
        }
        let shares = results.map { $0.median("busy") }
        if shares.contains(where: { $0.map { $0 < 0.9 } ?? false }) {
            remarks.append("busy: " + shares.map { $0.map { whole($0 * 100) + " %" } ?? "–" }.joined(separator: ", "))
        }
        if results.contains(where: { $0.loads.contains { $0["load"] > 0.95 && $0["busy"] < 0.9 } }) {
            remarks.append("the load was too slow")
        }
        return remarks.joined(separator: "; ")
    }

    private func whole(_ value: Double?) -> String { value.map(Race.grouped) ?? "–" }
    private func decimal(_ value: Double?, _ places: Int) -> String {
        value.map { Race.decimal($0, places: places) } ?? "–"
    }

    private static let notes = """
        The median of the rounds; ratios are the first's to Mosquitto's in the same round, their median. Each broker has one
        core, the load another. Rate: deliveries or connections per second. CPU: µs of the broker's user and system
        time for each; where others use the machine, this is the fairer of the two. Busy: how much of its core each
        broker used, where that is less than nine tenths; the rest was others', or it had nothing to do.
        Messages have 100 bytes and, but for where it is said, MQTT 3.1.1. A publisher has at most 20 on their way to
        its subscribers (100 in pairs with QoS 0; 10, 5, 2 in fan-in with QoS 0, 1, 2, where Mosquitto slows down with
        all that waits): nothing has to be dropped, and what is dropped is told: what has not come when nothing came
        for five seconds. Mosquitto does not set TCP_NODELAY by default, and sends fewer, larger packets under load.
        Connections: CONNECT, CONNACK, DISCONNECT, and closed by the broker; 64 at a time. Latency: from PUBLISH sent
        to PUBLISH received, a message every millisecond. Memory: each client has subscribed and sent one PINGREQ;
        what the kernel holds for its socket is not in it.
        Durable: subscribers' sessions are persistent, and an acknowledgement means that the message is on disk.
        Mosquitto has nothing like it: it saves its sessions every half hour and at its end.
        """
}

/// A table for a README that can be read as it is.
struct MarkdownTable {
    private let heads: [String]
    private let widths: [Int]

    init(_ heads: [String], firstWidth: Int) {
        self.heads = heads
        widths = [firstWidth] + heads.dropFirst().map { max($0.count, 8) }
    }

    var head: String {
        row(heads) + "\n" + "|"
            + widths.enumerated().map { index, width in
                " " + String(repeating: "-", count: width - 1) + (index == 0 ? "- |" : ": |")
            }.joined()
    }

    func row(_ cells: [String]) -> String {
        "|"
            + zip(cells, widths).enumerated().map { index, column in
                let space = String(repeating: " ", count: max(0, column.1 - column.0.count))
                return " " + (index == 0 ? column.0 + space : space + column.0) + " |"
            }.joined()
    }
}

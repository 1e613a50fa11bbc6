internal import Glibc
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import StoreForward
internal import TestSupport

/// Our side: the same as the C programs do, in a process of its own.
struct OwnClient {
    /// How messages are given to the client.
    enum Way {
        /// One `publish` after the other, without waiting for acknowledgements, as C's callers do.
        case one
        /// So many tasks that publish beside each other.
        case tasks(Int)
        /// Past the client into the Outbox, 256 at once.
        case batches

        init?(_ text: String) {
            switch text {
            case "one": self = .one
            case "batches": self = .batches
            default:
                guard let count = Int(text) else { return nil }
                self = .tasks(count)
            }
        }
    }

    let count: Int
    let qos: QoS
    let way: Way
    let store: any SessionStore
    let client: MQTTClient

    /// - Parameter arguments: direction, port, QoS, count, store, way, and for an Outbox its folder.
    static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 6, let port = Int(arguments[1]), let qos = UInt8(arguments[2]).flatMap(QoS.init),
            let count = Int(arguments[3]), let way = Way(arguments[5])
        else { throw NoResult(line: arguments.joined(separator: " ")) }
        let store = try await store(arguments[4], arguments.dropFirst(6).first)
        var configuration = ClientConfiguration(
            endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: .v3_1_1, clientIdentifier: "own-bench")
        configuration.maximumInFlight = 20
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = MQTTClient(configuration, store: store, eventLoop: group.next())
        let own = OwnClient(count: count, qos: qos, way: way, store: store, client: client)
        let running = Task { await client.run() }
        if arguments[0] == "receive" { try await own.receive() } else { try await own.publish() }
        await client.disconnect()
        await running.value
    }

    private static func store(_ name: String, _ folder: String?) async throws -> any SessionStore {
        // As many as the C programs let wait.
        guard let folder else { return MemoryStore(maximumCount: 1000) }
        var options = OutboxOptions()
        if name == "relaxed" { options.durability = .relaxed }
        if name == "strict-at-once" { options.commitInterval = .zero }
        return try await Outbox.open(path: "\(folder)/queue.db", options: options)
    }

    private func publish() async throws {
        try await eventually("a connection") { await client.isConnected }
        let message = Message(
            topic: try TopicName("bench/t"), payload: ByteBuffer(repeating: 0, count: 100), qos: qos)
        let meter = Meter()
        switch way {
        case .one: for _ in 0..<count { try await publishWhenThereIsRoom(message) }
        case .tasks(let width): try await publish(message, width)
        case .batches:
            for start in stride(from: 0, to: count, by: 256) {
                _ = try await store.append(Array(repeating: message, count: min(256, count - start)))
                client.storeDidChange()
            }
        }
        if qos == .atMostOnce {
            let end = Message(topic: try TopicName("bench/end"), payload: message.payload, qos: .atLeastOnce)
            try await client.publish(end, until: .acknowledged)
        }
        while await client.statistics.completed < count { try await Task.sleep(for: .milliseconds(1)) }
        meter.report()
    }

    private func publishWhenThereIsRoom(_ message: Message) async throws {
        while true {
            do {
                try await client.publish(message)
                return
            } catch is MemoryStore.Full {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    /// An Outbox's tasks wait until their message is on disk, the others until the broker has it.
    private func publish(_ message: Message, _ width: Int) async throws {
        let assurance: MQTTClient.Assurance = store.outlivesProcess ? .accepted : .acknowledged
        try await withThrowingTaskGroup { tasks in
            for lane in 0..<width {
                tasks.addTask {
                    for _ in stride(from: lane, to: count, by: width) {
                        try await client.publish(message, until: assurance)
                    }
                }
            }
            try await tasks.waitForAll()
        }
    }

    private func receive() async throws {
        let reading = Task {
            var meter: Meter?
            var seen = 0
            for await _ in client.messages {
                if meter == nil { meter = Meter() }
                seen += 1
                if seen == count { return meter?.report() }
            }
        }
        try await client.subscribe([Subscription(filter: TopicFilter("bench/t"), qos: qos)])
        say("READY")
        await reading.value
    }
}

/// Measures this process from its making on.
struct Meter {
    private let begin = ContinuousClock.now
    private let cpu = Meter.cpuSeconds()

    func report() {
        let (seconds, attoseconds) = begin.duration(to: .now).components
        say("RESULT \(Double(seconds) + Double(attoseconds) / 1e18) \(Self.cpuSeconds() - cpu) \(Self.peakKilobytes())")
    }

    private static func cpuSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// Not `ru_maxrss`, which a program inherits from the one that started it.
    private static func peakKilobytes() -> Int {
        let line = Machine.lines(of: "/proc/self/status").first { $0.hasPrefix("VmHWM:") }
        return line.flatMap { Int($0.filter(\.isNumber)) } ?? 0
    }
}

/// Writes a line at once.
func say(_ line: String, to descriptor: CInt = STDOUT_FILENO) {
    let bytes = Array("\(line)\n".utf8)
    _ = write(descriptor, bytes, bytes.count)
}

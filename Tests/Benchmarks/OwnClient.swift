internal import Glibc
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import StoreForward
internal import TestSupport

/// Our side: the same as the C programs do, in a process of its own.
enum OwnClient {
    enum Way: String { case memory, batches, lanes }

    /// - Parameter arguments: direction, port, QoS, count, way, and for the durable ways a folder.
    static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 5, let port = Int(arguments[1]), let qos = UInt8(arguments[2]).flatMap(QoS.init),
            let count = Int(arguments[3]), let way = Way(rawValue: arguments[4])
        else { throw NoResult(line: arguments.joined(separator: " ")) }
        let store: any SessionStore =
            way == .memory
            ? MemoryStore(maximumCount: count + 1) : try await Outbox.open(path: arguments[5] + "/queue.db")
        var configuration = ClientConfiguration(
            endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: .v3_1_1, clientIdentifier: "own-bench")
        configuration.maximumInFlight = 20
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let client = MQTTClient(configuration, store: store, eventLoop: group.next())
        let running = Task { await client.run() }
        switch arguments[0] {
        case "receive": try await receive(count, qos, client)
        default:
            try await eventually("a connection") { await client.isConnected }
            let message = Message(
                topic: try TopicName("bench/t"), payload: ByteBuffer(repeating: UInt8(ascii: "x"), count: 100),
                qos: qos)
            let meter = Meter()
            switch way {
            case .memory: for _ in 0..<count { try await client.publish(message) }
            case .batches:
                for start in stride(from: 0, to: count, by: 256) {
                    _ = try await store.append(Array(repeating: message, count: min(256, count - start)))
                    client.storeDidChange()
                }
            case .lanes:
                try await withThrowingTaskGroup { tasks in
                    for lane in 0..<256 {
                        tasks.addTask {
                            for _ in stride(from: lane, to: count, by: 256) { try await client.publish(message) }
                        }
                    }
                    try await tasks.waitForAll()
                }
            }
            while await client.statistics.completed < count { try await Task.sleep(for: .milliseconds(1)) }
            meter.report()
        }
        await client.disconnect()
        await running.value
    }

    private static func receive(_ count: Int, _ qos: QoS, _ client: MQTTClient) async throws {
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
        guard let status = fopen("/proc/self/status", "re") else { return 0 }
        defer { fclose(status) }
        var line = [CChar](repeating: 0, count: 256)
        while fgets(&line, CInt(line.count), status) != nil {
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            if text.hasPrefix("VmHWM:") { return Int(text.filter(\.isNumber)) ?? 0 }
        }
        return 0
    }
}

/// Writes a line at once.
func say(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = write(STDOUT_FILENO, bytes, bytes.count)
}

import Glibc
import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

/// The broker is killed under traffic, again and again, while its clients live.
@Suite(.timeLimit(.minutes(5))) struct BrokerKillTests {
    private static let kills = 50

    /// Publishers and subscribers with lasting sessions, Paho's of both versions and ours, number their messages and
    /// repeat what was not acknowledged. So whatever the broker acknowledged and then forgot is missing in the end, and
    /// whatever of an exchange at QoS 2 it forgot comes twice.
    ///
    /// Paho 1.6 keeps what a repeated QoS 2 PUBLISH could double in memory, and its processes live through all of this;
    /// should it be at fault all the same, our own clients on the same broker tell.
    @Test func fiftyKillsOfTheBrokerLoseNothingAndDoubleNothingAtQoS2() async throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SplitMix64(seed: seed)
        let broker = try await MortalBroker.start()
        do {
            let traffic: [any Traffic] = [
                try await PahoTraffic.start(port: broker.port, version: 3),
                try await PahoTraffic.start(port: broker.port, version: 5),
                try await OwnTraffic.start(port: broker.port),
            ]
            for _ in 1...Self.kills {
                // Between a start that has hardly begun and some dozens of messages.
                try await Task.sleep(for: .milliseconds(Int.random(in: 1...450, using: &generator)))
                try await broker.die()
            }
            for each in traffic {
                let (last, messages) = try await each.finish()
                // A kill comes every third of a second or so.
                #expect(last > 300, "\(each.name): \(last) otherwise this has shown nothing")
                for qos in [1, 2] {
                    let numbers = messages.filter { $0.qos == qos }.map(\.number)
                    let what = "\(each.name), QoS \(qos), \(last) messages, seed \(seed)"
                    let lost = Set(1...max(1, last)).subtracting(numbers).sorted()
                    #expect(lost.isEmpty, "\(what): lost \(lost.count): \(lost.prefix(20))")
                    let firsts = numbers.firsts
                    #expect(firsts == firsts.sorted(), "\(what): out of order: \(firsts.descents.prefix(20))")
                    if qos == 2 {
                        let twice = Dictionary(numbers.map { ($0, 1) }, uniquingKeysWith: +).filter { $0.value > 1 }
                        #expect(twice.isEmpty, "\(what): \(twice.count) came twice: \(twice.keys.sorted().prefix(20))")
                    }
                    print("\(what): \(numbers.count - firsts.count) repeated")
                }
            }
            await broker.kill()
        } catch {
            print("seed \(seed); the broker's last words:\n\(await broker.lastWords)")
            await broker.kill()
            throw error
        }
    }
}

/// A broker whose sessions are on disk, on a port that stays the same.
///
/// `KILL_BROKER=mosquitto` puts Mosquitto in its place, which is stopped cleanly instead of killed, as it saves its
/// sessions only then: that shows whether a finding is the broker's or the test's.
private actor MortalBroker {
    nonisolated let port: Int
    private let isOurs = getenv("KILL_BROKER").map { String(cString: $0) } != "mosquitto"
    private let directory: TemporaryDirectory
    private let configuration: String
    private let errors = LineLog(limit: 1_000)
    private var program: Program?

    static func start() async throws -> MortalBroker {
        let broker = try MortalBroker()
        try await broker.live()
        return broker
    }

    private init() throws {
        directory = try TemporaryDirectory()
        port = try freePort()
        let lines = [
            "listener \(port) 127.0.0.1", "allow_anonymous true", "persistence true",
            "persistence_location \(directory.path)/", "max_queued_messages 10000",
        ]
        let only = isOurs ? [] : ["user root", "set_tcp_nodelay true"]
        configuration = try directory.write((lines + only).joined(separator: "\n") + "\n", to: "mosquitto.conf")
    }

    private func live() async throws {
        program =
            isOurs
            ? try await Program.start(
                Program.built("fieldpost"), ["broker", "--mosquitto-conf", configuration], errors: errors)
            : try await Program.start(systemProgram("mosquitto"), ["-c", configuration], errors: errors)
        let port = port
        try await eventually(within: .seconds(10), "a broker that accepts connections") { accepts(port: port) }
    }

    /// Dies and lives again.
    func die() async throws {
        if isOurs {
            await program?.kill()
        } else {
            program?.send(SIGTERM)
            try await program?.wait()
        }
        try await live()
    }

    func kill() async { await program?.kill() }

    var lastWords: String { get async { await errors.lines.suffix(30).joined(separator: "\n") } }
}

/// One publisher and one subscriber.
private protocol Traffic: Sendable {
    var name: String { get }
    /// Publishes no more, waits until the broker has acknowledged all and delivered what it acknowledged.
    ///
    /// - Returns: the last number, and what arrived.
    func finish() async throws -> (last: Int, messages: [Numbered])
}

private struct Numbered: Sendable {
    let qos: Int
    let number: Int
}

/// Paho's Python clients, each a process.
private struct PahoTraffic: Traffic {
    let name: String
    private let subscriber: Program
    private let publisher: Program

    static func start(port: Int, version: Int) async throws -> PahoTraffic {
        let name = "paho-\(version)"
        let script = String(#filePath.dropLast("BrokerKillTests.swift".count)) + "Python/kill_clients.py"
        func start(_ role: String) async throws -> Program {
            // Debian's Python has Debian's Paho.
            let program = try await Program.start("/usr/bin/python3", [script, role, "\(port)", "\(version)", name])
            try await program.output.line(containing: "ready")
            return program
        }
        let subscriber = try await start("subscribe")
        return PahoTraffic(name: name, subscriber: subscriber, publisher: try await start("publish"))
    }

    func finish() async throws -> (last: Int, messages: [Numbered]) {
        publisher.send(SIGTERM)
        let words = try await publisher.output.line(containing: "done", timeout: .seconds(30)).split(separator: " ")
        let last = words.count > 1 ? Int(words[1]) ?? 0 : 0
        let expected = Set((1...2).map { "\($0) \(last)" })
        // The last ones come last, unless they are lost: that is for the caller to see.
        _ = try? await subscriber.output.wait(timeout: .seconds(20)) { expected.isSubset(of: $0.suffix(50)) }
        try await Task.sleep(for: .milliseconds(300))
        subscriber.send(SIGTERM)
        try await subscriber.output.line(containing: "done")
        for program in [publisher, subscriber] {
            let lost = await program.output.lines.filter { $0.hasPrefix("lost") || $0.hasPrefix("refused") }
            #expect(lost.isEmpty, "\(name): \(lost)")
            let complaints = await program.errors.lines
            #expect(complaints.isEmpty, "\(name): \(complaints.suffix(10))")
        }
        let messages = await subscriber.output.lines.compactMap { line -> Numbered? in
            let parts = line.split(separator: " ")
            guard parts.count == 2, let qos = Int(parts[0]), let number = Int(parts[1]) else { return nil }
            return Numbered(qos: qos, number: number)
        }
        return (last, messages)
    }
}

/// Our own clients, in this process.
private actor OwnTraffic: Traffic {
    nonisolated let name = "ours"
    private let publisher: MQTTClient
    private let subscriber: MQTTClient
    private var messages: [Numbered] = []
    private var last = 0
    private var isStopping = false
    private var forgotten = 0
    private var tasks: [Task<Void, any Error>] = []

    static func start(port: Int) async throws -> OwnTraffic {
        let traffic = OwnTraffic(port: port)
        try await traffic.begin()
        return traffic
    }

    private init(port: Int) {
        func client(_ role: String) -> MQTTClient {
            var configuration = ClientConfiguration(
                endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: .v5, clientIdentifier: "\(role)-ours")
            // Without Clean Start: Mosquitto 2.0.11 does not save a session whose last connection had begun it.
            configuration.resumesEarlierSession = true
            configuration.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(50))
            return MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        }
        publisher = client("publish")
        subscriber = client("subscribe")
    }

    private func begin() async throws {
        for client in [publisher, subscriber] {
            tasks.append(Task { await client.run() })
            tasks.append(
                Task {
                    for await case .connected(let result) in client.events where result.number > 1 {
                        if !result.sessionPresent { forgotten += 1 }
                    }
                })
        }
        try await subscriber.subscribe([Subscription(filter: try TopicFilter("kill/ours/+"), qos: .exactlyOnce)])
        tasks.append(
            Task {
                for await message in subscriber.messages {
                    guard let qos = Int(message.topic.string.suffix(1)),
                        let number = Int(String(buffer: message.payload))
                    else { continue }
                    messages.append(Numbered(qos: qos, number: number))
                }
            })
        tasks.append(
            Task {
                while !isStopping {
                    last += 1
                    for qos in [QoS.atLeastOnce, .exactlyOnce] {
                        try await publisher.publish(
                            Message(
                                topic: try TopicName("kill/ours/\(qos.rawValue)"),
                                payload: ByteBuffer(string: "\(last)"),
                                qos: qos))
                    }
                    // It must not run ahead of a broker that is dead half of the time.
                    try await eventually("fewer messages that wait") { try await publisher.pendingCount() < 40 }
                    try await Task.sleep(for: .milliseconds(10))
                }
            })
    }

    func finish() async throws -> (last: Int, messages: [Numbered]) {
        isStopping = true
        try await tasks.last?.value
        try await eventually("\(name): acknowledgements of all messages") { try await publisher.pendingCount() == 0 }
        let last = last
        _ = try? await eventually(within: .seconds(20), "the last message") {
            (1...2).allSatisfy { qos in messages.suffix(50).contains { $0.qos == qos && $0.number == last } }
        }
        try await Task.sleep(for: .milliseconds(300))
        await publisher.disconnect()
        await subscriber.disconnect()
        #expect(forgotten == 0, "\(name): the broker has forgotten sessions")
        return (last, messages)
    }
}

extension [Int] {
    /// Each number where it came first.
    fileprivate var firsts: [Int] {
        var seen: Set<Int> = []
        return filter { seen.insert($0).inserted }
    }

    /// Where the order breaks.
    fileprivate var descents: [String] { zip(self, dropFirst()).filter { $0 > $1 }.map { "\($0) before \($1)" } }
}

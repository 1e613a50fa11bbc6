import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import Synchronization
import Units

@testable import Uplink

/// A board without a network: the queue, the profile, and whoever plays the client.
final class SparkplugBoard {
    final class Clock: Sendable {
        private let offset = Mutex(Duration.zero)
        private let start = ContinuousClock.now
        var now: ContinuousClock.Instant { start + offset.withLock { $0 } }
        func advance(by step: Duration) { offset.withLock { $0 += step } }
    }

    let settings: SparkplugSettings
    let memory = MemoryStore()
    let clock = Clock()
    let outputs: Set<String>
    let proof: Duration
    private(set) var store: SparkplugStore
    var connection = 0
    var bdSeq: UInt8 = 0
    /// In milliseconds: each thing that happens has its own time.
    var time: Int64 = 0

    init(_ settings: SparkplugSettings, outputs: Set<String> = [], proof: Duration = .seconds(30)) {
        self.settings = settings
        self.outputs = outputs
        self.proof = proof
        store = Self.store(memory, settings, outputs, proof, clock)
    }

    private static func store(
        _ memory: MemoryStore, _ settings: SparkplugSettings, _ outputs: Set<String>, _ proof: Duration, _ clock: Clock
    ) -> SparkplugStore {
        SparkplugStore(
            memory, settings: settings, outputs: outputs, proof: proof, clock: { clock.now },
            wallClock: { Timestamp(milliseconds: 0) })
    }

    /// The process ends, the queue stays.
    func restart() {
        memory.rewind()
        store = Self.store(memory, settings, outputs, proof, clock)
    }

    /// - Returns: the will.
    @discardableResult
    func connect(opening: Bool = true) async throws -> Will {
        connection += 1
        bdSeq &+= 1
        let will = try store.will(connection: connection, bdSeq: bdSeq)
        try await store.connectionBegan()
        if opening { store.open(connection: connection) }
        return will
    }

    func report(_ report: Report) async throws {
        _ = try await store.append(try SparkplugProfile(settings).messages(for: report, sequence: 0))
    }

    /// - Returns: when.
    @discardableResult
    func read(_ sensor: String, _ value: Reading.Value, channel: String? = nil) async throws -> Int64 {
        time += 1
        let now = Timestamp(milliseconds: time)
        try await report(.readings([Reading(sensor: sensor, channel: channel, value: value, time: now)]))
        return time
    }

    func fail(_ sensor: String, channel: String? = nil) async throws {
        time += 1
        try await report(
            .failure(sensor: sensor, channel: channel, reason: "gone", time: Timestamp(milliseconds: time)))
    }

    /// All that the store gives out now.
    func take(acknowledging: Bool = true) async throws -> [Message] {
        var messages: [Message] = []
        while true {
            let batch = try await store.next(maximumCount: 20, maximumBytes: 1 << 20, maximumBacklog: .max)
            if batch.isEmpty { return messages }
            messages += batch.map(\.message)
            if acknowledging { try await store.acknowledge(batch.map(\.id)) }
        }
    }

    /// What the store gives out now, as a transcript.
    func said(acknowledging: Bool = true) async throws -> [String] {
        try await take(acknowledging: acknowledging).map { try Self.text($0) }
    }

    func command(_ metrics: [SparkplugMetric], device: String? = nil) throws -> [SparkplugAction]? {
        try store.receive(settings.topic(.command, device: device), SparkplugPayload(metrics: metrics).encoded)
    }

    func state(_ text: String) throws -> [SparkplugAction]? {
        try store.receive(TopicName(settings.stateTopic ?? "none"), ByteBuffer(string: text))
    }

    /// `NDATA 3 a=1.5 b=null!bad old:c=true`: the verb and the device, the sequence number, the metrics; without what all births have.
    static func text(_ message: Message) throws -> String {
        let payload = try SparkplugPayload(decoding: message.payload)
        let levels = message.topic.string.split(separator: "/")
        var words = [levels[2] + (levels.count > 4 ? ":\(levels[4])" : "")]
        if let seq = payload.seq { words.append("\(seq)") }
        for metric in payload.metrics where metric.name != "Node Control/Rebirth" {
            let value =
                switch metric.value {
                case .double(let number): "\(number)"
                case .boolean(let boolean): "\(boolean)"
                case .string(let text): text
                case .long(let number): "\(number)"
                case nil: "null"
                default: "?"
                }
            let quality = metric.quality.map { $0 == .good ? "" : "!\($0)" } ?? ""
            words.append("\(metric.isHistorical ? "old:" : "")\(metric.name ?? "?")=\(value)\(quality)")
        }
        return words.joined(separator: " ")
    }
}

import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@testable import Uplink

/// A host application as the specification has it, which believes nothing.
private struct Host {
    struct Metric: Equatable {
        var value: SparkplugValue?
        var type: SparkplugType?
        var quality: SparkplugQuality
        var time: Int64
    }

    var isOnline = false
    var bdSeq: UInt64 = 0
    var seq: UInt8 = 0
    var parts: [String: [String: Metric]] = [:]
    /// Each value that was ever told, by metric and time.
    var history: Set<String> = []
    var violations: [String] = []

    mutating func receive(_ message: Message) throws {
        let levels = message.topic.string.split(separator: "/").map(String.init)
        let payload = try SparkplugPayload(decoding: message.payload)
        let device = levels.count > 4 ? levels[4] : ""
        let verb = levels[2]
        if verb == "NDEATH" {
            if case .long(bdSeq)? = payload.metrics.first?.value {
                isOnline = false
                parts = [:]
            }
            return
        }
        if verb == "NBIRTH" {
            isOnline = true
            parts = ["": [:]]
            if payload.seq != 0 { violations.append("NBIRTH with seq \(payload.seq ?? 0)") }
            guard case .long(let number)? = payload.metrics.first(where: { $0.name == "bdSeq" })?.value,
                payload.metrics.contains(where: { $0.name == "Node Control/Rebirth" && $0.value == .boolean(false) })
            else { return violations.append("NBIRTH without what it must have") }
            bdSeq = number
            seq = 0
        } else {
            guard isOnline else { return violations.append("\(verb) before NBIRTH") }
            seq &+= 1
            if payload.seq != seq { violations.append("\(verb) with seq \(payload.seq ?? 0) instead of \(seq)") }
        }
        switch verb {
        case "NBIRTH", "DBIRTH":
            var times: [Int64] = []
            parts[device] = [:]
            for metric in payload.metrics {
                guard let name = metric.name, let type = metric.type, let time = metric.time else {
                    violations.append("a birth with an incomplete metric")
                    continue
                }
                if name == "bdSeq" || name == "Node Control/Rebirth" { continue }
                times.append(time.milliseconds)
                tell(name, metric.value, time)
                parts[device]?[name] = Metric(
                    value: metric.value, type: type, quality: metric.quality ?? .good, time: time.milliseconds)
            }
            if times != times.sorted() { violations.append("a birth whose metrics are not in the order of time") }
        case "NDATA", "DDATA":
            guard parts[device] != nil else { return violations.append("\(verb) of \(device), which is not born") }
            for metric in payload.metrics {
                guard let name = metric.name, let time = metric.time, var known = parts[device]?[name] else {
                    violations.append("\(verb) of \(metric.name ?? "?"), which was not born")
                    continue
                }
                tell(name, metric.value, time)
                if metric.isHistorical { continue }
                if let type = metric.type, type != known.type { violations.append("\(name) of another type") }
                known.value = metric.value
                known.quality = metric.quality ?? known.quality
                if time.milliseconds < known.time { violations.append("\(name) goes back in time") }
                known.time = time.milliseconds
                parts[device]?[name] = known
            }
        case "DDEATH":
            if parts.removeValue(forKey: device) == nil { violations.append("DDEATH of what is not alive") }
        default: violations.append(verb)
        }
    }

    private mutating func tell(_ name: String, _ value: SparkplugValue?, _ time: Timestamp) {
        if let value { history.insert("\(name) \(value) \(time.milliseconds)") }
    }
}

/// Readings, failures, cuts at any place, kills, late wills, rebirth commands, hosts that go and come: whatever happens,
/// a host sees no gap in a session, gets every value at least once, and has the node's picture at the end.
@Suite struct SparkplugSimulationTests {
    @Test(arguments: 0..<250 as Range<UInt64>)
    func theHostsPictureIsTheNodes(seed: UInt64) async throws {
        var run = try Run(seed: seed)
        for _ in 0..<250 { try await run.step() }
        try await run.finish()
    }

    private struct Run {
        var generator: SplitMix64
        let board: SparkplugBoard
        var host = Host()
        /// Written, and on its way.
        var line: [(message: Message, written: ContinuousClock.Instant)] = []
        var will: Will?
        /// Wills of connections that the server has not given up yet.
        var lateWills: [Will] = []
        var isUp = false
        var hostTime = 0
        var told: Set<String> = []
        let hasHost: Bool
        let sensors = ["temp", "level", "flow", "cpu"]

        init(seed: UInt64) throws {
            generator = SplitMix64(seed: seed)
            hasHost = seed % 3 == 0
            board = SparkplugBoard(
                try SparkplugSettings(
                    group: "g", node: "n", devices: ["boiler": ["temp", "level"], "pump": ["flow"]],
                    primaryHost: hasHost ? "scada" : nil, rebirthWait: .seconds(1)), proof: .seconds(30))
        }

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

        mutating func step() async throws {
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<3: try await alarm()
            case 3..<35: try await read(sensors.randomElement(using: &generator) ?? "temp")
            case 35..<42: try await board.fail(sensors.randomElement(using: &generator) ?? "temp")
            case 42..<62: try await pump(Int.random(in: 1...5, using: &generator))
            case 62..<82: try deliver(Int.random(in: 1...20, using: &generator))
            case 82..<88: try pass(.milliseconds(Int.random(in: 1...40_000, using: &generator)))
            case 88..<91:
                let metric = SparkplugMetric("Node Control/Rebirth", .boolean(true), type: .boolean)
                _ = try board.command([metric])
            case 91..<93: if !lateWills.isEmpty { try receiveWill(lateWills.removeFirst()) }
            case 93..<95: if hasHost { try setHost(online: chance(50)) }
            case 95..<96:
                if isUp { cut() }
                board.restart()
            default: if isUp { cut() } else { try await connect() }
            }
        }

        mutating func read(_ sensor: String) async throws {
            let value: Reading.Value =
                chance(90) ? .number(Double(generator.next() % 100)) : .text("t\(generator.next() % 9)")
            let channel = sensor == "level" ? ["low", "high"].randomElement(using: &generator) : nil
            let time = try await board.read(sensor, value, channel: channel)
            told.insert("\(sensor)\(channel.map { "/\($0)" } ?? "") \(SparkplugValue(value)) \(time)")
        }

        /// Goes before all readings.
        @discardableResult
        mutating func alarm() async throws -> Bool {
            let isActive = chance(50)
            board.time += 1
            try await board.report(
                .alarm(
                    AlarmReport(
                        alarm: "full", sensor: "level", state: isActive ? .raised : .cleared, isActive: isActive,
                        severity: .warning, time: Timestamp(milliseconds: board.time))))
            told.insert("Alarms/full/Active \(SparkplugValue.boolean(isActive)) \(board.time)")
            return isActive
        }

        /// The client takes what it gets, and writes it.
        mutating func pump(_ count: Int) async throws {
            guard isUp else { return }
            let batch = try await board.store.next(maximumCount: count, maximumBytes: 1 << 20, maximumBacklog: .max)
            line += batch.map { ($0.message, board.clock.now) }
            try await board.store.acknowledge(batch.map(\.id))
        }

        mutating func deliver(_ count: Int) throws {
            for (message, _) in line.prefix(count) { try host.receive(message) }
            line.removeFirst(min(count, line.count))
        }

        /// A line that carries nothing for so long is noticed before the proof is over.
        mutating func pass(_ duration: Duration) throws {
            let now = board.clock.now + duration
            if let first = line.first, first.written + .seconds(29) < now {
                if chance(50) { cut() } else { try deliver(line.count) }
            }
            board.clock.advance(by: duration)
        }

        mutating func connect() async throws {
            // The server has only one connection of ours: the old one's will goes out before, or it has gone already.
            will = try await board.connect(opening: false)
            isUp = true
            board.store.open(connection: board.connection)
            if hasHost { try setHost(online: chance(80)) }
        }

        mutating func cut() {
            isUp = false
            // What the server has got by then is passed on, what is in the sockets is lost.
            try? deliver(Int.random(in: 0...line.count, using: &generator))
            line = []
            if let will { lateWills.append(will) }
            will = nil
            board.store.connectionEnded()
        }

        mutating func receiveWill(_ will: Will) throws {
            try host.receive(Message(topic: will.topic, payload: will.payload))
            if isUp { _ = try board.store.receive(will.topic, will.payload) }
        }

        mutating func setHost(online: Bool) throws {
            hostTime += 1
            guard isUp else { return }
            for action in try board.state(#"{"online":\#(online),"timestamp":\#(hostTime)}"#) ?? [] {
                guard case .hostOffline(let death?) = action else { continue }
                // It goes the way of all, behind what was written before, and ahead of the goodbye.
                line.append((death, board.clock.now))
                try deliver(line.count)
                will = nil
                isUp = false
                board.store.connectionEnded()
            }
        }

        mutating func finish() async throws {
            if !isUp { try await connect() }
            var expected: [String: SparkplugValue?] = [:]
            for sensor in sensors {
                if chance(30) {
                    try await board.fail(sensor)
                    for channel in ["", "/low", "/high"] { expected[sensor + channel] = .some(nil) }
                } else {
                    for channel in sensor == "level" ? ["low", "high"] : [nil] {
                        let value = Double(generator.next() % 100)
                        let time = try await board.read(sensor, .number(value), channel: channel)
                        let name = sensor + (channel.map { "/\($0)" } ?? "")
                        expected[name] = .double(value)
                        told.insert("\(name) \(SparkplugValue.double(value)) \(time)")
                    }
                }
            }
            let isActive = try await alarm()
            if !isUp { try await connect() }
            if hasHost { try setHost(online: true) }
            for _ in 0..<10 {
                board.clock.advance(by: .seconds(2))
                for message in try await board.take() { line.append((message, board.clock.now)) }
                try deliver(line.count)
            }
            for will in lateWills { try receiveWill(will) }
            #expect(host.violations == [])
            #expect(host.isOnline)
            #expect(told.subtracting(host.history) == [], "lost")
            #expect(host.parts[""]?["Alarms/full/Active"]?.value == .boolean(isActive))
            for (device, names) in ["": ["cpu"], "pump": ["flow"], "boiler": ["temp", "level/low", "level/high"]] {
                let isDead = !device.isEmpty && names.allSatisfy { expected[$0] == .some(nil) }
                #expect((host.parts[device] == nil) == isDead, "\(device)")
                for name in names {
                    // After a restart a sensor that only fails has no metrics.
                    guard let metric = host.parts[device]?[name], let value = expected[name] else { continue }
                    #expect(metric.value == value, "\(name)")
                    #expect((metric.quality == .good) == (value != nil), "\(name)")
                }
                for name in names where expected[name] != .some(nil) { #expect(host.parts[device]?[name] != nil) }
            }
            board.clock.advance(by: .seconds(31))
            _ = try await board.take()
            #expect(board.memory.pendingCount() == 0)
        }
    }
}

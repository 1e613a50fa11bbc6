import Dispatching
import Pipeline
import Settings
import Units

/// So many seconds behind a noon.
func noon(_ seconds: Int) -> Timestamp { Timestamp(milliseconds: 1_767_268_800_000 + Int64(seconds) * 1000) }

/// A place so many metres north of the bin.
func north(_ metres: Double) -> Position { Position(latitude: metres / 111_195, longitude: 0) }

extension DispatchInput {
    static func alarm(
        _ state: AlarmState, _ alarm: String = "full", of device: String = "bin", active: Bool? = nil,
        severity: AlarmSeverity = .warning, time: Timestamp? = nil, at position: Position? = north(0)
    ) -> DispatchInput {
        .alarm(
            AlarmNotice(
                device: device, alarm: alarm, state: state, isActive: active, severity: severity, value: 91.2,
                unit: "%", time: time, position: position))
    }

    static func worker(
        _ name: String, _ metres: Double? = nil, load: Int = 0, onDuty: Bool = true, time: Timestamp? = nil
    ) -> DispatchInput {
        .worker(
            WorkerNotice(worker: name, position: metres.map(north), load: load, isOnDuty: onDuty, time: time))
    }
}

/// What is to be done, briefly; summaries apart.
func brief(_ actions: [DispatchAction]) -> [String] {
    actions.compactMap { action in
        switch action {
        case .offer(_, let worker, _, _): "offer \(worker)"
        case .confirm(_, let worker): "confirm \(worker)"
        case .withdraw(_, let worker, let reason): "withdraw \(worker): \(reason.rawValue)"
        case .forget(_, let worker): "forget \(worker)"
        case .acknowledge(let device, let alarm, let worker, _): "acknowledge \(device)/\(alarm) by \(worker)"
        case .unassigned: "unassigned"
        case .summary, .forgetSummary: nil
        }
    }
}

/// As it comes back from a file.
func kept(_ json: JSON) throws -> JSON { try JSONReader.value(Array(json.text.utf8)[...]) }

extension [String: JSON] {
    mutating func keep(_ changes: [String: JSON?]) throws {
        for (name, value) in changes { self[name] = try value.map(kept) }
    }
}

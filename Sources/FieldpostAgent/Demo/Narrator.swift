internal import Units

/// Makes lines for people of what comes over MQTT, and knows of nothing else.
struct Narrator: Sendable {
    struct Line: Sendable, Hashable {
        var who: String
        var what: String
    }

    /// What can be waited for.
    enum Event: Sendable, Hashable {
        case raised(alarm: String)
        case asked(alarm: String, worker: String)
        case unanswered(alarm: String, worker: String)
        case goes(alarm: String, worker: String)
        case acknowledged(alarm: String, by: String)
        case emptied(bin: String)
        case cleared(alarm: String)
        case withdrawn(alarm: String, worker: String)
    }

    /// What came this long ago came late.
    private static let late = Duration.seconds(2)
    /// In per cent: who had that much more before was emptied.
    private static let drop = 50.0

    /// How often.
    private(set) var events: [Event: Int] = [:]
    /// When each alarm was raised last, as its board says, and when that came.
    private(set) var alarms: [String: (raised: Timestamp, heard: Timestamp)] = [:]
    private var levels: [String: Double] = [:]
    private var states: [String: String] = [:]

    /// Those who have said whether they are on duty.
    private(set) var workers: Set<String> = []

    /// - Parameters:
    ///   - topic: as it came.
    ///   - payload: an empty one counts as `null`.
    ///   - now: when it came.
    mutating func take(_ topic: String, _ payload: JSON, at now: Timestamp) -> [Line] {
        let levels = topic.split(separator: "/").dropFirst().map(String.init)
        switch (levels.count, levels.first, levels.dropFirst().first) {
        case (2, _, "status"): return status(payload)
        case (3, "dispatch", "worker"): return worker(levels[2], payload)
        case (5, "dispatch", "worker") where levels[3] == "task": return task(of: levels[2], payload)
        case (3, _, "alarm"): return alarm(levels[2], payload, at: now)
        case (2, _, let sensor?): return reading(of: sensor, payload)
        default: return []
        }
    }

    private mutating func note(_ event: Event, _ who: String, _ what: String) -> [Line] {
        events[event, default: 0] += 1
        return [Line(who: who, what: what)]
    }

    private func status(_ status: JSON) -> [Line] {
        guard let state = status["state"]?.string else { return [] }
        let reason = status["reason"]?.string
        let will = reason == "connection lost" ? "   <- the will, published by the broker" : ""
        let run = ["boot", "connection"].map { "\($0) \(status[$0]?.text ?? "?")" }.joined(separator: ", ")
        return [Line(who: "status", what: "\(state)\(reason.map { ": \($0)" } ?? "") (\(run))\(will)")]
    }

    private mutating func worker(_ name: String, _ notice: JSON) -> [Line] {
        guard let isOnDuty = notice["on_duty"]?.boolean else { return [] }
        workers.insert(name)
        let load = Int64(notice["load"]?.number ?? 0)
        let work = load == 0 ? "nothing to do" : load == 1 ? "one task" : "\(load) tasks"
        return [Line(who: "worker", what: isOnDuty ? "\(name) is on duty and has \(work)" : "\(name) is off duty")]
    }

    private mutating func task(of worker: String, _ task: JSON) -> [Line] {
        guard let state = task["state"]?.string, let alarm = task["alarm"]?.string else { return [] }
        switch state {
        case "offered":
            let distance = task["distance"]?.number.map { ", \(Int64($0)) m away" } ?? ""
            let all = task["escalated"]?.boolean == true ? ", as everybody who is there" : ""
            return note(.asked(alarm: alarm, worker: worker), "dispatch", "asked: \(worker)\(distance)\(all)")
        case "accepted": return note(.goes(alarm: alarm, worker: worker), "dispatch", "\(worker) goes")
        default: break
        }
        switch task["reason"]?.string {
        case "no answer":
            return note(.unanswered(alarm: alarm, worker: worker), "dispatch", "\(worker) does not answer")
        case "cleared":
            return note(
                .withdrawn(alarm: alarm, worker: worker), "dispatch", "\(worker)'s task withdrawn: nothing left to do")
        case let reason: return [Line(who: "dispatch", what: "\(worker) need not go: \(reason ?? state)")]
        }
    }

    private mutating func alarm(_ name: String, _ alarm: JSON, at now: Timestamp) -> [Line] {
        guard let state = alarm["state"]?.string else { return [] }
        let former = states.updateValue(state, forKey: name)
        let sensor = alarm["sensor"]?.string ?? name
        let time = alarm["time"]?.string.flatMap(Timestamp.init(iso8601:))
        let age = time.map { now - $0 }.flatMap { $0 > Self.late ? $0 : nil }
        let since = age.map { ", \(Demonstration.text($0)) ago, by its own time" } ?? ""
        switch state {
        case "raised":
            if let time { alarms[name] = (time, now) }
            let severity = alarm["severity"]?.string ?? "?"
            return note(
                .raised(alarm: name), "alarm", "\(sensor) is \(percent(alarm)) full: alarm raised (\(severity))\(since)"
            )
        case "acknowledged":
            let worker = alarm["by"]?.string ?? "?"
            return note(.acknowledged(alarm: name, by: worker), "alarm", "alarm acknowledged by \(worker)\(since)")
        default:
            // The first that is heard of an alarm is that it is clear.
            guard former != nil, former != "cleared" else { return [] }
            return note(.cleared(alarm: name), "alarm", "alarm cleared: \(sensor) is \(percent(alarm)) full\(since)")
        }
    }

    private mutating func reading(of sensor: String, _ reading: JSON) -> [Line] {
        guard reading["unit"]?.string == "%", let level = reading["value"]?.number,
            let former = levels.updateValue(level, forKey: sensor), former - level >= Self.drop
        else { return [] }
        return note(.emptied(bin: sensor), "bins", "\(sensor) was emptied: \(percent(reading))")
    }

    private func percent(_ json: JSON) -> String {
        json["value"]?.number.map { "\(Int64(min(max($0, -1000), 1000).rounded())) %" } ?? "?"
    }
}

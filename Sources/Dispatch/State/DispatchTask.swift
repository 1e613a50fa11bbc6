public import Pipeline
public import Units

/// Which alarm of which device.
public struct AlarmKey: Sendable, Hashable, Comparable {
    public var device: String
    public var alarm: String

    public init(device: String, alarm: String) {
        self.device = device
        self.alarm = alarm
    }

    public static func < (left: Self, right: Self) -> Bool {
        (left.device, left.alarm) < (right.device, right.alarm)
    }
}

/// An alarm that somebody is to see to.
public struct DispatchTask: Sendable, Hashable {
    /// Unlike any other's, also after the state was lost.
    public let id: String
    public let key: AlarmKey
    public internal(set) var severity: AlarmSeverity
    public internal(set) var value: JSON?
    public internal(set) var unit: String?
    public internal(set) var position: Position?
    /// When the alarm was raised, or was heard of first.
    public let raisedAt: Timestamp
    public internal(set) var status: Status
    /// Whether several are asked at once, since one by one has led nowhere.
    public internal(set) var isEscalated = false

    /// Who was asked in this round.
    var asked: Set<String> = []
    /// Who has declined in this round, or given it back.
    var declined: Set<String> = []
    var hasAskedAll = false
    /// How often the device was told that somebody goes.
    var acknowledgements = 0
    /// What the device said last, and its own time of it.
    var noticeState: AlarmState
    var noticeTime: Timestamp?

    public enum Status: Sendable, Hashable {
        /// Asked, and not answered.
        case offered([Offer])
        case accepted(by: String, at: Timestamp)
        /// There was nobody to be asked; all are asked anew at that time.
        case waiting(retryAt: Timestamp)
        /// Its worker says so; the device does not yet.
        case done(by: String, at: Timestamp)

        /// As summaries say it.
        var name: String {
            switch self {
            case .offered: "offered"
            case .accepted: "accepted"
            case .waiting: "unassigned"
            case .done: "done"
            }
        }
    }

    public struct Offer: Sendable, Hashable {
        public var worker: String
        public var answerBy: Timestamp
        /// In metres.
        public var distance: Double?
    }

    init(id: String, _ notice: AlarmNotice, position: Position?, at now: Timestamp) {
        self.id = id
        key = AlarmKey(device: notice.device, alarm: notice.alarm)
        severity = notice.severity
        value = notice.value
        unit = notice.unit
        self.position = position
        raisedAt = notice.time ?? now
        status = .waiting(retryAt: now)
        noticeState = notice.state
        noticeTime = notice.time
    }

    /// Begins to ask anew, all but those who have just given it back.
    mutating func beginRound(without declined: Set<String> = []) {
        asked = declined
        self.declined = declined
        hasAskedAll = false
        isEscalated = false
    }

    /// Who has it or is asked.
    var holders: [String] {
        switch status {
        case .offered(let offers): offers.map(\.worker)
        case .accepted(let worker, _): [worker]
        case .waiting, .done: []
        }
    }
}

// MARK: - Keeping

extension DispatchTask {
    var json: JSON {
        var members = [
            JSON.Member("id", .string(id)), JSON.Member("device", .string(key.device)),
            JSON.Member("alarm", .string(key.alarm)), JSON.Member("severity", .string(severity.rawValue)),
            JSON.Member("raised", .integer(raisedAt.milliseconds)), JSON.Member("status", status.json),
            JSON.Member("asked", .array(asked.sorted().map(JSON.string))),
            JSON.Member("declined", .array(declined.sorted().map(JSON.string))),
            JSON.Member("escalated", .boolean(isEscalated)), JSON.Member("all", .boolean(hasAskedAll)),
            JSON.Member("acknowledgements", .integer(Int64(acknowledgements))),
            JSON.Member("state", .string(noticeState.rawValue)),
        ]
        if let value { members.append(JSON.Member("value", value)) }
        if let unit { members.append(JSON.Member("unit", .string(unit))) }
        if let position { members.append(JSON.Member("position", position.json)) }
        if let noticeTime { members.append(JSON.Member("notice", .integer(noticeTime.milliseconds))) }
        return .object(members)
    }

    /// Nil for what is no task.
    init?(_ json: JSON) {
        guard let id = json["id"]?.string, let device = json["device"]?.string, let alarm = json["alarm"]?.string,
            let severity = json["severity"]?.string.flatMap(AlarmSeverity.init),
            let raisedAt = json["raised"]?.timestamp,
            let status = json["status"].flatMap(Status.init)
        else { return nil }
        self.id = id
        key = AlarmKey(device: device, alarm: alarm)
        self.severity = severity
        self.raisedAt = raisedAt
        self.status = status
        value = json["value"]
        unit = json["unit"]?.string
        position = Position(json["position"])
        asked = Set((json["asked"]?.array ?? []).compactMap(\.string))
        declined = Set((json["declined"]?.array ?? []).compactMap(\.string))
        isEscalated = json["escalated"]?.boolean ?? false
        hasAskedAll = json["all"]?.boolean ?? false
        acknowledgements = json["acknowledgements"]?.number.flatMap { Int(exactly: $0) } ?? 0
        noticeState = json["state"]?.string.flatMap(AlarmState.init) ?? .raised
        noticeTime = json["notice"]?.timestamp
    }
}

extension DispatchTask.Status {
    fileprivate var json: JSON {
        switch self {
        case .offered(let offers):
            let all = offers.map { offer in
                JSON.object(
                    [
                        JSON.Member("worker", .string(offer.worker)),
                        JSON.Member("until", .integer(offer.answerBy.milliseconds)),
                    ] + (offer.distance.map { [JSON.Member("distance", .number($0))] } ?? []))
            }
            return ["offers": .array(all)]
        case .accepted(let worker, let time):
            return ["accepted": .string(worker), "at": .integer(time.milliseconds)]
        case .waiting(let time): return ["retry": .integer(time.milliseconds)]
        case .done(let worker, let time): return ["done": .string(worker), "at": .integer(time.milliseconds)]
        }
    }

    fileprivate init?(_ json: JSON) {
        if let offers = json["offers"]?.array {
            let offers = offers.compactMap { json -> DispatchTask.Offer? in
                guard let worker = json["worker"]?.string, let until = json["until"]?.timestamp else { return nil }
                return DispatchTask.Offer(worker: worker, answerBy: until, distance: json["distance"]?.number)
            }
            if offers.isEmpty { return nil }
            self = .offered(offers)
        } else if let worker = json["accepted"]?.string, let time = json["at"]?.timestamp {
            self = .accepted(by: worker, at: time)
        } else if let worker = json["done"]?.string, let time = json["at"]?.timestamp {
            self = .done(by: worker, at: time)
        } else if let time = json["retry"]?.timestamp {
            self = .waiting(retryAt: time)
        } else {
            return nil
        }
    }
}

extension JSON {
    /// A time that durations can be added to.
    var timestamp: Timestamp? {
        number.flatMap { Int64(exactly: $0) }.flatMap { $0.magnitude < 1 << 53 ? Timestamp(milliseconds: $0) : nil }
    }
}

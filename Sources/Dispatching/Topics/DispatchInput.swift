public import Pipeline
public import Units

/// What the dispatcher is told.
public enum DispatchInput: Sendable, Hashable {
    case alarm(AlarmNotice)
    case worker(WorkerNotice)
    case answer(task: String, worker: String, Answer)

    /// What a worker says to a task.
    public enum Answer: String, Sendable, Hashable, CaseIterable {
        case accepted, declined, done
    }
}

/// An alarm's state, as a device tells it.
public struct AlarmNotice: Sendable, Hashable {
    public var device: String
    public var alarm: String
    public var state: AlarmState
    /// Whether the condition holds.
    public var isActive: Bool
    public var severity: AlarmSeverity
    /// A boolean, a number or a text.
    public var value: JSON?
    public var unit: String?
    /// When its state changed; nil where it did not say.
    public var time: Timestamp?
    public var position: Position?

    public init(
        device: String, alarm: String, state: AlarmState, isActive: Bool? = nil, severity: AlarmSeverity = .warning,
        value: JSON? = nil, unit: String? = nil, time: Timestamp? = nil, position: Position? = nil
    ) {
        self.device = device
        self.alarm = alarm
        self.state = state
        self.isActive = isActive ?? (state != .cleared)
        self.severity = severity
        self.value = value
        self.unit = unit
        self.time = time
        self.position = position
    }
}

/// Where a worker is, and what he has to do.
public struct WorkerNotice: Sendable, Hashable {
    public var worker: String
    public var position: Position?
    public var load: Int
    public var isOnDuty: Bool
    /// When that was so; nil where he did not say.
    public var time: Timestamp?

    public init(
        worker: String, position: Position? = nil, load: Int = 0, isOnDuty: Bool = true, time: Timestamp? = nil
    ) {
        self.worker = worker
        self.position = position
        self.load = load
        self.isOnDuty = isOnDuty
        self.time = time
    }
}

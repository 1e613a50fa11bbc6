public import Pipeline
public import Units

/// Who goes: what it costs to send a worker, and who costs least. A function of what it is given, and of nothing else.
///
/// The cost is a distance in metres: how far the worker is from the device, and `taskDistance` more for each task that
/// he has.
///
/// - Who is off duty, or was not heard of for `maximumSilence`, is never sent.
/// - Who has as many tasks as `capacity` says is not sent, unless the alarm is critical.
/// - The tasks count half for a serious alarm, and nothing for a critical one: then the nearest one goes.
/// - A position that is missing, or older than `maximumPositionAge`, counts as `unknownDistance`.
/// - Where the device's place is not known, distance counts nothing, and the tasks decide.
/// - Of those who cost the same, the one with fewer tasks goes; then the one whose name comes first.
public struct DispatchRule: Sendable, Hashable {
    /// Tasks that a worker has at most, 1 and up.
    public var capacity: Int
    /// What a task that a worker has costs, in metres, 0 and up.
    public var taskDistance: Double
    /// How far a worker is whose position is not known, in metres, 0 and up.
    public var unknownDistance: Double
    /// Older positions are not believed.
    public var maximumPositionAge: Duration
    /// Who was not heard of for longer counts as off duty.
    public var maximumSilence: Duration

    public init(
        capacity: Int = 4, taskDistance: Double = 500, unknownDistance: Double = 5000,
        maximumPositionAge: Duration = .seconds(900), maximumSilence: Duration = .seconds(7200)
    ) {
        self.capacity = capacity
        self.taskDistance = taskDistance
        self.unknownDistance = unknownDistance
        self.maximumPositionAge = maximumPositionAge
        self.maximumSilence = maximumSilence
    }

    /// What it costs to send a worker, in metres; nil if he cannot be sent.
    ///
    /// - Parameters:
    ///   - position: the device's.
    ///   - load: the tasks that he has.
    public func cost(
        of worker: Worker, load: Int, severity: AlarmSeverity, position: Position?, at now: Timestamp
    ) -> Double? {
        guard isPresent(worker, at: now), load < capacity || severity == .critical else { return nil }
        let weight =
            switch severity {
            case .info, .warning: 1.0
            case .serious: 0.5
            case .critical: 0.0
            }
        let way = position == nil ? 0 : distance(of: worker, to: position, at: now) ?? unknownDistance
        return way + weight * taskDistance * Double(max(load, 0))
    }

    /// Whether a worker is on duty and was heard of.
    public func isPresent(_ worker: Worker, at now: Timestamp) -> Bool {
        worker.isOnDuty && now - worker.heardAt <= maximumSilence
    }

    /// In metres; nil where one of the positions is not known, or is too old.
    public func distance(of worker: Worker, to position: Position?, at now: Timestamp) -> Double? {
        guard let position, let place = worker.position, now - worker.positionAt <= maximumPositionAge else {
            return nil
        }
        return place.distance(to: position)
    }

    /// Workers in the order in which they are to be asked, without those who cannot be sent.
    ///
    /// - Parameter workers: each with the tasks that he has.
    public func ranking(
        _ workers: some Sequence<(worker: Worker, load: Int)>, severity: AlarmSeverity, position: Position?,
        at now: Timestamp
    ) -> [Worker] {
        workers.compactMap { worker, load in
            cost(of: worker, load: load, severity: severity, position: position, at: now)
                .map { (cost: $0, load: load, worker: worker) }
        }
        .sorted { ($0.cost, $0.load, $0.worker.name) < ($1.cost, $1.load, $1.worker.name) }
        .map(\.worker)
    }
}

/// Somebody who can be sent, as he was last heard of.
public struct Worker: Sendable, Hashable {
    public var name: String
    public var position: Position?
    /// The tasks that he says he has, ours or not.
    public var load: Int
    public var isOnDuty: Bool
    /// When he was there.
    public var positionAt: Timestamp
    public var heardAt: Timestamp

    public init(
        name: String, position: Position? = nil, positionAt: Timestamp? = nil, load: Int = 0, isOnDuty: Bool = true,
        heardAt: Timestamp
    ) {
        self.name = name
        self.position = position
        self.positionAt = positionAt ?? heardAt
        self.load = load
        self.isOnDuty = isOnDuty
        self.heardAt = heardAt
    }
}

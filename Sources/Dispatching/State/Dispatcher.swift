internal import Pipeline
public import Units

/// Sends each alarm to the worker who is best placed: what is heard goes in, what is to be done comes out.
///
///     alarm raised ─▶ offered ──accepts──▶ accepted ──says so──▶ done
///                      │   ▲                  │                   │ not cleared in time
///        nobody left   ▼   │ newcomer, retry  │ gives back, leaves, is silent
///                     waiting ◀───────────────┴───────────────────┘ (asked anew)
///
/// Asked is the one who costs least (``DispatchRule``); who does not answer in time, declines or leaves makes way for the
/// next. After `escalateAfter` of them, or when there is no other, all supervisors are asked at once, then everybody
/// on duty who has not declined. When the alarm is cleared, or its condition is over, the task is withdrawn from whoever
/// has it, and is no more. An alarm that was acknowledged by somebody who was not asked is his.
///
/// The owner keeps ``takeChanges()`` before it carries out the actions, and calls ``resume(at:)`` on each connection.
public struct Dispatcher: Sendable {
    public let settings: DispatchSettings
    public internal(set) var counters = DispatchCounters()

    public private(set) var tasks: [AlarmKey: DispatchTask] = [:]
    public internal(set) var workers: [String: Worker] = [:]
    /// Since when those are expected to be heard of who have or had a task before the start.
    var expected: [String: Timestamp] = [:]
    /// When workers were heard of, as it is kept: a retained message that bears no time is no sign of life.
    private var heard: [String: Timestamp] = [:]
    private var keysByID: [String: AlarmKey] = [:]
    /// By worker: our tasks that he has, or is asked for.
    private(set) var loads: [String: Int] = [:]
    /// What workers were told last of tasks that are not theirs any more, and when it is taken away.
    var farewells: [Farewell: Timestamp] = [:]
    private var lastNumber: Int64 = 0
    /// When workers are listened to, before anybody is asked.
    var listening: Range<Timestamp>?
    /// Tasks that have just lost whoever had them, or are new.
    var unplaced: Set<AlarmKey> = []

    /// What ``finish()`` gives out.
    var actions: [DispatchAction] = []
    private var told: Set<AlarmKey> = []
    private var unsavedTasks: Set<AlarmKey> = []
    private var unsavedFarewells: Set<Farewell> = []
    private var unsavedHeard: Set<String> = []

    struct Farewell: Hashable, Comparable {
        var worker: String
        var task: String

        static func < (left: Self, right: Self) -> Bool { (left.worker, left.task) < (right.worker, right.task) }
    }

    /// - Parameter records: what was kept of ``takeChanges()``; what is no such thing counts as none.
    public init(_ settings: DispatchSettings, records: [String: JSON] = [:], at now: Timestamp) {
        self.settings = settings
        for (name, json) in records.sorted(by: { $0.key < $1.key }) {
            switch name.prefix(while: { $0 != "/" }) {
            case "task":
                if let task = DispatchTask(json), Self.record(task.key) == name { set(task.key, task) }
            case "farewell":
                if let farewell = Farewell(json), Self.record(farewell) == name, let time = json["until"]?.timestamp {
                    farewells[farewell] = time
                }
            case "worker":
                let worker = String(name.dropFirst("worker/".count))
                if heard.count < settings.maximumWorkers, let time = json.timestamp { heard[worker] = time }
            case "number": lastNumber = json.number.flatMap { Int64(exactly: $0) } ?? 0
            default: break
            }
        }
        for worker in loads.keys { expected[worker] = now }
        told = []
        unsavedTasks = []
    }

    // MARK: - What comes in

    /// Takes a message.
    ///
    /// - Parameter isRetained: whether the broker had it before we asked. A worker who says no time was then heard of when
    ///   this dispatcher, or the one before it, last heard of him; now, if none ever has.
    /// - Throws: ``InvalidText`` if it says nothing that is known; that was counted, and has changed nothing.
    public mutating func receive(
        topic: String, payload: ArraySlice<UInt8>, isRetained: Bool = false, at now: Timestamp
    ) throws(InvalidText) -> [DispatchAction] {
        do {
            guard var input = try settings.topics.input(topic: topic, payload: payload) else { return [] }
            if isRetained, case .worker(var notice) = input, notice.time == nil {
                notice.time = workers[notice.worker]?.heardAt ?? heard[notice.worker]
                input = .worker(notice)
            }
            return accept(input, at: now)
        } catch {
            counters.malformed += 1
            throw error
        }
    }

    public mutating func accept(_ input: DispatchInput, at now: Timestamp) -> [DispatchAction] {
        switch input {
        case .alarm(let notice): take(notice, at: now)
        case .worker(let notice): take(notice, at: now)
        case .answer(let id, let worker, let answer):
            workers[worker]?.heardAt = now
            if expected[worker] != nil { expected[worker] = now }
            if let key = keysByID[id], let task = tasks[key] {
                take(answer, of: worker, to: task, at: now)
            } else {
                counters.strayAnswers += 1
            }
        }
        settle(at: now)
        return finish()
    }

    /// Lets time pass: to be called at ``due``, and once a minute at least, for a clock that was set back.
    public mutating func advance(to now: Timestamp) -> [DispatchAction] {
        settle(at: now)
        return finish()
    }

    /// All that workers, devices and the world should know, for a new connection or a new process, which may not have
    /// told it.
    ///
    /// - Parameter patience: so long nobody is asked anew, until all workers are heard of who have told of themselves
    ///   before: the nearest one may be the last.
    public mutating func resume(at now: Timestamp, listening patience: Duration = .zero) -> [DispatchAction] {
        for farewell in farewells.keys.sorted() { forget(farewell) }
        listening = now..<now + max(patience, .zero)
        settle(at: now)
        // They are among all the others.
        actions.removeAll { if case .offer = $0 { true } else { false } }
        for (key, task) in tasks.sorted(by: { $0.key < $1.key }) {
            switch task.status {
            case .offered(let offers):
                for offer in offers {
                    actions.append(
                        .offer(task, to: offer.worker, distance: offer.distance, answerBy: offer.answerBy))
                }
            case .accepted(let worker, _):
                actions.append(.confirm(task, by: worker))
                if task.noticeState == .raised { actions.append(acknowledgement(of: task, by: worker)) }
            case .waiting, .done: break
            }
            told.insert(key)
        }
        return finish()
    }

    /// When ``advance(to:)`` has something to do, if nothing comes before.
    public var due: Timestamp? {
        var due = farewells.values.min()
        func consider(_ time: Timestamp) { due = min(due ?? time, time) }
        for task in tasks.values {
            switch task.status {
            case .offered(let offers): for offer in offers { consider(offer.answerBy) }
            case .accepted(let worker, _):
                if let heardAt = workers[worker]?.heardAt ?? expected[worker] {
                    consider(heardAt + settings.rule.maximumSilence + .milliseconds(1))
                }
            case .waiting(let retryAt): consider(listening?.upperBound ?? retryAt)
            case .done(_, let time): consider(time + settings.clearWithin)
            }
        }
        return due
    }

    // MARK: - What is kept

    /// What has changed since it was last asked, by record; nil: the record is no more.
    public mutating func takeChanges() -> [String: JSON?] {
        var changes: [String: JSON?] = [:]
        for key in unsavedTasks { changes.updateValue(tasks[key]?.json, forKey: Self.record(key)) }
        for farewell in unsavedFarewells {
            changes.updateValue(farewells[farewell].map(farewell.json(until:)), forKey: Self.record(farewell))
        }
        for worker in unsavedHeard {
            changes.updateValue(heard[worker].map { .integer($0.milliseconds) }, forKey: "worker/\(worker)")
        }
        unsavedHeard = []
        if !unsavedTasks.isEmpty { changes["number"] = .integer(lastNumber) }
        unsavedTasks = []
        unsavedFarewells = []
        return changes
    }

    // Names in topics have no slash.
    private static func record(_ key: AlarmKey) -> String { "task/\(key.device)/\(key.alarm)" }
    private static func record(_ farewell: Farewell) -> String { "farewell/\(farewell.worker)/\(farewell.task)" }

    // MARK: - Changes, all of which go through these

    mutating func nextID(at now: Timestamp) -> String {
        lastNumber &+= 1
        return "\(String(now.milliseconds, radix: 36))-\(String(lastNumber, radix: 36))"
    }

    mutating func set(_ key: AlarmKey, _ task: DispatchTask?) {
        let old = tasks[key]
        guard old != task else { return }
        for worker in old?.holders ?? [] {
            let load = loads[worker, default: 0] - 1
            loads[worker] = load > 0 ? load : nil
        }
        for worker in task?.holders ?? [] { loads[worker, default: 0] += 1 }
        if let old { keysByID[old.id] = nil }
        if let task { keysByID[task.id] = key }
        tasks[key] = task
        unsavedTasks.insert(key)
        if old?.status != task?.status || old?.severity != task?.severity || old?.isEscalated != task?.isEscalated {
            told.insert(key)
        }
    }

    mutating func withdraw(_ task: DispatchTask, from worker: String, _ reason: WithdrawalReason, at now: Timestamp) {
        actions.append(.withdraw(task, from: worker, reason: reason))
        let farewell = Farewell(worker: worker, task: task.id)
        remember(farewell, until: now + settings.farewell)
        let (limit, overflow) = settings.maximumTasks.multipliedReportingOverflow(by: 4)
        if !overflow, farewells.count > limit,
            let oldest = farewells.min(by: { ($0.value, $0.key) < ($1.value, $1.key) })?.key
        {
            forget(oldest)
        }
    }

    mutating func remember(_ farewell: Farewell, until time: Timestamp) {
        if farewells.updateValue(time, forKey: farewell) != time { unsavedFarewells.insert(farewell) }
    }

    /// Takes away what a worker was told last.
    mutating func forget(_ farewell: Farewell) {
        actions.append(.forget(task: farewell.task, worker: farewell.worker))
        cancel(farewell)
    }

    /// A worker is told something new of the task.
    mutating func cancel(_ farewell: Farewell) {
        if farewells.removeValue(forKey: farewell) != nil { unsavedFarewells.insert(farewell) }
    }

    /// Keeps when a worker was heard of; not each time, for the disk's sake.
    mutating func keep(_ worker: String, heardAt time: Timestamp?) {
        let old = heard[worker]
        if let time, let old, time >= old, time - old < settings.rule.maximumSilence / 20 { return }
        guard old != time else { return }
        if old == nil, heard.count >= settings.maximumWorkers, let oldest = heard.min(by: { $0.value < $1.value })?.key
        {
            heard[oldest] = nil
            unsavedHeard.insert(oldest)
        }
        heard[worker] = time
        unsavedHeard.insert(worker)
    }

    func acknowledgement(of task: DispatchTask, by worker: String) -> DispatchAction {
        .acknowledge(
            device: task.key.device, alarm: task.key.alarm, by: worker, id: "\(task.id)-\(task.acknowledgements)")
    }

    private mutating func finish() -> [DispatchAction] {
        for key in told.sorted() {
            actions.append(tasks[key].map(DispatchAction.summary) ?? .forgetSummary(key))
        }
        told = []
        defer { actions = [] }
        return actions
    }
}

extension Dispatcher.Farewell {
    fileprivate init?(_ json: JSON) {
        guard let worker = json["worker"]?.string, let task = json["task"]?.string else { return nil }
        self.init(worker: worker, task: task)
    }

    fileprivate func json(until time: Timestamp) -> JSON {
        ["worker": .string(worker), "task": .string(task), "until": .integer(time.milliseconds)]
    }
}

import Pipeline
import TestSupport
import Testing
import Units

@testable import Dispatching

/// Random workers, alarms, answers and restarts, and what must hold whatever happens.
@Suite struct DispatchSimulationTests {
    /// The world: what is retained, and what the workers were told.
    private struct World {
        var settings: DispatchSettings
        var dispatcher: Dispatcher
        var records: [String: JSON] = [:]
        var alarms: [AlarmKey: AlarmNotice] = [:]
        var workers: [String: WorkerNotice] = [:]
        /// By worker and task, what he was told last: "offered", "accepted", "withdrawn".
        var told: [String: [String: String]] = [:]
        var summaries: Set<AlarmKey> = []
        var acknowledgements: [(device: String, alarm: String, by: String)] = []
        var ids: [String: AlarmKey] = [:]

        init(_ settings: DispatchSettings) {
            self.settings = settings
            dispatcher = Dispatcher(settings, at: noon(0))
        }

        mutating func carryOut(_ actions: [DispatchAction], at now: Timestamp) throws {
            try records.keep(dispatcher.takeChanges())
            for action in actions {
                switch action {
                case .offer(let task, let worker, _, let answerBy):
                    told[worker, default: [:]][task.id] = "offered"
                    try #require(answerBy > now)
                    let known = try #require(workers[worker], "an offer to a stranger")
                    try #require(known.isOnDuty, "an offer to somebody off duty")
                    try #require(ids[task.id] ?? task.key == task.key)
                    ids[task.id] = task.key
                case .confirm(let task, let worker): told[worker, default: [:]][task.id] = "accepted"
                case .withdraw(let task, let worker, _): told[worker, default: [:]][task.id] = "withdrawn"
                case .forget(let task, let worker): told[worker]?[task] = nil
                case .acknowledge(let device, let alarm, let worker, _):
                    acknowledgements.append((device, alarm, worker))
                case .summary(let task): summaries.insert(task.key)
                case .forgetSummary(let key): summaries.remove(key)
                case .unassigned: break
                }
            }
            for action in actions {
                guard let message = settings.topics.message(for: action, at: now) else { continue }
                try #require(!message.topic.contains("//") && message.topic.hasPrefix("fieldpost/"))
            }
        }

        mutating func hear(_ input: DispatchInput, at now: Timestamp) throws {
            try carryOut(dispatcher.accept(input, at: now), at: now)
            try check(at: now)
        }

        mutating func advance(to now: Timestamp) throws {
            try carryOut(dispatcher.advance(to: now), at: now)
            try check(at: now)
        }

        /// Killed, and started again with what was kept; the broker tells all that is retained.
        mutating func restart(at now: Timestamp) throws {
            let tasks = dispatcher.tasks
            let before = tasks.mapValues(\.id)
            dispatcher = Dispatcher(settings, records: records, at: now)
            try #require(dispatcher.tasks == tasks)
            let actions = dispatcher.resume(at: now)
            let offers = actions.filter { if case .offer = $0 { true } else { false } }
            try #require(Set(offers).count == offers.count, "each offer once")
            try carryOut(actions, at: now)
            for notice in workers.values { try carryOut(dispatcher.accept(.worker(notice), at: now), at: now) }
            for notice in alarms.values { try carryOut(dispatcher.accept(.alarm(notice), at: now), at: now) }
            for (key, id) in before where dispatcher.tasks[key] != nil {
                try #require(dispatcher.tasks[key]?.id == id, "no second task")
            }
            try check(at: now)
        }

        func check(at now: Timestamp) throws {
            var loads: [String: Int] = [:]
            for (key, task) in dispatcher.tasks {
                let alarm = try #require(alarms[key])
                try #require(alarm.isActive, "a task without an alarm")
                for worker in task.holders { loads[worker, default: 0] += 1 }
                let holding = told.filter { $0.value[task.id] == "accepted" }.map(\.key)
                let asked = told.filter { $0.value[task.id] == "offered" }.map(\.key).sorted()
                switch task.status {
                case .accepted(let worker, _):
                    try #require(holding == [worker])
                    try #require(asked == [])
                case .offered(let offers):
                    try #require(holding == [])
                    try #require(asked == offers.map(\.worker).sorted() && !asked.isEmpty)
                    try #require(asked.allSatisfy { workers[$0]?.isOnDuty == true })
                case .done, .waiting: try #require(holding == [] && asked == [])
                }
                // Whoever could have it was asked, and will be again in time.
                if case .waiting(let retryAt) = task.status {
                    try #require(retryAt > now && retryAt <= now + settings.retryAfter)
                    let free = settings.rule.ranking(
                        dispatcher.workers.values.map { ($0, max($0.load, dispatcher.loads[$0.name] ?? 0)) },
                        severity: task.severity, position: task.position, at: now)
                    try #require(free.allSatisfy { task.asked.contains($0.name) })
                    try #require(task.hasAskedAll || free.allSatisfy { task.declined.contains($0.name) })
                }
            }
            try #require(dispatcher.loads == loads)
            for (key, alarm) in alarms where alarm.state == .raised && alarm.isActive {
                try #require(dispatcher.tasks[key] != nil, "a raised alarm without a task")
            }
            let open = Set(dispatcher.tasks.values.map(\.id))
            for tasks in told.values {
                for (id, state) in tasks where state != "withdrawn" {
                    try #require(open.contains(id), "what is over is withdrawn")
                }
            }
            try #require(summaries == Set(dispatcher.tasks.keys))
            try #require(dispatcher.due.map { $0 > now } ?? true, "nothing is due at once")
        }
    }

    @Test(arguments: 0..<25 as Range<UInt64>)
    func whateverHappensEachAlarmHasOneWorkerAtMost(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }
        var settings = DispatchSettings()
        settings.rule.capacity = Int.random(in: 1...3, using: &generator)
        settings.escalateAfter = Int.random(in: 0...3, using: &generator)
        settings.supervisors = chance(2) ? ["w0", "w1"] : []
        settings.maximumTasks = 50
        var world = World(settings)
        var now = 0
        for step in 0..<250 {
            now += chance(3) ? Int.random(in: 0...400, using: &generator) : 1
            if chance(100) { now -= Int.random(in: 0...5000, using: &generator) }
            let time = noon(now)
            let comment = "seed \(seed), step \(step)"
            do {
                switch Int.random(in: 0..<12, using: &generator) {
                case 0, 1, 2:
                    let name = "w\(Int.random(in: 0..<6, using: &generator))"
                    let notice = WorkerNotice(
                        worker: name, position: north(Double(Int.random(in: 0...5000, using: &generator))),
                        load: Int.random(in: 0...2, using: &generator), isOnDuty: !chance(4), time: time)
                    world.workers[name] = notice
                    try world.hear(.worker(notice), at: time)
                case 3, 4, 5:
                    let key = AlarmKey(
                        device: "bin\(Int.random(in: 0..<4, using: &generator))", alarm: chance(2) ? "full" : "fire")
                    var notice = AlarmNotice(device: key.device, alarm: key.alarm, state: .raised, time: time)
                    notice.severity = try #require(AlarmSeverity.allCases.randomElement(using: &generator))
                    notice.position = chance(4) ? nil : north(Double(Int.random(in: 0...5000, using: &generator)))
                    if let old = world.alarms[key], old.state != .cleared, chance(2) {
                        notice.state = chance(3) ? old.state : .cleared
                        notice.isActive = notice.state != .cleared && old.isActive && !chance(10)
                    }
                    world.alarms[key] = notice
                    try world.hear(.alarm(notice), at: time)
                case 6, 7, 8:
                    // An answer of any worker to any task that there ever was.
                    let all = world.told.flatMap { worker, tasks in tasks.map { (worker, $0.key) } }
                        .sorted { ($0.0, $0.1) < ($1.0, $1.1) }
                    guard let (worker, task) = all.randomElement(using: &generator),
                        let answer = DispatchInput.Answer.allCases.randomElement(using: &generator)
                    else { continue }
                    try world.hear(.answer(task: task, worker: worker, answer), at: time)
                case 9:
                    // A device hears who goes.
                    guard let (device, alarm, _) = world.acknowledgements.popLast() else { continue }
                    let key = AlarmKey(device: device, alarm: alarm)
                    guard var notice = world.alarms[key], notice.state == .raised, notice.isActive else { continue }
                    notice.state = .acknowledged
                    notice.time = time
                    world.alarms[key] = notice
                    try world.hear(.alarm(notice), at: time)
                case 10:
                    while let due = world.dispatcher.due, due > noon(now), chance(2) {
                        now += Int((due - noon(now)).milliseconds / 1000) + 1
                        try world.advance(to: noon(now))
                    }
                default: if chance(3) { try world.restart(at: time) } else { try world.advance(to: time) }
                }
            } catch {
                Issue.record("\(comment): \(error)")
                return
            }
        }
        // All are cleared: nobody has anything left, and all is forgotten in time.
        for var notice in world.alarms.values {
            notice.state = .cleared
            notice.isActive = false
            world.alarms[AlarmKey(device: notice.device, alarm: notice.alarm)] = notice
            try world.hear(.alarm(notice), at: noon(now))
        }
        try world.advance(to: noon(now + 3600))
        #expect(world.told.values.allSatisfy { $0.isEmpty }, "seed \(seed)")
        let left = Set(world.records.keys.map { $0.prefix { $0 != "/" } })
        #expect(left.isSubset(of: ["number", "worker"]), "seed \(seed)")
        #expect(world.dispatcher.due == nil)
    }
}

internal import Pipeline
internal import Units

extension Dispatcher {
    /// Does what is due, and offers what waits to whoever can have it by now.
    mutating func settle(at now: Timestamp) {
        for (farewell, time) in farewells.sorted(by: { $0.key < $1.key })
        where min(time, now + settings.farewell) <= now {
            forget(farewell)
        }
        // A clock that was set back must not keep anybody waiting.
        for (name, worker) in workers where worker.heardAt > now { workers[name]?.heardAt = now }
        for (name, time) in expected where time > now { expected[name] = now }

        var open: [DispatchTask] = []
        for task in tasks.values {
            switch task.status {
            case .offered(let offers):
                let limit = now + answerTime(task.severity)
                if offers.contains(where: { $0.answerBy <= now || $0.answerBy > limit }) { open.append(task) }
            case .accepted(let worker, _): if !isHere(worker, at: now) { open.append(task) }
            case .waiting: open.append(task)
            case .done(_, let time):
                if now - time >= settings.clearWithin || time > now { open.append(task) }
            }
        }
        // Those first that matter most, then those that have waited longest.
        open.sort { ($1.severity, $0.raisedAt, $0.key) < ($0.severity, $1.raisedAt, $1.key) }
        for task in open { settle(task, at: now) }
    }

    private mutating func settle(_ old: DispatchTask, at now: Timestamp) {
        var task = old
        switch task.status {
        case .offered(let offers):
            let limit = now + answerTime(task.severity)
            for offer in offers where offer.answerBy <= now { withdraw(task, from: offer.worker, .noAnswer, at: now) }
            let rest = offers.filter { $0.answerBy > now }
                .map {
                    DispatchTask.Offer(worker: $0.worker, answerBy: min($0.answerBy, limit), distance: $0.distance)
                }
            leave(task, rest, at: now)
        case .accepted(let worker, _):
            withdraw(task, from: worker, .silent, at: now)
            task.beginRound()
            leave(task, [], at: now)
        case .done(let worker, let time):
            if time > now {
                task.status = .done(by: worker, at: now)
                set(task.key, task)
            } else {
                task.beginRound()
                leave(task, [], at: now)
            }
        case .waiting(let retryAt):
            if retryAt <= now {
                task.beginRound()
                task.status = .waiting(retryAt: now + settings.retryAfter)
            } else {
                task.status = .waiting(retryAt: min(retryAt, now + settings.retryAfter))
            }
            set(task.key, task)
            place(task.key, at: now)
        }
    }

    /// Goes on with those who are still asked, or looks for others.
    mutating func leave(_ task: DispatchTask, _ offers: [DispatchTask.Offer], at now: Timestamp) {
        var task = task
        // Nobody has it while the next one is looked for.
        let isOpen = offers.isEmpty
        task.status = isOpen ? .waiting(retryAt: now) : .offered(offers)
        set(task.key, task)
        if isOpen { place(task.key, at: now, isNew: true) }
    }

    /// Offers a task that nobody has to whoever is to be asked next; it waits if that is nobody.
    ///
    /// - Parameter isNew: whether it has not waited before.
    mutating func place(_ key: AlarmKey, at now: Timestamp, isNew: Bool = false) {
        guard var task = tasks[key] else { return }
        let candidates = settings.rule.ranking(
            workers.values.lazy.map { [loads] in ($0, max($0.load, loads[$0.name] ?? 0)) }, severity: task.severity,
            position: task.position, at: now)
        let fresh = candidates.filter { !task.asked.contains($0.name) }
        let chiefs = fresh.filter { settings.supervisors.contains($0.name) }
        let willing = candidates.filter { !task.declined.contains($0.name) }
        let chosen: [Worker]
        if task.asked.count < settings.escalateAfter,
            let best = fresh.first(where: { !settings.supervisors.contains($0.name) })
        {
            chosen = [best]
        } else if !chiefs.isEmpty {
            chosen = chiefs
            task.isEscalated = true
        } else if !task.hasAskedAll, !willing.isEmpty {
            chosen = willing
            task.isEscalated = true
            task.hasAskedAll = true
        } else {
            // Somebody who has come since.
            chosen = Array(fresh.prefix(1))
        }
        guard !chosen.isEmpty else {
            if isNew {
                task.status = .waiting(retryAt: now + settings.retryAfter)
                set(key, task)
                actions.append(.unassigned(task))
            }
            return
        }
        let answerBy = now + answerTime(task.severity)
        let offers = chosen.map { worker in
            DispatchTask.Offer(
                worker: worker.name, answerBy: answerBy,
                distance: settings.rule.distance(of: worker, to: task.position, at: now))
        }
        task.asked.formUnion(chosen.map(\.name))
        task.status = .offered(offers)
        set(key, task)
        for offer in offers {
            cancel(Farewell(worker: offer.worker, task: task.id))
            actions.append(.offer(task, to: offer.worker, distance: offer.distance, answerBy: answerBy))
        }
    }

    /// How long a worker has to answer.
    private func answerTime(_ severity: AlarmSeverity) -> Duration {
        switch severity {
        case .info, .warning: settings.answerWithin
        case .serious: settings.answerWithin / 2
        case .critical: settings.answerWithin / 4
        }
    }
}

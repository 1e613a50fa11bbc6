internal import Pipeline
internal import Units

extension Dispatcher {
    /// Does what is due, and offers what waits to whoever can have it by now.
    mutating func settle(at now: Timestamp) {
        let latest = now + settings.farewell
        for (farewell, time) in farewells.filter({ $0.value <= now || $0.value > latest }).sorted(by: {
            $0.key < $1.key
        }) {
            if time <= now { forget(farewell) } else { remember(farewell, until: latest) }
        }
        // A clock that was set back must not keep anybody waiting.
        for (name, worker) in workers where worker.heardAt > now {
            workers[name]?.heardAt = now
            workers[name]?.positionAt = min(worker.positionAt, now)
        }
        for (name, time) in expected where time > now { expected[name] = now }

        // All that ends makes room before anything is offered.
        let late = tasks.values.filter { isLate($0, at: now) }
        for task in late.sorted(by: { $0.key < $1.key }) { expire(task, at: now) }
        if listening?.contains(now) ?? false { return }
        listening = nil
        let waiting = tasks.values.filter { if case .waiting = $0.status { true } else { false } }
        // Those first that matter most, then those that have waited longest.
        for task in waiting.sorted(by: { ($1.severity, $0.raisedAt, $0.key) < ($0.severity, $1.raisedAt, $1.key) }) {
            place(task, at: now)
        }
        unplaced = []
    }

    /// Whether something of it has ended, or would end later than it can if the clock had not been set back.
    private func isLate(_ task: DispatchTask, at now: Timestamp) -> Bool {
        switch task.status {
        case .offered(let offers):
            let latest = now + answerTime(task.severity)
            return offers.contains { $0.answerBy <= now || $0.answerBy > latest }
        case .accepted(let worker, _): return !isHere(worker, at: now)
        case .done(_, let time): return time > now || now - time >= settings.clearWithin
        case .waiting: return false
        }
    }

    /// Ends what was not answered or done in time.
    private mutating func expire(_ late: DispatchTask, at now: Timestamp) {
        var task = late
        switch task.status {
        case .offered(let offers):
            for offer in offers where offer.answerBy <= now { withdraw(task, from: offer.worker, .noAnswer, at: now) }
            let latest = now + answerTime(task.severity)
            let rest = offers.filter { $0.answerBy > now }
                .map {
                    DispatchTask.Offer(worker: $0.worker, answerBy: min($0.answerBy, latest), distance: $0.distance)
                }
            leave(task, rest, at: now)
        case .accepted(let worker, _):
            withdraw(task, from: worker, .silent, at: now)
            task.beginRound()
            leave(task, [], at: now)
        case .done(let worker, let time) where time > now:
            task.status = .done(by: worker, at: now)
            set(task.key, task)
        case .done:
            task.beginRound()
            leave(task, [], at: now)
        case .waiting: break
        }
    }

    /// Leaves a task to those who are still asked; to the next one, if that is nobody.
    mutating func leave(_ task: DispatchTask, _ offers: [DispatchTask.Offer], at now: Timestamp) {
        var task = task
        task.status = offers.isEmpty ? .waiting(retryAt: now + settings.retryAfter) : .offered(offers)
        if offers.isEmpty { unplaced.insert(task.key) }
        set(task.key, task)
    }

    /// Offers a task that nobody has to whoever is to be asked next; it waits if that is nobody.
    private mutating func place(_ waiting: DispatchTask, at now: Timestamp) {
        var task = waiting
        if case .waiting(let retryAt) = task.status {
            if retryAt <= now { task.beginRound() }
            let latest = now + settings.retryAfter
            task.status = .waiting(retryAt: retryAt <= now ? latest : min(retryAt, latest))
        }
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
            set(task.key, task)
            if unplaced.contains(task.key) { actions.append(.unassigned(task)) }
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
        set(task.key, task)
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

internal import Pipeline
internal import Units

extension Dispatcher {
    mutating func take(_ notice: AlarmNotice, at now: Timestamp) {
        let key = AlarmKey(device: notice.device, alarm: notice.alarm)
        // Where the condition is over there is nothing to go for, latched or not.
        guard notice.state != .cleared, notice.isActive else { return close(key, .cleared, at: now) }
        let position = notice.position ?? settings.places[notice.device]
        guard var task = tasks[key] else {
            // Somebody sees to it already.
            guard notice.state == .raised else { return }
            guard tasks.count < settings.maximumTasks else {
                counters.refusedAlarms += 1
                return
            }
            return leave(DispatchTask(id: nextID(at: now), notice, position: position, at: now), [], at: now)
        }
        if notice.state == .acknowledged, task.acknowledgements == 0 { return close(key, .acknowledged, at: now) }
        let isNews = notice.time != task.noticeTime
        task.severity = notice.severity
        task.value = notice.value ?? task.value
        task.unit = notice.unit ?? task.unit
        task.position = position ?? task.position
        task.noticeState = notice.state
        task.noticeTime = notice.time
        // Then the acknowledgement was lost, or the alarm was raised anew.
        if notice.state == .raised, isNews, case .accepted(let worker, _) = task.status {
            task.acknowledgements &+= 1
            actions.append(acknowledgement(of: task, by: worker))
        }
        set(key, task)
    }

    mutating func take(_ notice: WorkerNotice, at now: Timestamp) {
        let name = notice.worker
        guard notice.isOnDuty else {
            workers[name] = nil
            expected[name] = nil
            keep(name, heardAt: nil)
            return release(name, .offDuty, at: now)
        }
        if workers[name] == nil, workers.count >= settings.maximumWorkers {
            workers = workers.filter { settings.rule.isPresent($0.value, at: now) }
            guard workers.count < settings.maximumWorkers else {
                counters.refusedWorkers += 1
                return
            }
        }
        expected[name] = nil
        let time = min(notice.time ?? now, now)
        workers[name] = Worker(name: name, position: notice.position, load: notice.load, heardAt: time)
        keep(name, heardAt: time)
    }

    mutating func take(_ answer: DispatchInput.Answer, of worker: String, to old: DispatchTask, at now: Timestamp) {
        var task = old
        let isHolder = task.holders.contains(worker)
        switch (answer, task.status) {
        case (.accepted, .accepted(worker, _)), (.done, .done(worker, _)): break
        case (.accepted, .offered), (.accepted, .waiting):
            // One who has let his time pass, or declined, may still have it while nobody else does.
            guard isHolder || task.asked.contains(worker), isHere(worker, at: now) else {
                counters.strayAnswers += 1
                return
            }
            give(task, to: worker, at: now)
        case (.accepted, .accepted), (.accepted, .done):
            if task.asked.contains(worker) {
                withdraw(task, from: worker, .taken, at: now)
            } else {
                counters.strayAnswers += 1
            }
        case (.declined, .offered(let offers)) where isHolder:
            task.declined.insert(worker)
            withdraw(task, from: worker, .declined, at: now)
            leave(task, offers.filter { $0.worker != worker }, at: now)
        case (.declined, .accepted(worker, _)):
            withdraw(task, from: worker, .declined, at: now)
            task.beginRound(without: [worker])
            leave(task, [], at: now)
        case (.done, .offered) where isHolder && isHere(worker, at: now):
            give(task, to: worker, at: now)
            finish(task.key, by: worker, at: now)
        case (.done, .accepted(worker, _)): finish(task.key, by: worker, at: now)
        default: counters.strayAnswers += 1
        }
    }

    /// Whether a worker can have a task: he is present, or had one before the start and is not overdue.
    func isHere(_ worker: String, at now: Timestamp) -> Bool {
        if let worker = workers[worker] { return settings.rule.isPresent(worker, at: now) }
        return expected[worker].map { now - $0 <= settings.rule.maximumSilence } ?? false
    }

    private mutating func give(_ task: DispatchTask, to worker: String, at now: Timestamp) {
        var task = task
        for other in task.holders where other != worker { withdraw(task, from: other, .taken, at: now) }
        task.status = .accepted(by: worker, at: now)
        task.asked.insert(worker)
        task.acknowledgements &+= 1
        set(task.key, task)
        cancel(Farewell(worker: worker, task: task.id))
        actions.append(.confirm(task, by: worker))
        if task.noticeState == .raised { actions.append(acknowledgement(of: task, by: worker)) }
    }

    private mutating func finish(_ key: AlarmKey, by worker: String, at now: Timestamp) {
        guard var task = tasks[key] else { return }
        withdraw(task, from: worker, .done, at: now)
        task.status = .done(by: worker, at: now)
        set(key, task)
    }

    private mutating func close(_ key: AlarmKey, _ reason: WithdrawalReason, at now: Timestamp) {
        guard let task = tasks[key] else { return }
        for worker in task.holders { withdraw(task, from: worker, reason, at: now) }
        set(key, nil)
    }

    /// Takes all from a worker.
    private mutating func release(_ worker: String, _ reason: WithdrawalReason, at now: Timestamp) {
        guard loads[worker] != nil else { return }
        for (_, old) in tasks.sorted(by: { $0.key < $1.key }) where old.holders.contains(worker) {
            var task = old
            withdraw(task, from: worker, reason, at: now)
            switch task.status {
            case .offered(let offers): leave(task, offers.filter { $0.worker != worker }, at: now)
            case .accepted, .waiting, .done:
                task.beginRound()
                leave(task, [], at: now)
            }
        }
    }
}

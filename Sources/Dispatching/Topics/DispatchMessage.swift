internal import Pipeline
public import Units

/// A message that an action is told in; to be sent with QoS 1.
public struct DispatchMessage: Sendable, Hashable {
    public var topic: String
    /// Nil: no bytes, which deletes the retained message.
    public var payload: JSON?
    public var isRetained: Bool
}

extension DispatchTopics {
    /// How an action is told; nil for one that only the log is told.
    public func message(for action: DispatchAction, at now: Timestamp) -> DispatchMessage? {
        switch action {
        case .offer(let task, let worker, let distance, let answerBy):
            var members = members(task, "offered")
            if let distance { members.append(JSON.Member("distance", .number(distance.rounded()))) }
            members.append(JSON.Member("answer_by", .string(answerBy.iso8601)))
            if task.isEscalated { members.append(JSON.Member("escalated", true)) }
            return message(task.id, worker, members)
        case .confirm(let task, let worker): return message(task.id, worker, members(task, "accepted"))
        case .withdraw(let task, let worker, let reason):
            return message(
                task.id, worker,
                members(task, "withdrawn") + [
                    JSON.Member("reason", .string(reason.rawValue)), JSON.Member("withdrawn", .string(now.iso8601)),
                ])
        case .forget(let task, let worker): return message(task, worker, nil)
        case .acknowledge(let device, let alarm, let worker, let id):
            return DispatchMessage(
                topic: "\(prefix)/\(device)/command/acknowledge",
                payload: ["alarm": .string(alarm), "by": .string(worker), "id": .string(id)], isRetained: false)
        case .summary(let task):
            let topic = "\(prefix)/dispatch/alarm/\(task.key.device)/\(task.key.alarm)"
            return DispatchMessage(topic: topic, payload: summary(task), isRetained: true)
        case .forgetSummary(let key):
            let topic = "\(prefix)/dispatch/alarm/\(key.device)/\(key.alarm)"
            return DispatchMessage(topic: topic, payload: nil, isRetained: true)
        case .unassigned: return nil
        }
    }

    private func message(_ task: String, _ worker: String, _ members: [JSON.Member]?) -> DispatchMessage {
        DispatchMessage(
            topic: "\(prefix)/dispatch/worker/\(worker)/task/\(task)", payload: members.map(JSON.object),
            isRetained: true)
    }

    private func members(_ task: DispatchTask, _ state: String) -> [JSON.Member] {
        var members = [
            JSON.Member("state", .string(state)), JSON.Member("device", .string(task.key.device)),
            JSON.Member("alarm", .string(task.key.alarm)), JSON.Member("severity", .string(task.severity.rawValue)),
            JSON.Member("time", .string(task.raisedAt.iso8601)),
        ]
        if let value = task.value { members.append(JSON.Member("value", value)) }
        if let unit = task.unit { members.append(JSON.Member("unit", .string(unit))) }
        if let position = task.position { members.append(JSON.Member("position", position.json)) }
        return members
    }

    private func summary(_ task: DispatchTask) -> JSON {
        var members = [JSON.Member("state", .string(task.status.name)), JSON.Member("task", .string(task.id))]
        switch task.status {
        case .offered(let offers): members.append(JSON.Member("workers", .array(offers.map { .string($0.worker) })))
        case .accepted(let worker, let time), .done(let worker, let time):
            members.append(JSON.Member("worker", .string(worker)))
            members.append(JSON.Member("since", .string(time.iso8601)))
        case .waiting: break
        }
        if task.isEscalated { members.append(JSON.Member("escalated", true)) }
        members.append(JSON.Member("severity", .string(task.severity.rawValue)))
        members.append(JSON.Member("time", .string(task.raisedAt.iso8601)))
        return .object(members)
    }
}

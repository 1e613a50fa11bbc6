public import Units

/// What is to be done, in this order, once the state that it follows from is kept. Each may be done twice without harm.
public enum DispatchAction: Sendable, Hashable {
    /// Ask a worker. The distance is in metres; nil where it is not known.
    case offer(DispatchTask, to: String, distance: Double?, answerBy: Timestamp)
    /// Tell a worker that the task is his.
    case confirm(DispatchTask, by: String)
    /// Tell a worker that it is no longer his, nor asked of him. What he was told stays to be read for a while, until
    /// ``forget(task:worker:)``.
    case withdraw(DispatchTask, from: String, reason: WithdrawalReason)
    /// Take away what a worker was told last.
    case forget(task: String, worker: String)
    /// Tell the device that somebody goes.
    case acknowledge(device: String, alarm: String, by: String, id: String)
    /// There is nobody to be asked; for the log.
    case unassigned(DispatchTask)
    /// Tell the world who has an alarm.
    case summary(DispatchTask)
    case forgetSummary(AlarmKey)
}

/// Why a task is not a worker's any more.
public enum WithdrawalReason: String, Sendable, Hashable, CaseIterable {
    /// The alarm is over: the bin was emptied.
    case cleared
    /// Another one has it.
    case taken
    /// Somebody has acknowledged it who was not asked.
    case acknowledged
    case noAnswer = "no answer"
    case declined
    case offDuty = "off duty"
    /// He has it, and was not heard of for too long.
    case silent
    /// He has said that it is done.
    case done
}

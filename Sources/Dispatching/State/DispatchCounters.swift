/// What came to nothing.
public struct DispatchCounters: Sendable, Hashable {
    /// Messages that say nothing that is known.
    public var malformed = 0
    /// Alarms for which there was no room among the tasks, each time that they were told.
    public var refusedAlarms = 0
    /// Workers for whom there was no room, each time that they were heard of.
    public var refusedWorkers = 0
    /// Answers to what was not asked, or is over.
    public var strayAnswers = 0
}

public import MQTT
public import Pipeline

/// How one platform is told what the pipeline reports: in which messages, under which topics.
public protocol Profile: Sendable {
    /// - Parameter sequence: the number that the queue gives to the first of the messages; the ones behind it count on.
    /// - Returns: nothing where this platform is not told of such a thing.
    /// - Throws: when a name makes no topic, or a value cannot be said; then the report is given up, and counted.
    func messages(for report: Report, sequence: Int64) throws -> [Message]
}

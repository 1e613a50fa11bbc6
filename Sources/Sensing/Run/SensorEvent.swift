/// What a running sensor has to tell.
public enum SensorEvent: Sendable, Hashable {
    /// The values of one read of one sensor.
    case readings([Reading])
    /// A sensor, or some of its channels, gave no value. Told at first, when the reason changes, and now and then:
    /// `failures` counts the reads in a row that failed, told or not.
    case failed(sensor: String, error: SensorError, failures: Int, retryIn: Duration)
    /// Some channels gave no value, and why, while others did: told of every such read, before the values of the others.
    case channelsFailed(sensor: String, reasons: [String: String])
    /// All channels give values again; `after` is the time since the first failure.
    case recovered(sensor: String, failures: Int, after: Duration)
}

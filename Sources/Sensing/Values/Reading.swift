public import Units

/// One value of one sensor at one instant: what the rest of the agent passes on.
public struct Reading: Sendable, Hashable {
    /// What a sensor can say.
    ///
    /// Whole numbers are numbers: a `Double` holds each of them exactly up to 2^53 (9 PB of network traffic, 285 years
    /// of microseconds), and one case for numbers keeps every filter, expression and encoder to one path.
    public enum Value: Sendable, Hashable {
        /// Always finite: `SensorRunner` turns a NaN or an infinity into a failure of its sensor.
        case number(Double)
        case boolean(Bool)
        case text(String)
    }

    /// The sensor's name in the configuration.
    public var sensor: String
    /// Which of the sensor's values this is; nil if it has only one. Any text: a kernel label such as "+3.3V" too.
    public var channel: String?
    public var value: Value
    /// "°C", "V", "%", … ; nil for what has none.
    public var unit: String?
    /// When the value was taken, not when it was passed on.
    public var time: Timestamp
    public var quality: Quality

    public init(
        sensor: String, channel: String? = nil, value: Value, unit: String? = nil, time: Timestamp,
        quality: Quality = .good
    ) {
        self.sensor = sensor
        self.channel = channel
        self.value = value
        self.unit = unit
        self.time = time
        self.quality = quality
    }
}

public import Units

/// What a driver gives for one of its channels; with the sensor's name it becomes a ``Reading``.
public struct Measurement: Sendable, Hashable {
    /// Which of the sensor's values this is; nil if the sensor has only one.
    public var channel: String?
    public var value: Reading.Value
    public var unit: String?
    /// The kernel's own time for the value, where it gives one (GPIO edges, IIO buffers); nil means "now".
    public var time: Timestamp?
    public var quality: Quality

    public init(
        channel: String? = nil, _ value: Reading.Value, unit: String? = nil, time: Timestamp? = nil,
        quality: Quality = .good
    ) {
        self.channel = channel
        self.value = value
        self.unit = unit
        self.time = time
        self.quality = quality
    }
}

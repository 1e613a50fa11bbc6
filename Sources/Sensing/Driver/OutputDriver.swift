public import Units

/// A driver of something that can be switched or set.
public protocol OutputDriver: SensorDriver {
    /// Whether this one can be, as it is configured; true unless the driver says otherwise.
    var isSettable: Bool { get }

    /// Sets a channel's value.
    ///
    /// - Returns: the state that this has brought about, as a read would give it.
    /// - Throws: ``SensorError`` of kind ``SensorError/Kind/rejected`` for a value or channel that it does not have, of
    ///   another one when the device failed.
    mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement]

    /// Brings the output into the state that its owner called safe, if there is one.
    mutating func makeSafe(at now: Timestamp) throws(SensorError)
}

extension OutputDriver {
    public var isSettable: Bool { true }
}

public import Sensing

/// What an alarm looks for in its sensor's values.
public struct AlarmCondition: Sendable, Hashable {
    public var test: Test?
    /// Whether it holds too while the sensor has no value.
    public var includesFailure: Bool

    public enum Test: Sendable, Hashable {
        /// Above the one or below the other, at least one of which there is.
        case outside(upper: Threshold?, lower: Threshold?)
        case equal(Reading.Value)
    }

    /// Where a condition begins, and where it ends again: the distance between them is its hysteresis.
    public struct Threshold: Sendable, Hashable {
        public var raise: Double
        public var clear: Double

        public init(raise: Double, clear: Double? = nil) {
            self.raise = raise
            self.clear = clear ?? raise
        }
    }

    public init(_ test: Test?, includesFailure: Bool = false) {
        self.test = test
        self.includesFailure = includesFailure
    }

    /// Whether it holds for a value; nil for one that cannot be compared, such as a text with a threshold.
    ///
    /// - Parameter isActive: whether it held before, which decides between the thresholds.
    func holds(_ value: Reading.Value, isActive: Bool) -> Bool? {
        switch (test, value) {
        case (.outside(let upper, let lower), .number(let number)):
            (upper?.isBehind(number, isActive: isActive) ?? false)
                || (lower?.mirrored.isBehind(-number, isActive: isActive) ?? false)
        case (.outside, _): nil
        case (.equal(let other), _): value == other
        case (nil, _): false
        }
    }
}

extension AlarmCondition.Threshold {
    /// For what counts the other way round.
    fileprivate var mirrored: Self { Self(raise: -raise, clear: -clear) }

    /// Without a distance between the two, a value at the threshold is not above it: else what counts from 0 would
    /// never be clear of "above 0".
    fileprivate func isBehind(_ value: Double, isActive: Bool) -> Bool {
        isActive && clear < raise ? value >= clear : value > raise
    }
}

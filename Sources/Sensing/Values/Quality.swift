/// How far a value can be trusted.
///
/// A sensor that has no value at all gives none: it fails, with a ``SensorError``.
public enum Quality: Sendable, Hashable {
    case good
    /// It was right some time ago, and nothing newer is known; the reason says since when, and why.
    case stale(String)
    /// It was right at a time that nobody knows, such as what a broker had retained; the reason says why. The world is told
    /// that it is stale; it does not say that its device is silent.
    case undated(String)
    /// It lies beyond what the device can measure, or what its owner holds to be possible; the reason says which.
    case outOfRange(String)

    /// "good", "stale" or "out of range".
    public var name: String {
        switch self {
        case .good: "good"
        case .stale, .undated: "stale"
        case .outOfRange: "out of range"
        }
    }

    /// Nil for what is good.
    public var reason: String? {
        switch self {
        case .good: nil
        case .stale(let reason), .undated(let reason), .outOfRange(let reason): reason
        }
    }
}

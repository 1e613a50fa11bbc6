internal import Units

/// What a thermometer said of late, and what that says of 85.00 °C: a value without clock or device.
struct W1History: Sendable {
    /// What is known of one 85.00 °C.
    enum Evidence: Sendable {
        case none
        /// The device had not measured since it got its power.
        case powerUp
        /// It has measured.
        case measured
        /// The kernel looked at it, and found nothing. Not all copies of the device tell the kernel.
        case checkedByKernel
    }

    static let powerUp = 85.0
    private static let nearness = 10.0
    private static let memory = Duration.seconds(15 * 60)

    private var last: (celsius: Double, time: Timestamp)?

    /// What was said last, if that is not too long ago.
    func recent(at now: Timestamp) -> Double? {
        guard let last else { return nil }
        return (now < last.time ? last.time - now : now - last.time) <= Self.memory ? last.celsius : nil
    }

    /// Whether 85.00 °C can be a temperature, by what was said before.
    func isNearPowerUp(at now: Timestamp) -> Bool {
        recent(at: now).map { ($0 - Self.powerUp).magnitude <= Self.nearness } ?? false
    }

    /// Whether 85.00 °C is a temperature.
    func believesPowerUp(_ evidence: Evidence, at now: Timestamp) -> Bool {
        switch evidence {
        case .measured: true
        case .checkedByKernel: recent(at: now) == nil || isNearPowerUp(at: now)
        case .powerUp, .none: isNearPowerUp(at: now)
        }
    }

    /// A temperature was believed.
    mutating func add(_ celsius: Double, at now: Timestamp) { last = (celsius, now) }
}

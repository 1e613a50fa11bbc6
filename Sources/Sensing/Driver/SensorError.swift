/// Why a sensor gave no value: the thing, the place and, where one is known, the mend.
///
///     /sys/class/hwmon/hwmon0/temp1_input does not exist (no hwmon0 in /sys/class/hwmon); is the device connected …?
public struct SensorError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable, Hashable {
        /// The file, the device or the channel is not there.
        case missing
        /// This user may not read it.
        case forbidden
        /// It is there, but has no value now: it did not answer, or is not ready.
        case unavailable
        /// It is there, but switched off, or has nothing connected to it.
        case disabled
        /// It said something that is not a value of the wanted kind.
        case malformed
        /// More than one thing fits what the configuration names.
        case ambiguous
        /// Somebody else has it.
        case busy
        /// Something that it said did not reach us; what it says from now on does.
        case lost
        /// It cannot be set to that.
        case rejected
        /// The read did not return in time; it may still be under way.
        case timedOut
        /// The read was not even begun: too many others are stuck.
        case refused
    }

    public var kind: Kind
    /// The file, chip or zone that the trouble is with.
    public var place: String
    /// What is wrong with it, as the rest of a sentence that begins with the place.
    public var problem: String
    /// What its owner can do about it.
    public var mend: String?
    /// What the sensor's other channels gave all the same. The runner passes these on and keeps the sensor's pace.
    public var measured: [Measurement] = []
    /// Whose trouble it is, where it is one channel's.
    var channel: String?
    /// The channels that fail, as far as they are known, and why.
    public var failing: [String: String] = [:]

    public init(_ kind: Kind, _ place: String, _ problem: String, mend: String? = nil) {
        self.kind = kind
        self.place = place
        self.problem = problem
        self.mend = mend
    }

    public var description: String { "\(place) \(problem)" + (mend.map { "; \($0)" } ?? "") }

    /// True if both tell of one trouble, even if in other words: the log need not hear of it again.
    public func isSameTrouble(as other: SensorError) -> Bool { kind == other.kind && place == other.place }
}

extension SensorError {
    /// What a driver with several channels ends its read with: the values, or the first trouble and the other values.
    ///
    /// Channels that are switched off count for nothing, unless all are.
    ///
    /// - Parameter unasked: those of which the last trouble kept us from hearing.
    static func collect(
        _ channels: some Sequence<Result<Measurement, SensorError>>, unasked: [String] = []
    ) throws(SensorError) -> [Measurement] {
        var measured: [Measurement] = []
        var failures: [SensorError] = []
        var disabled: SensorError?
        for channel in channels {
            switch channel {
            case .success(let measurement): measured.append(measurement)
            case .failure(let error) where error.kind == .disabled: disabled = disabled ?? error
            case .failure(let error): failures.append(error)
            }
        }
        var failing = unasked.reduce(into: [:]) { $0[$1] = failures.last.map { "\($0)" } }
        for failure in failures { failing.merge(failure.failing(in: failure.channel)) { first, _ in first } }
        guard var error = failures.first else {
            if measured.isEmpty, let disabled { throw disabled }
            return measured
        }
        if failures.count > 1 { error.problem += " (and \(failures.count - 1) more channels fail)" }
        error.measured = measured
        error.failing = failing
        throw error
    }

    /// What it says of the channels, as the trouble of one of them.
    func failing(in channel: String?) -> [String: String] { channel.map { [$0: "\(self)"] } ?? failing }
}

extension Result where Success == Measurement, Failure == SensorError {
    /// One that is no success is the trouble of this channel.
    func of(_ channel: String?) -> Self {
        mapError { error in
            var error = error
            error.channel = channel
            return error
        }
    }
}

public import Settings
public import Units

/// `driver = "pwm"`: a channel of a pulse-width modulator: fans, servos, dimmed lights.
///
///     [[sensor]]
///     name = "valve"
///     driver = "pwm"
///     chip = "fe20c000.pwm"
///     channel = 0
///     period = "20ms"
///     safe = 7.5
///
/// Options:
/// - `chip`: what the chip hangs on ("fe20c000.pwm", "1-0040"), or its folder's name ("pwmchip0", which may change from
///   start to start).
/// - `channel`: its number on the chip, from 0; default 0.
/// - `period`: the time of one pulse and one pause; 1 ns to 1 minute. With it the channel is ours: it is exported if it
///   is not, and gets that period when it is set. Default: what the channel has; then it is only read, as long as nobody
///   sets it.
/// - `polarity`: "normal" or "inversed"; default: what it has.
/// - `safe`: the duty in % when the agent stops; 0 to 100. Without it a channel that the driver has exported is given
///   back, and what its line does then is the hardware's affair; with it the channel stays exported.
///
/// Readings: `duty` in %, `period` in µs, `polarity` as text, `enabled`. To be set: `duty` (or no channel) to 0 to 100 %,
/// which also enables it; `enabled` (or no channel) to true or false.
///
/// Failure modes: no such chip or channel (the error lists the chips); the channel belongs to a driver of the kernel
/// (EBUSY, a board's fan); it is not exported, so that its state cannot be seen; it has no period.
/// Documentation/driver-api/pwm.rst, Documentation/ABI/testing/sysfs-class-pwm: ns.
public struct PWMDriver: OutputDriver {
    public static let name = "pwm"

    private enum Polarity: String, CaseIterable { case normal, inversed }

    private let context: DriverContext
    private let chip: String
    private let channel: Int
    private let period: Int64?
    private let polarity: Polarity?
    private let safe: Double?
    private var hasExported = false

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let chip = settings.requiredString("chip")
        self.context = context
        channel = settings.integer("channel", in: 0...1023) ?? 0
        let period = settings.duration("period", in: .nanoseconds(1) ... .seconds(60))
        self.period = period.map { PWMChannel.nanoseconds($0) }
        polarity = settings.choice("polarity", of: Polarity.self)
        safe = settings.number("safe", in: 0...100)
        guard let chip else { return nil }
        self.chip = chip
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        var channel = try find()
        if !channel.isExported {
            guard period != nil else {
                throw SensorError(
                    .disabled, channel.folder, "is not exported, so that its state cannot be seen",
                    mend: "write its period to make it ours; a kernel driver may be using it")
            }
            channel = try exported(channel)
        }
        return try channel.measure()
    }

    public mutating func set(
        _ value: Reading.Value, channel name: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        let found = try find()
        switch (name, value) {
        case (nil, .number(let duty)), ("duty", .number(let duty)):
            guard (0...100).contains(duty) else {
                throw SensorError(.rejected, found.folder, "has no duty of \(duty) %", mend: "set 0 to 100 %")
            }
            let channel = try exported(found)
            try channel.set(duty: duty, period: period, polarity: polarity?.rawValue)
            return try channel.measure()
        case (nil, .boolean(let isOn)), ("enabled", .boolean(let isOn)):
            let channel = try exported(found)
            if isOn { try channel.prepare(period: period, polarity: polarity?.rawValue) }
            try channel.enable(isOn)
            return try channel.measure()
        default:
            throw SensorError(
                .rejected, found.folder, "has no such channel, or not with such a value",
                mend: "set duty to a number of 0 to 100 %, or enabled to true or false")
        }
    }

    public mutating func makeSafe(at now: Timestamp) throws(SensorError) {
        guard let safe else { return }
        let channel = try find()
        // What was never exported was never set by us.
        guard channel.isExported else { return }
        try channel.set(duty: safe, period: period, polarity: polarity?.rawValue)
    }

    public mutating func stop(at now: Timestamp) {
        try? makeSafe(at: now)
        if safe == nil, hasExported, let channel = try? find() { channel.unexport() }
        hasExported = false
    }

    private mutating func exported(_ channel: PWMChannel) throws(SensorError) -> PWMChannel {
        if !channel.isExported {
            try channel.export()
            hasExported = true
        }
        return channel
    }

    private func find() throws(SensorError) -> PWMChannel {
        let place = context.path("/sys/class/pwm")
        let all = try PWMChannel.chips(in: place)
        guard let found = all.first(where: { $0.device == chip || $0.name == chip }) else {
            let known = all.map { chip in chip.device.map { "\($0) (\(chip.name))" } ?? chip.name }
            throw SensorError(
                .missing, place, "has no chip \"\(chip)\"",
                mend: known.isEmpty
                    ? "it has none at all: is the overlay loaded, such as dtoverlay=pwm?"
                    : "it has \(known.joined(separator: ", "))")
        }
        guard channel < found.count else {
            throw SensorError(
                .missing, "\(place)/\(found.name)", "has no channel \(channel)",
                mend: found.count == 1 ? "it has only channel 0" : "it has channels 0 to \(found.count - 1)")
        }
        return PWMChannel(chip: "\(place)/\(found.name)", number: channel)
    }
}

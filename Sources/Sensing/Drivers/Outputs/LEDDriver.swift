public import Settings
public import Units

/// `driver = "led"`: a light of the board, to be seen and to be set.
///
///     [[sensor]]
///     name = "light"
///     driver = "led"
///     led = "ACT"
///     trigger = "none"
///     safe = 0
///
/// Options:
/// - `led`: its name, as in `/sys/class/leds`.
/// - `channel`: "brightness" or "trigger"; default: both.
/// - `trigger`: what drives the light once it is set for the first time: "none" takes it for us; without the option a
///   light that the kernel drives ("mmc0", "heartbeat") is not taken from it, and setting it is refused.
/// - `safe`: the brightness in % when the agent stops. Without it the light gets the trigger back that it had.
///
/// Readings: `brightness` in % of the brightest, `trigger` as text. A light that blinks says what it is at the moment.
/// To be set: `brightness` (or no channel) to a number of 0 to 100 %, or true and false; `trigger` to one of those that
/// the light knows. More than 0 % is at least the darkest step.
///
/// Failure modes: no such light (the error lists those there are); it may not be written by the agent's user (the error
/// has a udev rule). Documentation/leds/leds-class.rst, Documentation/ABI/testing/sysfs-class-led.
public struct LEDDriver: OutputDriver {
    public static let name = "led"

    private static let channels = ["brightness", "trigger"]

    private let context: DriverContext
    private let led: String
    private let choice: ChannelChoice
    private let trigger: String?
    private let safe: Double?
    /// The trigger that was there before we set the light.
    private var replaced: String?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let led = settings.requiredString("led")
        self.context = context
        choice = ChannelChoice(settings, among: Self.channels)
        trigger = settings.string("trigger")
        safe = settings.number("safe", in: 0...100)
        guard let led else { return nil }
        self.led = led
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let folder = try folder()
        var report = ChannelReport(choice, of: folder)
        report.add("brightness") { () throws(SensorError) in
            let share = try KernelFile.number("\(folder)/brightness") / Self.maximum(of: folder) * 100
            return Measurement(.number(share.roundedToTwelveDigits), unit: "%")
        }
        report.add("trigger") { () throws(SensorError) in Measurement(.text(try Self.triggers(of: folder).present)) }
        return try report.measured()
    }

    public mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        let folder = try folder()
        switch (channel ?? "brightness", value) {
        case ("brightness", .number(let share)): try setBrightness(share, in: folder)
        case ("brightness", .boolean(let isOn)): try setBrightness(isOn ? 100 : 0, in: folder)
        case ("brightness", .text):
            throw SensorError(.rejected, folder, "has no such brightness", mend: "set 0 to 100 %, or true or false")
        case ("trigger", .text(let name)): try setTrigger(name, in: folder)
        default:
            throw SensorError(
                .rejected, folder, "has no such channel, or not with such a value",
                mend: "set brightness to a number, or trigger to a text")
        }
        return try read(at: now)
    }

    public mutating func makeSafe(at now: Timestamp) throws(SensorError) {
        guard let safe else { return }
        let folder = try folder()
        if try Self.triggers(of: folder).present != "none" { try KernelFile.write("none", to: "\(folder)/trigger") }
        try write(safe, in: folder)
    }

    public mutating func stop(at now: Timestamp) {
        try? makeSafe(at: now)
        if safe == nil, let replaced, let folder = try? folder() {
            try? KernelFile.write(replaced, to: "\(folder)/trigger")
        }
    }

    // MARK: The light

    private func folder() throws(SensorError) -> String {
        let place = context.path("/sys/class/leds")
        let known = try KernelFolder.names(in: place)
        guard known.contains(led) else {
            throw SensorError(
                .missing, place, "has no light \"\(led)\"",
                mend: known.isEmpty ? "it has none at all" : "it has \(known.joined(separator: ", "))")
        }
        return "\(place)/\(led)"
    }

    private static func maximum(of folder: String) throws(SensorError) -> Double {
        max(try KernelFile.number("\(folder)/max_brightness"), 1)
    }

    /// "none [mmc0] timer": all, and the one in brackets, which is at work.
    private static func triggers(of folder: String) throws(SensorError) -> (present: String, all: [String]) {
        let path = "\(folder)/trigger"
        let text = try KernelFile.text(path)
        let words = text.split { $0 == " " || $0 == "\n" }
        guard let present = words.first(where: { $0.first == "[" && $0.last == "]" }) else {
            throw SensorError(.malformed, path, "says \(KernelFile.quoted(text)), with no trigger in brackets")
        }
        let names = words.map { String($0 == present ? $0.dropFirst().dropLast() : $0) }
        return (String(present.dropFirst().dropLast()), names)
    }

    private mutating func setBrightness(_ share: Double, in folder: String) throws(SensorError) {
        guard (0...100).contains(share) else {
            throw SensorError(.rejected, folder, "has no brightness of \(share) %", mend: "set 0 to 100 %")
        }
        let present = try Self.triggers(of: folder).present
        if let trigger, trigger != present {
            try setTrigger(trigger, in: folder)
        } else if present != "none", trigger == nil {
            throw SensorError(
                .rejected, folder, "is driven by its trigger \"\(present)\"",
                mend: "write trigger = \"none\" to take it from the kernel")
        }
        try write(share, in: folder)
    }

    private func write(_ share: Double, in folder: String) throws(SensorError) {
        let maximum = try Self.maximum(of: folder)
        let steps = share <= 0 ? 0 : max((share / 100 * maximum).rounded(), 1)
        try KernelFile.write("\(Int64(exactly: steps) ?? 0)", to: "\(folder)/brightness")
    }

    private mutating func setTrigger(_ name: String, in folder: String) throws(SensorError) {
        let (present, all) = try Self.triggers(of: folder)
        guard all.contains(name) else {
            throw SensorError(
                .rejected, folder, "has no trigger \"\(name)\"", mend: "it has \(all.joined(separator: ", "))")
        }
        try KernelFile.write(name, to: "\(folder)/trigger")
        if replaced == nil { replaced = present }
    }
}

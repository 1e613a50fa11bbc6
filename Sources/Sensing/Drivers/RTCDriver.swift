public import Settings
public import Units

/// `driver = "rtc"`: a clock with a battery, and how far the system's clock is from it.
///
///     [[sensor]]
///     name = "clock"
///     driver = "rtc"
///     channel = "difference"
///
/// Options:
/// - `device`: the clock's name ("rtc-ds1307 1-0068"), or its folder's name ("rtc0"). Default: the only one, or the one
///   that the kernel set the system's time from.
/// - `channel`: "time" or "difference"; default: both.
///
/// Readings: `time` in s since 1970 (UTC), `difference` in s: what the clock is ahead of the system's time. The clock
/// counts whole seconds, so less than 2 s says nothing.
///
/// Failure modes: no clock, no such clock (the error lists those there are); a clock that was never set or whose battery
/// is empty (EINVAL). Documentation/admin-guide/rtc.rst, Documentation/ABI/testing/rtc-cdev: `since_epoch`.
public struct RTCDriver: SensorDriver {
    public static let name = "rtc"

    private let context: DriverContext
    private let device: String?
    private let choice: ChannelChoice

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        device = settings.string("device")
        choice = ChannelChoice(settings, among: ["time", "difference"])
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let folder = try find()
        let path = "\(folder)/since_epoch"
        let time: Double
        do throws(SensorError) {
            time = try KernelFile.number(path)
        } catch let error where error.problem.includes("EINVAL") {
            throw SensorError(
                .unavailable, path, "has no valid time",
                mend: "set it (hwclock -w); if it forgets it again, its battery is empty or missing")
        }
        var report = ChannelReport(choice, of: folder)
        report.add("time") { () throws(SensorError) in Measurement(.number(time), unit: "s") }
        report.add("difference") { () throws(SensorError) in
            let system = (Double(now.milliseconds) / 1000).rounded(.down)
            return Measurement(.number(time - system), unit: "s")
        }
        return try report.measured()
    }

    private func find() throws(SensorError) -> String {
        let place = context.path("/sys/class/rtc")
        let clocks = Self.clocks(in: place)
        let known = clocks.map { "\($0.name) (\($0.folder))" }.joined(separator: ", ")
        guard let device else {
            if clocks.count > 1, let main = clocks.first(where: \.setsSystem) { return "\(place)/\(main.folder)" }
            switch clocks.count {
            case 1: return "\(place)/\(clocks[0].folder)"
            case 0: throw SensorError(.missing, place, "has no clock", mend: "is its overlay loaded?")
            default: throw SensorError(.ambiguous, place, "has several clocks", mend: "name one of \(known)")
            }
        }
        guard let clock = clocks.first(where: { $0.name == device || $0.folder == device }) else {
            throw SensorError(
                .missing, place, "has no clock \"\(device)\"",
                mend: known.isEmpty ? "it has none at all" : "it has \(known)")
        }
        return "\(place)/\(clock.folder)"
    }

    static func clocks(in place: String) -> [(folder: String, name: String, setsSystem: Bool)] {
        ((try? KernelFolder.names(in: place)) ?? []).filter { $0.hasPrefix("rtc") }.compactMap { folder in
            guard let name = try? KernelFile.text("\(place)/\(folder)/name") else { return nil }
            return (folder, name, (try? KernelFile.text("\(place)/\(folder)/hctosys")) == "1")
        }
    }
}

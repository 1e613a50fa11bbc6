public import Settings
public import Units

/// `driver = "serial"`: a device that speaks in lines of text over a serial line, such as a scale, a meter or a GPS
/// receiver.
///
///     [[sensor]]
///     name = "scale"
///     driver = "serial"
///     device = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"
///     baud = 9600
///     pattern = "^ST,GS,([-+ 0-9.]+)(kg|g)"
///     channel = [{ name = "weight", unit = "kg" }, { name = "unit", kind = "text" }]
///
/// A device that is asked gets `request` at each read, and answers with a line. Without a request the device is listened
/// to: each of its lines is a reading when it comes; a read (at the start, and if the sensor says `every`) repeats the
/// last one, with that line's time.
///
/// Options:
/// - `device`: its path. /dev/serial/by-id/… stays the same where /dev/ttyUSB0 may become ttyUSB1.
/// - `baud`: 50 to 4000000, any that the adapter can do; default 9600. `data_bits`: 5 to 8 (default). `parity`: "none"
///   (default), "even" or "odd". `stop_bits`: 1 (default) or 2. `flow`: "none" (default), "rts-cts" or "xon-xoff".
///   `rs485 = true`: the kernel switches the direction with RTS.
/// - `pattern`: a POSIX extended regular expression; each of its groups is a channel, or all that it matches if it has no
///   group. Default: the whole line.
/// - `channel`: an array of tables, one for each group: `name`; `kind`: "number" (default; spaces in it do not count) or
///   "text"; `unit`; `scale` and `offset` (`number * scale + offset`). If there is only one group, the same keys without
///   `name` may stand in the sensor's table.
/// - `terminator`: what ends a line, 1 to 8 characters; default "\n", which takes a "\r" before it along.
/// - `request`: is sent before each read; what came before is forgotten. "\r" and "\u0005" are as TOML writes them.
/// - `answer_within`: how long a read waits for a line, 10 ms to 1 minute; default "2s". The sensor's `timeout` must be
///   longer.
/// - `stale_after`: what is repeated is stale if the line is older; default "1m".
/// - `checksum = "nmea"`: lines have the checksum of NMEA 0183 (`$…*5F`).
/// - `unmatched`: "report" (default) makes an error of a line that the pattern does not match, "ignore" lets it pass.
///
/// The device is opened for this sensor alone, and stays open. A line may have 1024 bytes. What comes within the first
/// 200 ms may be the rest of a line, and is left out up to its end.
///
/// Failure modes: the device is not there, or was unplugged (it is opened again when it is back); it is closed to the
/// agent's user (group dialout); another program has it; it does not answer, or has said nothing yet; a line is too
/// long, does not match, has a wrong checksum, or is not a number. termios(3), ioctl_tty(2).
public struct SerialDriver: EventDriver {
    public static let name = "serial"

    private static let lineLimit = 1024
    /// Nobody pauses for so long in the midst of a line.
    private static let pauseBetweenLines = Duration.milliseconds(200)
    /// Values of lines that a read took along, and that wait to be received; the newest stay.
    private static let pendingLimit = 1024

    private let context: DriverContext
    private let device: String
    private let settings: SerialSettings
    private let line: SerialLine
    private let request: [UInt8]?
    private let answerWithin: Duration
    private let staleAfter: Duration

    private var port: SerialPort?
    private var splitter: SerialLines
    private var last: (measurements: [Measurement], heard: ContinuousClock.Instant)?
    private var pending: [Measurement] = []

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let device = settings.requiredString("device")
        if let device, !device.hasPrefix("/") {
            settings.problem(
                at: "device", message: "\"\(device)\" is not absolute", mend: "write it as in \"/dev/ttyUSB0\"")
        }
        self.settings = SerialSettings(settings)
        line = SerialLine(settings)
        request = settings.string("request").map { Array($0.utf8) }
        if request?.isEmpty ?? false {
            settings.problem(at: "request", message: "is empty", mend: "remove it to listen to the device")
        }
        let terminator = Array(settings.string("terminator", default: "\n").utf8)
        if !(1...8).contains(terminator.count) {
            settings.problem(at: "terminator", message: "has \(terminator.count) characters", mend: "give it 1 to 8")
        }
        answerWithin = settings.duration("answer_within", in: .milliseconds(10) ... .seconds(60)) ?? .seconds(2)
        settings.requireTimeout(above: answerWithin, of: "answer_within")
        staleAfter = settings.duration("stale_after", in: .milliseconds(10)...) ?? .seconds(60)
        guard let device, (1...8).contains(terminator.count) else { return nil }
        self.context = context
        self.device = device
        splitter = SerialLines(terminator: terminator, limit: Self.lineLimit)
    }

    public var listens: Bool { request == nil }

    public mutating func open(at now: Timestamp) throws(SensorError) -> Int32 { try opened().number }

    public mutating func receive(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let port = try opened()
        var lines: [Heard] = []
        var failure: SensorError?
        do {
            if let bytes = try port.readNow() { lines = take(bytes, at: now) }
        } catch {
            failure = failed(error)
        }
        let measured = pending + lines.flatMap(\.measurements)
        pending = []
        let wrong = lines.compactMap(\.error)
        guard var error = failure ?? wrong.first else { return measured }
        if wrong.count > 1 { error.problem += " (and \(wrong.count - 1) more lines are wrong)" }
        error.measured = measured
        throw error
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let port = try opened()
        do {
            if let request { return try ask(port, request, at: now) }
            return try hear(port, at: now)
        } catch {
            throw failed(error)
        }
    }

    public mutating func stop(at now: Timestamp) { port = nil }

    private mutating func opened() throws(SensorError) -> SerialPort {
        if let port { return port }
        let port = try SerialPort(context.path(device), settings, context: context)
        // Whoever speaks now is in the midst of a line.
        splitter.reset(midLine: listens ? try !port.isSilent(for: Self.pauseBetweenLines) : false)
        last = nil
        pending = []
        self.port = port
        return port
    }

    /// Closes a device that has gone, so that it is looked for anew.
    private mutating func failed(_ error: SensorError) -> SensorError {
        if error.kind == .missing { port = nil }
        return error
    }

    // MARK: Asking and listening

    /// What a line said.
    private typealias Heard = Result<[Measurement], SensorError>

    private mutating func ask(
        _ port: SerialPort, _ request: [UInt8], at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        let deadline = ContinuousClock.now + answerWithin
        port.discardInput()
        splitter.reset()
        try port.write(request, until: deadline)
        // A line may be an echo, or a greeting.
        var trouble: SensorError?
        while true {
            let bytes = try port.read(until: deadline)
            if bytes.isEmpty { break }
            let lines = take(bytes, at: now)
            if let answer = lines.last(where: { !$0.measurements.isEmpty }) { return try answer.get() }
            trouble = lines.lazy.compactMap(\.error).last ?? trouble
        }
        throw trouble
            ?? SensorError(
                .unavailable, port.path, "did not answer within \(answerWithin.compact)",
                mend: "check wiring, speed (\(settings)), request and terminator")
    }

    private mutating func hear(_ port: SerialPort, at now: Timestamp) throws(SensorError) -> [Measurement] {
        // What has come already; in a first read, what will come.
        let deadline = ContinuousClock.now + answerWithin
        var lines: [Heard] = []
        repeat {
            let bytes = last == nil ? try port.read(until: deadline) : try port.readNow() ?? []
            if bytes.isEmpty { break }
            lines = (lines + take(bytes, at: now)).suffix(Self.pendingLimit)
        } while last == nil
        // A read gives one value for each channel; the others wait to be received.
        pending += lines.filter { !$0.measurements.isEmpty }.dropLast().flatMap(\.measurements)
        pending = pending.suffix(Self.pendingLimit)
        let wrong = lines.lazy.compactMap(\.error).last
        guard let last else {
            throw wrong
                ?? SensorError(
                    .unavailable, port.path, "has said nothing within \(answerWithin.compact)",
                    mend: "does it speak by itself? If not, give it a request; check wiring and speed (\(settings))")
        }
        if var wrong {
            wrong.measured = last.measurements
            throw wrong
        }
        let age = last.heard.duration(to: .now)
        guard age > staleAfter else { return last.measurements }
        let seconds = Duration.seconds(age.components.seconds)
        return last.measurements.map {
            var stale = $0
            stale.quality = .stale("the device has said nothing for \(seconds.compact)")
            return stale
        }
    }

    /// What each whole line says, and a failure if there was one too long to be one.
    private mutating func take(_ bytes: [UInt8], at now: Timestamp) -> [Heard] {
        let place = context.path(device)
        let before = splitter.overlong
        var heard: [Heard] = splitter.take(bytes).compactMap { text in
            do throws(SensorError) {
                return try line.measurements(of: text, from: place, at: now).map { .success($0) }
            } catch {
                return .failure(error)
            }
        }
        if let measured = heard.last(where: { !$0.measurements.isEmpty })?.measurements { last = (measured, .now) }
        if splitter.overlong > before {
            heard.append(
                .failure(
                    SensorError(
                        .malformed, place, "sent more than \(Self.lineLimit) bytes without an end of line",
                        mend: "check terminator and speed (\(settings))")))
        }
        return heard
    }
}

extension Result<[Measurement], SensorError> {
    /// All that there is, of a failure too.
    fileprivate var measurements: [Measurement] {
        switch self {
        case .success(let measurements): measurements
        case .failure(let error): error.measured
        }
    }

    fileprivate var error: SensorError? { if case .failure(let error) = self { error } else { nil } }
}

public import Settings
public import Units

/// `driver = "gpio"`: a line of a GPIO chip: a contact, a meter's pulses, a relay.
///
///     [[sensor]]
///     name = "lid"
///     driver = "gpio"
///     chip = "pinctrl-bcm2711"
///     line = "GPIO17"
///     bias = "pull-up"
///     active_low = true
///     edges = "both"
///     debounce = "20ms"
///
///     [[sensor]]
///     name = "rain"                                # tips of the gauge since the start
///     driver = "gpio"
///     line = "GPIO27"
///     bias = "pull-up"
///     measure = "count"
///     edges = "falling"
///     debounce = "5ms"
///     every = "1m"
///
///     [[sensor]]
///     name = "pump"
///     driver = "gpio"
///     line = "GPIO22"
///     direction = "output"
///     safe = false
///
/// Options:
/// - `chip`: its label ("pinctrl-bcm2711", "pinctrl-rp1"), its device ("fe200000.gpio", "1-0020": to tell chips of one
///   label apart), its name ("gpiochip0", whose number changes) or its device file's path. Default: all chips are
///   searched for the line's name.
/// - `line`: its name ("GPIO17"), or with a chip its offset (17).
/// - `direction`: "input" (default) or "output".
/// - `active_low`: true if the line is on when the voltage is low. All that is said and set here is in those terms, the
///   edges and the "high" of pulses too.
/// - `bias`: "as-is" (default), "pull-up", "pull-down" or "disabled".
///
/// Of inputs:
/// - `measure`: "state" (default): on or off. "count": how many edges there were since the start of the agent, counted
///   as they come and told at each `every`. "frequency": edges per second, in Hz, from one `every` to the next by the
///   kernel's time stamps; 0 when nothing came for `idle`, or for ten of the last periods. "pulse": how long the newest
///   pulse was, in ms; stale if it ended before the last read. All but "state" need `every`.
/// - `edges`: "rising", "falling" or "both". A state with edges is told at each of them, with the kernel's time for it,
///   and read at each `every` only if there is one. Counts and frequencies have "rising" by default.
/// - `debounce`: the kernel ignores what does not last as long; 1 us to 60 s. Where the chip cannot do it by itself, an
///   edge's time is that at which the line had settled.
/// - `idle` (frequency): 100 ms to 1 h, default 10s.
/// - `pulse` (pulse): "high" (default) or "low".
///
/// Of outputs, which are true and false, also set by 1 and 0, "on" and "off":
/// - `initial`: set when the line is opened, at the start and after its chip was away; default false. Reading an output
///   opens it.
/// - `safe`: set when the agent stops. The line is given up then, and the kernel promises nothing for its level after
///   that: what must stay off needs a resistor that sees to it.
/// - `drive`: "push-pull" (default), "open-drain" or "open-source".
///
/// Edges are waited for, not polled. The kernel keeps 1024 until they are read, and numbers them: should more come before
/// that, the sensor fails with the number of those that are lost, and the counts have them all the same. What comes
/// faster than the kernel's own interrupt can be served, it does not number either. When a frequency or a pulse is read
/// for the first time, it is watched for up to a second.
///
/// Failure modes: no such chip or line, or several (they are looked for anew at each opening, and listed); the line is
/// used by somebody else, who is named; the device may not be opened by this user (the error names its group and the
/// udev rule); the chip was removed (it is looked for again); no interrupt for edges; no pulse yet.
/// Documentation/userspace-api/gpio/chardev.rst, version 2, Linux 5.10.
///
/// Without that, /sys/class/gpio serves: for chips by label or device with the line's offset, states and outputs, no
/// debouncing, bias, drive, count, frequency and pulse; of edges it says only that there were some, so that several may
/// be one, with the time of their reception.
public struct GPIODriver: EventDriver, OutputDriver {
    public static let name = "gpio"

    /// What edges are good for.
    private enum Gauge {
        case state
        case count(UInt64)
        case frequency(EdgeFrequency)
        case pulse(PulseWidth)
    }

    /// As many chunks of edges as one call takes: all that the kernel keeps.
    private static let chunks = 16
    /// In milliseconds: how long a line is watched at the first read, where it is time that counts.
    private static let firstWatch: UInt64 = 1000

    private let options: GPIOOptions
    private let consumer: String
    private let context: DriverContext
    private let kernel: any GPIOKernel

    private var line: (any HeldLine)?
    private var isWatched = false
    private var gauge: Gauge
    private var sequence = EdgeSequence()
    private var clock = EdgeClock()

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.init(settings, context: context, kernel: CharacterDevices(context: context))
    }

    init?(_ settings: SettingsReader, context: DriverContext, kernel: any GPIOKernel) {
        guard let options = GPIOOptions(settings) else { return nil }
        self.options = options
        self.context = context
        self.kernel = kernel
        consumer = GPIOOptions.consumer(of: context.sensor)
        gauge =
            switch options.use {
            case .state, .output: .state
            case .count: .count(0)
            case .frequency(_, let idle): .frequency(EdgeFrequency(idle: idle))
            case .pulse(let isActive): .pulse(PulseWidth(isActive: isActive))
            }
    }

    // MARK: Listening

    public var listens: Bool { options.edges != nil }

    public mutating func open(at now: Timestamp) throws(SensorError) -> Int32 { try held().descriptor }

    public mutating func receive(at now: Timestamp) throws(SensorError) -> [Measurement] {
        clock.tell(monotonic: kernel.monotonicNow, now: now)
        let line = try held()
        var taken = take(from: line)
        if case .state = gauge, taken.fault != nil || taken.lost > 0 {
            // Nobody knows what happened meanwhile; a line that is gone may be back already.
            if let level = try? held().level(), taken.measured.last?.value != .boolean(level) {
                taken.measured.append(Self.state(level, after: taken.measured.last?.time, at: now))
            }
        }
        return try result(taken, line)
    }

    // MARK: Reading

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        clock.tell(monotonic: kernel.monotonicNow, now: now)
        let line = try held()
        guard listens, line is RequestedLine else { return [Measurement(.boolean(try level(of: line)))] }
        var taken = watchAtFirst(line)
        if taken.fault == nil {
            do throws(SensorError) {
                taken.measured.append(try value(of: line, taken, at: now))
            } catch {
                taken.fault = error
            }
        }
        return try result(taken, line)
    }

    private mutating func value(
        of line: any HeldLine, _ taken: Taken, at now: Timestamp
    ) throws(SensorError) -> Measurement {
        switch gauge {
        case .state: return Self.state(try level(of: line), after: taken.measured.last?.time, at: now)
        case .count(let count): return Measurement(.number(Double(count)))
        case .frequency(var frequency):
            let end = kernel.monotonicNow
            let value = frequency.read(at: end)
            gauge = .frequency(frequency)
            return Measurement(.number(value), unit: "Hz", time: clock.wallTime(of: end))
        case .pulse(var pulses):
            let newest = pulses.read()
            gauge = .pulse(pulses)
            guard let (pulse, isNew) = newest else {
                throw SensorError(
                    .unavailable, line.place, "has given no pulse yet", mend: "is its device connected and powered?")
            }
            let end = clock.wallTime(of: pulse.end)
            return Measurement(
                .number(Double(pulse.width) / 1e6), unit: "ms", time: isNew ? end : nil,
                quality: isNew ? .good : .stale("no pulse since \(end.iso8601)"))
        }
    }

    /// Takes what has come; where time counts, and there is nothing from before, what comes within a second.
    private mutating func watchAtFirst(_ line: any HeldLine) -> Taken {
        var taken = take(from: line)
        defer { isWatched = true }
        switch gauge {
        case .state, .count: return taken
        case .frequency, .pulse: if isWatched { return taken }
        }
        let end = kernel.monotonicNow + Self.firstWatch * 1_000_000
        while taken.fault == nil, !hasPulse, case let time = kernel.monotonicNow, time < end {
            kernel.wait(for: line.descriptor, milliseconds: Int32((end - time + 999_999) / 1_000_000))
            let more = take(from: line)
            taken.lost += more.lost
            taken.fault = more.fault
        }
        return taken
    }

    private var hasPulse: Bool { if case .pulse(let pulses) = gauge { pulses.hasPulse } else { false } }

    private mutating func level(of line: any HeldLine) throws(SensorError) -> Bool {
        do throws(SensorError) {
            return try line.level()
        } catch {
            if error.kind == .missing { self.line = nil }
            throw error
        }
    }

    /// - Parameter last: when it was told before.
    private static func state(_ level: Bool, after last: Timestamp?, at now: Timestamp) -> Measurement {
        Measurement(.boolean(level), time: last.map { max($0, now) })
    }

    // MARK: Edges

    /// What has come since the last time.
    private struct Taken {
        /// Edges, if they are told.
        var measured: [Measurement] = []
        var lost: UInt64 = 0
        var fault: SensorError?
    }

    private mutating func take(from line: any HeldLine) -> Taken {
        var taken = Taken()
        do throws(SensorError) {
            guard let line = line as? RequestedLine else {
                let level = try line.level()
                taken.measured = [Measurement(.boolean(options.edges == .both ? level : options.edges == .rising))]
                return taken
            }
            for _ in 0..<Self.chunks {
                let events = try line.events()
                if events.isEmpty { break }
                for event in events {
                    let lost = sequence.take(event.number)
                    taken.lost += lost
                    measure(event, lost: lost)
                    guard case .state = gauge else { continue }
                    taken.measured.append(
                        Measurement(.boolean(event.isRising), time: clock.wallTime(of: event.time)))
                }
            }
        } catch {
            taken.fault = error
            self.line = nil
        }
        return taken
    }

    private mutating func measure(_ event: LineEvent, lost: UInt64) {
        switch gauge {
        case .state: break
        case .count(let count): gauge = .count(count + 1 + lost)
        case .frequency(var frequency):
            frequency.take(at: event.time, lost: lost)
            gauge = .frequency(frequency)
        case .pulse(var pulses):
            pulses.take(event, lost: lost)
            gauge = .pulse(pulses)
        }
    }

    private func result(_ taken: Taken, _ line: any HeldLine) throws(SensorError) -> [Measurement] {
        if var fault = taken.fault {
            fault.measured = taken.measured
            throw fault
        }
        guard taken.lost > 0 else { return taken.measured }
        var error = SensorError(
            .lost, line.place,
            "lost \(taken.lost) \(taken.lost == 1 ? "edge" : "edges") (\(sequence.lost) in all): more came than the kernel keeps",
            mend: "debounce it, or relieve the board")
        error.measured = taken.measured
        throw error
    }

    // MARK: Setting

    public var isSettable: Bool { if case .output = options.use { true } else { false } }

    public mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        let place = "sensor \"\(context.sensor)\""
        guard case .output = options.use else {
            throw SensorError(.rejected, place, "is an input", mend: "write direction = \"output\"")
        }
        guard channel == nil else { throw SensorError(.rejected, place, "has no channels: it is one line") }
        let level: Bool
        switch value {
        case .boolean(let boolean): level = boolean
        case .number(0): level = false
        case .number(1): level = true
        case .text(let text) where text.lowercased() == "on": level = true
        case .text(let text) where text.lowercased() == "off": level = false
        default: throw SensorError(.rejected, place, "is on or off", mend: "set it to true or false")
        }
        return [Measurement(.boolean(try drive(level)))]
    }

    public mutating func makeSafe(at now: Timestamp) throws(SensorError) {
        guard case .output(_, let safe?, _) = options.use else { return }
        _ = try drive(safe)
    }

    public mutating func stop(at now: Timestamp) {
        try? makeSafe(at: now)
        line = nil
    }

    /// - Returns: the level that the line then has.
    private mutating func drive(_ level: Bool) throws(SensorError) -> Bool {
        let line = try held(level)
        do throws(SensorError) {
            try line.set(level)
            return try line.level()
        } catch {
            if error.kind == .missing { self.line = nil }
            throw error
        }
    }

    // MARK: The line

    /// The line, requested if it is not ours yet.
    ///
    /// - Parameter level: what an output gets then, if not its initial level.
    private mutating func held(_ level: Bool? = nil) throws(SensorError) -> any HeldLine {
        if let line { return line }
        var first: Bool?
        if case .output(let initial, _, _) = options.use { first = level ?? initial }
        let search = LineSearch(kernel: kernel, context: context, chip: options.chip, line: options.line)
        let held: any HeldLine
        if let found = try search.find() {
            held = try RequestedLine(
                found, options.request(offset: found.line.offset, consumer: consumer, level: first))
        } else if let plain = try SysfsLine.find(options, level: first, in: context) {
            held = plain
        } else {
            throw SensorError(
                .missing, context.path("/dev"), "has no GPIO chip (gpiochip*)",
                mend: "is the chip connected, and its kernel driver loaded?")
        }
        sequence.restart()
        if case .pulse(var pulses) = gauge {
            pulses.restart()
            gauge = .pulse(pulses)
        }
        line = held
        return held
    }
}

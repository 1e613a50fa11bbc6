internal import Settings
internal import Units

/// What a sensor's table says of its GPIO line.
struct GPIOOptions: Sendable {
    enum Use: Sendable {
        case state(GPIOLine.Edges?)
        case count(GPIOLine.Edges)
        /// `idle` in nanoseconds.
        case frequency(GPIOLine.Edges, idle: UInt64)
        case pulse(isActive: Bool)
        case output(initial: Bool, safe: Bool?, GPIOLine.Drive)
    }

    private enum Measure: String, CaseIterable { case state, count, frequency, pulse }

    let chip: String?
    let line: LineSearch.Line
    let use: Use
    let isActiveLow: Bool
    let bias: GPIOLine.Bias
    /// In microseconds.
    let debounce: UInt32?

    init?(_ settings: SettingsReader) {
        chip = settings.string("chip")
        settings.require("line", mend: "write its name (\"GPIO17\"), or with a chip its offset (17)")
        let line: LineSearch.Line? =
            settings.isInteger("line")
            ? settings.integer("line", in: 0...Int(Int32.max)).map { .offset(UInt32($0)) }
            : settings.string("line").map { .name($0) }
        if case .offset? = line, chip == nil {
            settings.problem(
                at: "line", message: "an offset belongs to a chip", mend: "write chip = \"…\", or the line's name")
        }
        let direction = settings.choice("direction", of: GPIOLine.Direction.self) ?? .input
        isActiveLow = settings.boolean("active_low") ?? false
        bias = settings.choice("bias", of: GPIOLine.Bias.self) ?? .asIs

        let measure = settings.choice("measure", of: Measure.self) ?? .state
        let edges = settings.choice("edges", of: GPIOLine.Edges.self)
        let idle = settings.duration("idle", in: .milliseconds(100) ... .seconds(3600)) ?? .seconds(10)
        let pulse = settings.choice("pulse", of: ["high": true, "low": false]) ?? true
        debounce = settings.duration("debounce", in: .microseconds(1) ... .seconds(60)).map {
            UInt32(clamping: $0.milliseconds * 1000 + $0.components.attoseconds / 1_000_000_000_000 % 1000)
        }
        let initial = settings.boolean("initial") ?? false
        let safe = settings.boolean("safe")
        let drive = settings.choice("drive", of: GPIOLine.Drive.self) ?? .pushPull

        switch direction {
        case .output:
            use = .output(initial: initial, safe: safe, drive)
            Self.refuse(
                ["measure", "edges", "idle", "pulse", "debounce"], in: settings, "is for inputs",
                mend: "remove it, or write direction = \"input\"")
        case .input:
            use =
                switch measure {
                case .state: .state(edges)
                case .count: .count(edges ?? .rising)
                case .frequency:
                    .frequency(
                        edges ?? .rising, idle: UInt64(clamping: idle.milliseconds) * 1_000_000)
                case .pulse: .pulse(isActive: pulse)
                }
            Self.refuse(
                ["initial", "safe", "drive"], in: settings, "is for outputs",
                mend: "remove it, or write direction = \"output\"")
            if measure != .frequency {
                Self.refuse(["idle"], in: settings, "is for measure = \"frequency\"", mend: "remove it")
            }
            if measure != .pulse {
                Self.refuse(["pulse"], in: settings, "is for measure = \"pulse\"", mend: "remove it")
            } else {
                Self.refuse(["edges"], in: settings, "is not for pulses, which have both", mend: "remove it")
            }
            // Nothing else would tell the value: the edges themselves are not passed on.
            if measure != .state {
                settings.require("every", mend: "say how often a \(measure) is told: every = \"10s\"")
            }
        }
        guard let line else { return nil }
        self.line = line
    }

    private static func refuse(_ keys: [String], in settings: SettingsReader, _ message: String, mend: String) {
        for key in keys where settings.has(key) { settings.problem(at: key, message: message, mend: mend) }
    }

    /// The edges that the kernel is to tell of.
    var edges: GPIOLine.Edges? {
        switch use {
        case .state(let edges): edges
        case .count(let edges), .frequency(let edges, _): edges
        case .pulse: .both
        case .output: nil
        }
    }

    /// What sysfs can do too.
    var isPlain: Bool {
        guard debounce == nil, bias == .asIs else { return false }
        return switch use {
        case .state, .output(_, _, .pushPull): true
        default: false
        }
    }

    /// - Parameter level: an output's, from the beginning.
    func request(offset: UInt32, consumer: String, level: Bool?) -> LineRequest {
        var flags = LineFlags(bias).union(LineFlags(edges))
        if isActiveLow { flags.insert(.activeLow) }
        if case .output(_, _, let drive) = use {
            flags.formUnion(LineFlags(drive))
            flags.insert(.output)
        } else {
            flags.insert(.input)
        }
        return LineRequest(offset: offset, consumer: consumer, flags: flags, debounce: debounce, output: level)
    }

    /// "fieldpost NAME", or as much of it as the kernel takes.
    static func consumer(of sensor: String) -> String {
        var consumer = ""
        for character in "fieldpost \(sensor)" {
            guard consumer.utf8.count + character.utf8.count <= LineRequest.consumerLimit else { break }
            consumer.append(character)
        }
        return consumer
    }
}

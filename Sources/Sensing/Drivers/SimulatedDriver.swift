public import Settings
public import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `driver = "simulated"`: values of a sensor that is not there, for demonstrations and tests.
///
///     [[sensor]]
///     name = "fill"
///     driver = "simulated"
///     kind = "bin"
///     fill_time = "2m"
///
/// The values follow from the seed and the times of the reads alone, so a run can be had again.
///
/// Options:
/// - `kind`: "sine" and "ramp" (up, and back at once) repeat themselves each period of the clock; "random-walk" takes
///   a step at each read; "bin" fills at random rates, and at the read after `empty_at` was reached has been emptied.
/// - `minimum`, `maximum`: the values' range; defaults 0 and 100; within ±10^12.
/// - `noise`: at most so much is added to or taken from a value; default 0. The range holds all the same.
/// - `decimals`: digits after the point, 0 to 9; default 2.
/// - `unit`: default "%" for a bin, else none.
/// - `seed`: an integer; default: derived from the sensor's name.
/// - `fail_every`: each so many-th read fails; default: none.
/// - `period` ("sine", "ramp"): at least 10 ms; default 1m.
/// - `step` ("random-walk"): the largest; default a hundredth of the range.
/// - `fill_time` ("bin"): from empty to full, on average; at least 1 s; default 1h.
/// - `empty_at` ("bin"): default 90 % of the range.
public struct SimulatedDriver: SensorDriver {
    public static let name = "simulated"

    private enum Shape {
        case sine(period: Int64)
        case ramp(period: Int64)
        case randomWalk(step: Double)
        case bin(fillTime: Int64, emptyAt: Double)
    }

    private enum Kind: String, CaseIterable {
        case sine, ramp, bin
        case randomWalk = "random-walk"
    }

    private static let limits = -1e12...1e12

    private let place: String
    private let shape: Shape
    private let range: ClosedRange<Double>
    private let noise: Double
    private let decimals: Double
    private let unit: String?
    private let failEvery: Int?

    private var random: SplitMix64
    private var reads = 0
    private var level: Double
    private var lastRead: Timestamp?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        settings.require("kind", mend: "possible are \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
        let kind = settings.choice("kind", of: Kind.self)
        let minimum = settings.number("minimum", in: Self.limits) ?? 0
        let maximum = settings.number("maximum", in: Self.limits) ?? 100
        noise = settings.number("noise", in: 0...Self.limits.upperBound) ?? 0
        let digits = settings.integer("decimals", in: 0...9) ?? 2
        decimals = (0..<digits).reduce(1.0) { power, _ in power * 10 }
        unit = settings.string("unit") ?? (kind == .bin ? "%" : nil)
        failEvery = settings.integer("fail_every", in: 1...)
        let seed = settings.integer("seed").map { UInt64(truncatingIfNeeded: $0) } ?? Self.seed(context.sensor)

        guard let kind else {
            settings.ignoreUnknownKeys()
            return nil
        }
        guard minimum < maximum else {
            settings.problem(
                at: settings.has("maximum") ? "maximum" : "minimum",
                message: "the maximum is not above the minimum")
            settings.ignoreUnknownKeys()
            return nil
        }
        let width = maximum - minimum
        switch kind {
        case .sine, .ramp:
            let period = (settings.duration("period", in: .milliseconds(10)...) ?? .seconds(60)).milliseconds
            shape = kind == .sine ? .sine(period: period) : .ramp(period: period)
        case .randomWalk:
            shape = .randomWalk(step: settings.number("step", in: 0...width) ?? width / 100)
        case .bin:
            shape = .bin(
                fillTime: (settings.duration("fill_time", in: .seconds(1)...) ?? .seconds(3600)).milliseconds,
                emptyAt: settings.number("empty_at", in: minimum...maximum) ?? minimum + 0.9 * width)
        }
        place = "simulated sensor \"\(context.sensor)\""
        range = minimum...maximum
        random = SplitMix64(seed: seed)
        level = random.next(in: range)
        if case .bin(_, let emptyAt) = shape { level = random.next(in: minimum...emptyAt) }
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        reads += 1
        let value = next(at: now)
        if let failEvery, reads.isMultiple(of: failEvery) {
            throw SensorError(.unavailable, place, "fails at each read whose number is a multiple of \(failEvery)")
        }
        let noisy = noise == 0 ? value : value + random.next(in: -noise...noise)
        return [Measurement(.number(clamped((noisy * decimals).rounded() / decimals)), unit: unit)]
    }

    private mutating func next(at now: Timestamp) -> Double {
        let elapsed = lastRead.map { now.milliseconds - $0.milliseconds } ?? 0
        lastRead = now
        let width = range.upperBound - range.lowerBound
        switch shape {
        case .sine(let period):
            return range.lowerBound + width * (1 + sin(Self.phase(now, period) * 2 * .pi)) / 2
        case .ramp(let period):
            return range.lowerBound + width * Self.phase(now, period)
        case .randomWalk(let step):
            level = clamped(level + random.next(in: -step...step))
        case .bin(let fillTime, let emptyAt):
            if level >= emptyAt {
                level = range.lowerBound
            } else {
                // A clock that was set is no reason for a flood, nor for emptying.
                let share = Double(min(max(elapsed, 0), fillTime)) / Double(fillTime)
                level = clamped(level + width * share * random.next(in: 0...2))
            }
        }
        return level
    }

    private func clamped(_ value: Double) -> Double { min(max(value, range.lowerBound), range.upperBound) }

    /// How much of the current period is over, 0 to 1.
    private static func phase(_ now: Timestamp, _ period: Int64) -> Double {
        let rest = now.milliseconds % period
        return Double(rest < 0 ? rest + period : rest) / Double(period)
    }

    /// FNV-1a of the name.
    private static func seed(_ name: String) -> UInt64 {
        name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}

import Sensing
import Settings
import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// `driver = "well"`: how much water stands in a well, from what a logger leaves in a file: the depth from its rim to the
/// water, in centimetres.
///
///     [[sensor]]
///     name = "well"
///     driver = "well"
///     file = "/run/well/depth"
///     depth = 12.5            # of the well, in metres
///
/// Channels: `level` (m) and `fill` (%). A depth that the well does not have is given as out of range.
struct WellDriver: SensorDriver {
    static let name = "well"

    private let path: String
    private let depth: Double

    init?(_ settings: SettingsReader, context: DriverContext) {
        settings.require("depth", mend: "say how deep the well is, in metres")
        let depth = settings.number("depth", in: 0.1...1_000)
        let file = settings.path("file") ?? WellFinder.file
        path = context.path(file)
        guard let depth else { return nil }
        self.depth = depth
    }

    mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        guard let text = Self.text(path) else {
            throw SensorError(.missing, path, "cannot be read", mend: "does the logger run?")
        }
        guard let centimetres = Double(text) else {
            throw SensorError(.malformed, path, "does not hold a number")
        }
        let level = depth - centimetres / 100
        let quality: Quality =
            (0...depth).contains(level) ? .good : .outOfRange("the well is \(depth) m deep")
        return [
            Measurement(channel: "level", .number(level), unit: "m", quality: quality),
            Measurement(channel: "fill", .number(100 * level / depth), unit: "%", quality: quality),
        ]
    }

    /// The file's first line.
    static func text(_ path: String) -> String? {
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        let bytes = line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Finds the logger's file where the logger puts it.
struct WellFinder: SensorFinder {
    static let file = "/run/well/depth"

    func find(in context: DriverContext) -> [SensorCandidate] {
        guard WellDriver.text(context.path(Self.file)) != nil else { return [] }
        return [
            SensorCandidate(
                name: "well", driver: WellDriver.name, options: [.init("depth", .number(10))],
                summary: "a well (say how deep it is)")
        ]
    }
}

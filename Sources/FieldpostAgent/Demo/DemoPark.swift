#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The bins as they are, which nobody knows but by measuring: each has an ultrasonic sensor in its lid, which shows the
/// distance to the rubbish, in metres, in a file, as the kernel does.
actor DemoPark {
    /// From the lid to the floor, in metres.
    static let depth = 0.92
    private static let step = Duration.milliseconds(250)
    /// What is left in a bin that was emptied, in per cent.
    private static let rest = 4.0

    private struct Bin {
        /// In per cent.
        var level: Double
        /// What it fills up to, and how fast, in per cent a second.
        var target: Double
        var rate = 0.0
    }

    private let folder: String
    private var bins: [String: Bin]
    /// Whether whatever was emptied fills again.
    private var goesOn = false

    /// - Throws: ``DemonstrationError`` if the files cannot be written.
    init(folder: String) throws {
        self.folder = folder
        bins = ["bin-1": 31.0, "bin-2": 52.0, "bin-3": 44.0].mapValues { Bin(level: $0, target: $0) }
        for (name, bin) in bins { try Self.show(bin, name, folder) }
    }

    static func path(of bin: String, in folder: String) -> String { "\(folder)/\(bin).distance" }

    /// Lets time pass, until cancelled.
    ///
    /// - Throws: ``DemonstrationError`` if the files cannot be written.
    func run() async throws {
        var last = ContinuousClock.now
        while (try? await Task.sleep(for: Self.step)) != nil {
            let now = ContinuousClock.now
            let seconds = last.duration(to: now) / .seconds(1)
            last = now
            for (name, var bin) in bins {
                bin.level = min(bin.level + bin.rate * seconds, max(bin.level, bin.target))
                bins[name] = bin
                try Self.show(bin, name, folder)
            }
        }
    }

    /// People bring rubbish.
    func fill(_ bin: String, to level: Double, within time: Duration) {
        guard let present = bins[bin]?.level else { return }
        bins[bin]?.target = level
        bins[bin]?.rate = max(level - present, 0) / (time / .seconds(1))
    }

    func empty(_ bin: String) {
        bins[bin] = Bin(level: Self.rest, target: Self.rest)
        fill(bin, to: goesOn ? 90 : 40, within: .seconds(60))
    }

    /// All bins fill from now on, again and again.
    func goOn() {
        goesOn = true
        for (number, name) in bins.keys.sorted().enumerated() { fill(name, to: 90, within: .seconds(20 + 15 * number)) }
    }

    /// No sensor is quiet: some millimetres more or less.
    private static func show(_ bin: Bin, _ name: String, _ folder: String) throws {
        let distance = depth * (1 - bin.level / 100) + Double.random(in: -0.003...0.003)
        let path = path(of: name, in: folder)
        // Whoever reads meanwhile reads the old one or the new one.
        try TemporaryFolder.put("\(max(distance, 0))\n", into: "\(path).new")
        guard rename("\(path).new", path) == 0 else {
            throw DemonstrationError.noFolder(reason: "\(path): \(String(cString: strerror(errno)))")
        }
    }
}

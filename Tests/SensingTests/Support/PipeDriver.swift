import Glibc
import Sensing
import Settings
import Synchronization
import Units

/// A device that speaks through a pipe, a byte a measurement, and that a test holds the other end of.
final class PipeDevice: Sendable {
    private struct State {
        /// Nil while the device is unplugged.
        var writing: Int32?
        var opened = 0
        var output = 0.0
        var stopped = 0
        var isSafe = false
    }

    private let state = Mutex(State())

    deinit { unplug() }

    var opened: Int { state.withLock { $0.opened } }
    var stopped: Int { state.withLock { $0.stopped } }
    var isSafe: Bool { state.withLock { $0.isSafe } }
    var output: Double { state.withLock { $0.output } }

    func say(_ bytes: [UInt8]) {
        state.withLock { state in
            if let end = state.writing { _ = write(end, bytes, bytes.count) }
        }
    }

    /// Its reader sees the end.
    func unplug() {
        state.withLock { state in
            if let end = state.writing { close(end) }
            state.writing = nil
        }
    }

    /// - Returns: the end to read.
    fileprivate func plug() throws(SensorError) -> Int32 {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SensorError(.unavailable, "pipe", "failed") }
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        state.withLock { state in
            state.writing = ends[1]
            state.opened += 1
        }
        return ends[0]
    }

    fileprivate func change(_ value: Double, safe: Bool = false) {
        state.withLock { state in
            state.output = value
            state.isSafe = safe
        }
    }

    fileprivate func stop() { state.withLock { $0.stopped += 1 } }
}

struct PipeDriver: EventDriver, OutputDriver {
    static let name = "pipe"
    let device: PipeDevice
    var listens = true
    /// Whether the next opening finds the device.
    var isThere: @Sendable () -> Bool = { true }
    private var descriptor: Int32?

    init(_ device: PipeDevice, listens: Bool = true, isThere: @escaping @Sendable () -> Bool = { true }) {
        self.device = device
        self.listens = listens
        self.isThere = isThere
    }

    init?(_ settings: SettingsReader, context: DriverContext) { nil }

    mutating func open(at now: Timestamp) throws(SensorError) -> Int32 {
        if let descriptor { return descriptor }
        guard isThere() else { throw SensorError(.missing, "/dev/pipe", "does not exist") }
        let descriptor = try device.plug()
        self.descriptor = descriptor
        return descriptor
    }

    mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        _ = try open(at: now)
        return [Measurement(channel: "read", .boolean(true))]
    }

    mutating func receive(at now: Timestamp) throws(SensorError) -> [Measurement] {
        guard let descriptor else { return [] }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        if count == 0 {
            close(descriptor)
            self.descriptor = nil
            throw SensorError(.missing, "/dev/pipe", "has gone")
        }
        let measured = bytes.prefix(max(count, 0)).map { Measurement(.number(Double($0))) }
        guard !bytes.prefix(max(count, 0)).contains(0) else {
            var error = SensorError(.lost, "/dev/pipe", "lost something")
            error.measured = measured
            throw error
        }
        return measured
    }

    mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        guard case .number(let number) = value else { throw SensorError(.rejected, "/dev/pipe", "takes a number") }
        device.change(number)
        return [Measurement(channel: "output", value)]
    }

    mutating func makeSafe(at now: Timestamp) throws(SensorError) { device.change(0, safe: true) }

    mutating func stop(at now: Timestamp) {
        try? makeSafe(at: now)
        if let descriptor { close(descriptor) }
        descriptor = nil
        device.stop()
    }
}

public import Settings
public import Units

/// `driver = "plugin"`: a program of any language that runs beside the agent and speaks JSON Lines with it.
///
///     [[sensor]]
///     name = "garden"
///     driver = "plugin"
///     command = ["/usr/bin/python3", "/usr/local/lib/fieldpost/garden.py"]
///     options = { pin = 4, calibration = [0.2, 1.1] }
///     safe = { valve = false }
///     memory = "64MB"
///     every = "30s"
///
/// Options:
/// - `command`, `environment`, `user`, `directory`, `memory` ("256MB"), `open_files`, `processes`: the program and what
///   it is allowed, see ``ProgramOptions``.
/// - `options`: a table of anything, which the plugin gets when it starts, and may refuse.
/// - `safe`: a table of channels and the values that they are set to when the agent ends, or makes its outputs safe.
///
/// The plugin is started by the first read or ``open(at:)`` and runs as long as the agent. It is asked for readings at
/// the start, and on the sensor's grid if its table says `every`; it tells of events by itself, and can be set. To start, and to answer, it has as long as the
/// sensor's `timeout` says, less a fifth (at most a second), which is kept for its end. What it writes on standard error
/// goes to the agent's log.
///
/// Failure modes: it is not there, may not be run, refuses its options, speaks another version of the protocol; it does
/// not answer in time, ends, closes its output or floods. After each of these it is ended, with all that it started, and
/// started again after 1 s, then 2 s, 4 s … 5 min; after it ran well for a minute, after 1 s again. Beyond 1,000 messages or
/// 1 MiB a second its messages are dropped and counted; after ten such seconds it is ended. Lines that are no messages
/// go to the log. Protocol: Config/plugins/README.md. execve(2), setrlimit(2), prctl(2).
public struct PluginDriver: EventDriver, OutputDriver {
    public static let name = "plugin"

    private let context: DriverContext
    private let program: ProgramOptions
    private let patience: Patience
    private let options: JSON
    private let safe: [(channel: String, value: Reading.Value)]
    private var journal: Journal
    private var backoff = Backoff()
    private var connection: PluginConnection?
    private var lastFailure: SensorError?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let program = ProgramOptions(settings)
        options = settings.anyTable("options").map(JSON.init(_:)) ?? .object([])
        safe = (settings.dictionary("safe") ?? []).compactMap { entry in
            Reading.Value(entry.value).map { (entry.key, $0) }
        }
        patience = Patience(settings)
        guard let program else { return nil }
        self.program = program
        self.context = context
        journal = Journal(context)
    }

    public var listens: Bool { true }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let deadline = ContinuousClock.now + patience.work
        try start(until: deadline)
        guard connection?.identity?.reads == true else { return [] }
        return try ask(.read, until: deadline)
    }

    public mutating func open(at now: Timestamp) throws(SensorError) -> Int32 {
        try start(until: .now + patience.work)
        guard let connection else { throw SensorError(.unavailable, program.name, "is not running") }
        return connection.ready.number
    }

    public mutating func receive(at now: Timestamp) throws(SensorError) -> [Measurement] {
        do throws(PluginConnection.Trouble) {
            try connection?.receive(&journal)
        } catch {
            throw failure(error)
        }
        return try connection?.received() ?? []
    }

    public mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        let deadline = ContinuousClock.now + patience.work
        try start(until: deadline)
        guard connection?.identity?.sets == true else {
            throw SensorError(.rejected, program.name, "has nothing that can be set")
        }
        return try ask(.set(channel: channel, value: value), until: deadline)
    }

    public mutating func makeSafe(at now: Timestamp) throws(SensorError) {
        guard !safe.isEmpty else { return }
        let deadline = ContinuousClock.now + patience.work
        try start(until: deadline)
        try makeSafe(until: deadline)
    }

    private mutating func makeSafe(until deadline: ContinuousClock.Instant) throws(SensorError) {
        // One that cannot be set does not keep the others from it.
        var first: SensorError?
        for (channel, value) in safe where connection != nil {
            do { _ = try ask(.set(channel: channel, value: value), until: deadline) } catch { first = first ?? error }
        }
        if let first { throw first }
    }

    public mutating func stop(at now: Timestamp) {
        // The agent does not wait longer than a second.
        try? makeSafe(until: .now + .milliseconds(300))
        connection?.stop(farewell: .milliseconds(250))
        connection = nil
    }

    // MARK: Starting and ending

    /// Does nothing if it runs.
    private mutating func start(until deadline: ContinuousClock.Instant) throws(SensorError) {
        guard connection == nil else { return }
        if let wait = backoff.wait(at: .now) {
            throw waiting(wait, for: lastFailure ?? SensorError(.unavailable, program.name, "has ended"))
        }
        backoff.started(at: .now)
        var new: PluginConnection
        do throws(SensorError) {
            new = try PluginConnection(program, context: context)
        } catch {
            throw failure(.ended(error))
        }
        do throws(PluginConnection.Trouble) {
            try new.introduce(sensor: context.sensor, options: options, until: deadline, &journal)
        } catch {
            connection = new
            switch error {
            case .told(let error), .ended(let error): throw failure(.ended(error))
            }
        }
        connection = new
        journal.note("\(new.identity?.name ?? program.name) runs as process \(new.process)")
    }

    private mutating func ask(
        _ request: PluginRequest, until deadline: ContinuousClock.Instant
    ) throws(SensorError) -> [Measurement] {
        do throws(PluginConnection.Trouble) {
            return try connection?.readings(for: request, until: deadline, &journal) ?? []
        } catch {
            throw failure(error)
        }
    }

    /// What to throw; the plugin is ended if it is of no use any more.
    private mutating func failure(_ trouble: PluginConnection.Trouble) -> SensorError {
        switch trouble {
        case .told(let error): return error
        case .ended(var error):
            error.measured = []
            lastFailure = error
            backoff.failed(at: .now)
            do throws(SensorError) {
                error.measured = try connection?.received() ?? []
            } catch let rest {
                // That it said too much, or failed before, is no news beside its end.
                error.measured = rest.measured
            }
            connection?.stop(farewell: patience.farewell)
            connection = nil
            return waiting(backoff.wait(at: .now) ?? .zero, for: error)
        }
    }

    private func waiting(_ wait: Duration, for error: SensorError) -> SensorError {
        var error = error
        let seconds = (wait + .milliseconds(999)).components.seconds
        let restart = "it is started again in \(Duration.seconds(max(1, seconds)).compact)"
        error.mend = error.mend.map { "\($0); \(restart)" } ?? restart
        return error
    }
}

extension Reading.Value {
    fileprivate init?(_ value: Value) {
        switch value.kind {
        case .string(let text): self = .text(text)
        case .integer(let number): self = .number(Double(number))
        case .number(let number): self = .number(number)
        case .boolean(let boolean): self = .boolean(boolean)
        case .array, .table, .date: return nil
        }
    }
}

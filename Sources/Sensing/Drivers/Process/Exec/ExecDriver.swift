public import Settings
public import Units

/// `driver = "exec"`: what a program prints that is run now and then.
///
///     [[sensor]]
///     name = "gpu"
///     driver = "exec"
///     command = ["vcgencmd", "measure_temp"]
///     pattern = "temp=([0-9.]+)"
///     unit = "°C"
///     every = "1m"
///
///     [[sensor]]
///     name = "weather"
///     driver = "exec"
///     command = ["curl", "-s", "http://station.local/now.json"]
///     format = "json"
///     channels = { temperature = "main.temp", humidity = "main.humidity" }
///     units = { temperature = "°C", humidity = "%" }
///     every = "5m"
///     timeout = "20s"
///
/// Options:
/// - `command`, `environment`, `user`, `directory`, `memory` ("256MB"), `open_files`, `processes`: the program and what
///   it is allowed, see ``ProgramOptions``.
/// - `format`, `pattern`, `path`, `channels`, `precision`, `unit`, `units`: what its output holds, see ``TextFormat``.
///
/// The program has no input and no terminal, and is not run by a shell. It may take as long as the sensor's `timeout` says,
/// less a fifth (at most a second) for its end: then it gets SIGTERM, and a moment later SIGKILL, as do all processes that
/// it started. What it leaves running when it ends is killed, too. What it writes on standard error goes to the agent's log.
///
/// Failure modes: it is not there, may not be run, ends with an exit code that is not 0 (the error tells its last line
/// on standard error), is killed, takes too long, prints more than 256 KiB, or what is not of the format; of several
/// lines or channels, the good ones are given. execve(2), setrlimit(2); RFC 8259; InfluxDB's line protocol reference.
public struct ExecDriver: SensorDriver {
    public static let name = "exec"

    private let context: DriverContext
    private let program: ProgramOptions
    private let patience: Patience
    private let format: TextFormat
    private var journal: Journal

    public init?(_ settings: SettingsReader, context: DriverContext) {
        let program = ProgramOptions(settings)
        format = TextFormat(settings)
        patience = Patience(settings)
        guard let program else { return nil }
        self.program = program
        self.context = context
        journal = Journal(context)
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let output = try ProgramRun.output(of: program, patience: patience, context: context, journal: &journal)
        return try format.measurements(of: output, from: program.name)
    }
}

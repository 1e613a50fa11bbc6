public import Settings
internal import Synchronization
internal import Units

/// A program that somebody may have run, as the configuration allows it.
///
///     [[commands.program]]
///     name = "reboot"
///     command = ["systemctl", "reboot"]
///     timeout = "10s"
///
/// - `command`, `environment`, `user`, `directory`, `memory`, `open_files`, `processes`: as for the driver `exec`.
/// - `arguments = true`: whoever asks may add arguments; default: none.
/// - `timeout`: 10 ms to 5 minutes, default 5s; then it is killed.
public struct ConfiguredProgram: Sendable {
    public let name: String
    private let options: ProgramOptions
    private let takesArguments: Bool
    private let timeout: Duration

    /// - Returns: nil after a problem.
    public init?(_ settings: SettingsReader) {
        let name = settings.requiredString("name")
        let options = ProgramOptions(settings)
        takesArguments = settings.boolean("arguments") ?? false
        timeout = settings.sensorTimeout
        guard let name, let options else { return nil }
        self.name = name
        self.options = options
    }

    /// Runs it to its end, which blocks.
    ///
    /// - Parameter time: how long it may take at most, beside its own timeout.
    /// - Returns: what it printed, up to 256 KiB.
    /// - Throws: ``SensorError`` of kind ``SensorError/Kind/rejected`` for arguments that it does not take; else why there is
    ///   no output.
    public func run(
        _ arguments: [String], within time: Duration, log: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(SensorError) -> String {
        guard arguments.isEmpty || takesArguments else {
            throw SensorError(
                .rejected, "program \"\(name)\"", "takes no arguments", mend: "write arguments = true for it")
        }
        guard !arguments.contains(where: { $0.utf8.contains(0) }) else {
            throw SensorError(.rejected, "program \"\(name)\"", "an argument holds a NUL")
        }
        var program = options
        program.command += arguments
        let context = DriverContext(sensor: name, log: log)
        var journal = Journal(context)
        let output = try ProgramRun.output(
            of: program, patience: Patience(timeout: min(timeout, time)), context: context, journal: &journal)
        return String(decoding: output, as: UTF8.self)
    }
}

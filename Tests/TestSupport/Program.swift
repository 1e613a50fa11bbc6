public import Glibc
internal import Subprocess
internal import Synchronization

/// A child process whose output is read as it comes.
///
/// It dies with the test process, however that ends: `setpriv --pdeathsig` arms `prctl(PR_SET_PDEATHSIG)` before it
/// becomes the program. It is killed as well when the last reference to this value goes.
public final class Program: Sendable {
    /// How a process ended.
    public enum Ending: Sendable, Equatable {
        case exited(CInt)
        case killed(signal: CInt)
    }

    /// The program's process identifier.
    public let processIdentifier: Glibc.pid_t
    /// Its standard output.
    public let output: LineLog
    /// Its standard error.
    public let errors: LineLog
    private let name: String
    private let run: Task<Ending, any Error>
    private let child: Child

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - executable: its absolute path.
    ///   - environment: added to the test's own environment.
    ///   - directory: where it works; by default where the test does.
    ///   - output: takes its standard output, line by line.
    ///   - errors: takes its standard error.
    /// - Throws: ``ProgramError``.
    public static func start(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: String? = nil, output: LineLog = LineLog(), errors: LineLog = LineLog()
    ) async throws -> Program {
        guard access(executable, X_OK) == 0 else { throw ProgramError.missing(executable) }
        let (started, continuation) = AsyncThrowingStream<Glibc.pid_t, any Error>.makeStream()
        let child = Child()
        // Both become what follows them, so that the process is the program's own.
        let place = directory.map { ["env", "--chdir=\($0)"] } ?? []
        let settings = Configuration(
            executable: .name("setpriv"),
            arguments: Arguments(["--pdeathsig", "KILL", "--"] + place + [executable] + arguments),
            environment: .inherit.updating(
                environment.reduce(into: [:]) { all, variable in
                    if let key = Environment.Key(rawValue: variable.key) { all[key] = variable.value }
                }))
        let run = Task<Ending, any Error> {
            do {
                let result = try await Subprocess.run(settings, input: .none, output: .sequence, error: .sequence) {
                    execution in
                    continuation.yield(execution.processIdentifier.value)
                    async let rest: Void = copy(execution.standardError, to: errors)
                    try await copy(execution.standardOutput, to: output)
                    try await rest
                }
                child.ended()
                await output.finish()
                await errors.finish()
                switch result.terminationStatus {
                case .exited(let code): return .exited(code)
                case .signaled(let signal): return .killed(signal: signal)
                }
            } catch {
                child.ended()
                await output.finish()
                await errors.finish()
                continuation.finish(throwing: error)
                throw error
            }
        }
        for try await processIdentifier in started {
            child.started(processIdentifier)
            return Program(
                name: executable, processIdentifier: processIdentifier, output: output, errors: errors, run: run,
                child: child)
        }
        throw CancellationError()
    }

    private init(
        name: String, processIdentifier: Glibc.pid_t, output: LineLog, errors: LineLog, run: Task<Ending, any Error>,
        child: Child
    ) {
        self.name = name
        self.processIdentifier = processIdentifier
        self.output = output
        self.errors = errors
        self.run = run
        self.child = child
    }

    deinit {
        child.send(SIGKILL)
    }

    /// Sends a signal; nothing happens when the program has ended.
    public func send(_ signal: CInt) { child.send(signal) }

    /// Waits for the end.
    ///
    /// - Throws: ``TimedOut``.
    @discardableResult
    public func wait(timeout: Duration = .seconds(30)) async throws -> Ending {
        let run = run
        return try await within(timeout, "the end of \(name), process \(processIdentifier)") { try await run.value }
    }

    /// Kills it with SIGKILL and waits until it is gone.
    public func kill() async {
        send(SIGKILL)
        _ = try? await wait()
    }

    /// The path of an executable that this package builds, beside the tests.
    ///
    /// - Throws: ``ProgramError/notBuilt(_:)``.
    public static func built(_ name: String) throws -> String {
        // The tests run in an executable beside it, the .xctest, or inside a tool that was given that path.
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &target, target.count - 1)
        let running = String(decoding: target[..<max(0, length)].map(UInt8.init(bitPattern:)), as: UTF8.self)
        let places = [running] + CommandLine.arguments.filter { $0.contains(".xctest") }
        for place in places {
            guard let slash = place.lastIndex(of: "/") else { continue }
            let candidate = "\(place[..<slash])/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        throw ProgramError.notBuilt(name)
    }

    private static func copy(_ source: SubprocessOutputSequence, to log: LineLog) async throws {
        for try await line in source.strings(bufferingPolicy: .maxLineLength(1024 * 1024)) {
            await log.append(line)
        }
    }
}

/// What may be signalled: a process identifier from the start of its process to its end.
private final class Child: Sendable {
    private enum State {
        case starting
        case running(Glibc.pid_t)
        case ended
    }

    private let state = Mutex(State.starting)

    func started(_ processIdentifier: Glibc.pid_t) {
        state.withLock { if case .starting = $0 { $0 = .running(processIdentifier) } }
    }

    func ended() {
        state.withLock { $0 = .ended }
    }

    func send(_ signal: CInt) {
        state.withLock { if case .running(let processIdentifier) = $0 { _ = kill(processIdentifier, signal) } }
    }
}

/// A program cannot be started.
public enum ProgramError: Error, CustomStringConvertible {
    case missing(String)
    case notBuilt(String)
    case failed(String, Program.Ending, output: [String])

    public var description: String {
        switch self {
        case .missing(let path): "\(path) is not there or not executable: Tests/run.sh installs what the tests need"
        case .notBuilt(let name): "\(name) is not beside the tests: swift build --product \(name)"
        case .failed(let what, let ending, let output):
            "\(what) ended with \(ending):\n" + output.joined(separator: "\n")
        }
    }
}

/// The absolute path of an installed program. Servers' folders are searched too, whatever `PATH` says.
///
/// - Throws: ``ProgramError/missing(_:)``.
public func systemProgram(_ name: String) throws -> String {
    let path = getenv("PATH").map { String(cString: $0).split(separator: ":").map(String.init) } ?? []
    for folder in path + ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"] {
        let candidate = "\(folder)/\(name)"
        if access(candidate, X_OK) == 0 { return candidate }
    }
    throw ProgramError.missing(name)
}

/// Runs a program to its end.
///
/// - Returns: how it ended, and the lines of its output and of its errors.
/// - Throws: ``ProgramError`` or ``TimedOut``; it is killed then.
public func runProgram(
    _ executable: String, _ arguments: [String] = [], environment: [String: String] = [:], directory: String? = nil,
    timeout: Duration = .seconds(30)
) async throws -> (ending: Program.Ending, output: [String], errors: [String]) {
    let program = try await Program.start(executable, arguments, environment: environment, directory: directory)
    do {
        let ending = try await program.wait(timeout: timeout)
        return (ending, await program.output.lines, await program.errors.lines)
    } catch {
        await program.kill()
        throw error
    }
}

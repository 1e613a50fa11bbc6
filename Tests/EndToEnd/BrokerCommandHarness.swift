import Glibc
import TestSupport

/// `fieldpost broker` at work.
struct RunningCommand: Sendable {
    let program: Program
    /// The port of its first listener that has one.
    let port: Int

    static func start(_ arguments: [String], directory: String? = nil) async throws -> RunningCommand {
        let program = try await Program.start(
            Program.built("fieldpost"), ["broker"] + arguments, directory: directory)
        return RunningCommand(program: program, port: try await port(program))
    }

    /// With the console, whose input is a pipe of the file system's.
    ///
    /// - Parameter console: the option; nil leaves it to the command whether there is one.
    static func start(
        _ arguments: [String], input: CommandInput, console: String? = "--console"
    ) async throws -> RunningCommand {
        let program = try await Program.start(
            systemProgram("sh"),
            ["-c", "exec \"$0\" \"$@\" < '\(input.path)'", try Program.built("fieldpost"), "broker"]
                + (console.map { [$0] } ?? [])
                + arguments)
        return RunningCommand(program: program, port: try await port(program))
    }

    static func port(_ program: Program) async throws -> Int {
        let line = try await program.output.line(containing: "listening at ", timeout: .seconds(20))
        guard let place = line.split(separator: "listening at ", maxSplits: 1).last?.split(separator: ": ").first,
            let port = place.split(separator: ":").last.flatMap({ Int($0) })
        else { throw Unexpected(line) }
        return port
    }

    func stop(_ signal: CInt = SIGTERM) async throws -> Program.Ending {
        program.send(signal)
        return try await program.wait(timeout: .seconds(6))
    }
}

/// What is typed; a named pipe that can be written to before anybody reads it.
final class CommandInput: Sendable {
    let path: String
    private let directory: TemporaryDirectory
    private let descriptor: CInt

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("input")
        guard mkfifo(path, 0o600) == 0 else { throw Unexpected("no pipe: \(errno)") }
        // Not to wait for a reader; closed to the programs that tests start.
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unexpected("the pipe cannot be opened: \(errno)") }
    }

    deinit { close(descriptor) }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }
}

/// Whether somebody with this name and password may publish there; with Mosquitto's own client.
func mayPublish(port: Int, _ arguments: String...) async throws -> Bool {
    let result = try await runProgram(
        systemProgram("mosquitto_pub"),
        ["-h", "127.0.0.1", "-p", "\(port)", "-t", "a", "-m", "b", "-q", "1"] + arguments)
    return result.ending == .exited(0)
}

internal import Subprocess

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A command of this program as a process of its own.
enum LocalProgram {
    /// Runs it while `body` runs, and ends it afterwards. What it says on standard error goes to ours.
    ///
    /// - Parameters:
    ///   - awaitsLine: whether it says something when it has begun, which is waited for.
    ///   - body: gets that line; nil if it ended without one.
    static func with<Result: Sendable>(
        _ arguments: [String], awaitsLine: Bool, _ body: (_ line: String?) async throws -> Result
    ) async throws -> Result {
        // Ctrl-C in a terminal is meant for us: it, in a process group of its own, must still hear our goodbye.
        // If we are killed, it goes too.
        var options = PlatformOptions()
        options.processGroupID = 0
        let program = try ownProgram()
        // Either becomes the program.
        let isGuarded = access("/usr/bin/setpriv", X_OK) == 0
        return try await Subprocess.run(
            .name(isGuarded ? "setpriv" : "env"),
            arguments: Arguments((isGuarded ? ["--pdeathsig", "KILL", "--"] : []) + [program] + arguments),
            platformOptions: options,
            input: .none, output: .sequence, error: .currentStandardError
        ) { execution in
            do {
                var first: String?
                if awaitsLine {
                    for try await line in execution.standardOutput.strings() {
                        first = line
                        break
                    }
                }
                let result = try await body(first)
                try? execution.send(signal: .terminate)
                return result
            } catch {
                try? execution.send(signal: .terminate)
                throw error
            }
        }.closureResult
    }

    /// The file that this process runs; /proc/self/exe would be another one in a process that becomes it later.
    private static func ownProgram() throws -> String {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &target, target.count - 1)
        guard length > 0 else { throw DemonstrationError.noProgram(reason: String(cString: strerror(errno))) }
        return String(decoding: target[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

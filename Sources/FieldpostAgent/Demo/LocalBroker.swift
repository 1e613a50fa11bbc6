internal import Subprocess

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A broker of the demonstration's own: `fieldpost broker`, a process apart from the agent, on a free port of loopback.
struct LocalBroker {
    let port: Int

    /// Lends a running broker to `body`, and ends it afterwards.
    static func with<Result: Sendable>(
        folder: String, _ body: (LocalBroker) async throws -> Result
    ) async throws -> Result {
        let configuration = "\(folder)/broker.toml"
        try TemporaryFolder.write(
            """
            [[listener]]
            bind = "127.0.0.1"
            port = 0
            [log]
            level = "error"
            """, to: configuration)
        // Ctrl-C in a terminal is meant for us: the broker, in a process group of its own, must still hear our goodbye.
        // If we are killed, it goes too.
        var options = PlatformOptions()
        options.processGroupID = 0
        let program = try ownProgram()
        let arguments = ["broker", "--no-console", "--config", configuration]
        // Either becomes the broker.
        let isGuarded = access("/usr/bin/setpriv", X_OK) == 0
        return try await Subprocess.run(
            .name(isGuarded ? "setpriv" : "env"),
            arguments: Arguments((isGuarded ? ["--pdeathsig", "KILL", "--"] : []) + [program] + arguments),
            platformOptions: options,
            input: .none, output: .sequence, error: .currentStandardError
        ) { execution in
            do {
                var port: Int?
                for try await line in execution.standardOutput.strings() {
                    port = Self.port(in: line)
                    break
                }
                guard let port else { throw DemonstrationError.brokerFailed }
                let result = try await body(LocalBroker(port: port))
                try? execution.send(signal: .terminate)
                return result
            } catch {
                try? execution.send(signal: .terminate)
                throw error
            }
        }.closureResult
    }

    /// As the broker says it: `listening at mqtt://127.0.0.1:40123: for everybody …`.
    private static func port(in line: String) -> Int? {
        line.split(at: "127.0.0.1:").flatMap { Int($0.1.prefix(while: \.isNumber)) }
    }

    /// The file that this process runs; /proc/self/exe would be another one in a process that becomes it later.
    private static func ownProgram() throws -> String {
        var target = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &target, target.count - 1)
        guard length > 0 else { throw DemonstrationError.brokerFailed }
        return String(decoding: target[..<length].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

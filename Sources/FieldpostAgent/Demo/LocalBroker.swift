internal import NIOCore
internal import NIOPosix
internal import Relay
internal import Settings
internal import Subprocess

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A Mosquitto of the demonstration's own: on loopback, on a free port, with its files in the demonstration's folder.
struct LocalBroker {
    let port: Int

    /// Lends a running broker to `body`, and ends it afterwards.
    static func with<Result: Sendable>(
        folder: String, _ body: (LocalBroker) async throws -> Result
    ) async throws -> Result {
        guard
            let program = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"].map({ $0 + "/mosquitto" })
                .first(where: { access($0, X_OK) == 0 })
        else { throw DemonstrationError.noMosquitto }
        let port = try ReservedPort()
        let log = "\(folder)/mosquitto.log"
        let configuration = "\(folder)/mosquitto.conf"
        try TemporaryFolder.write(
            """
            listener \(port.number) 127.0.0.1
            allow_anonymous true
            log_dest file \(log)
            \(geteuid() == 0 ? "user root" : "")
            """, to: configuration)
        // Ctrl-C in a terminal is meant for us: the broker, in a process group of its own, must still hear our goodbye.
        // If we are killed, it goes too.
        var options = PlatformOptions()
        options.processGroupID = 0
        let places =
            (getenv("PATH").map { String(cString: $0) } ?? "") + ":/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        let arguments = ["-c", configuration]
        let isGuarded = access("/usr/bin/setpriv", X_OK) == 0
        return try await Subprocess.run(
            .name(isGuarded ? "setpriv" : "mosquitto"),
            arguments: Arguments((isGuarded ? ["--pdeathsig", "KILL", "--", program] : []) + arguments),
            environment: .inherit.updating(["PATH": places]), platformOptions: options,
            input: .none, output: .discarded, error: .discarded
        ) { execution in
            do {
                try await connect(to: port.number, log: log)
                let result = try await body(LocalBroker(port: port.number))
                try? execution.send(signal: .terminate)
                return result
            } catch {
                try? execution.send(signal: .terminate)
                throw error
            }
        }.closureResult
    }

    private static func connect(to port: Int, log: String) async throws {
        for _ in 1...100 {
            let channel = try? await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
            if let channel { return try await channel.close() }
            try await Task.sleep(for: .milliseconds(50))
        }
        let text = (try? SmallFile(path: log, limit: 65_536)).map { String(decoding: $0.bytes, as: UTF8.self) }
        throw DemonstrationError.brokerFailed(log: text ?? "it left no log")
    }
}

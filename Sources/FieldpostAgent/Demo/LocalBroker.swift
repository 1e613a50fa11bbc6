internal import Units

/// A broker of the demonstration's own: `fieldpost broker`, a process apart from the agent, on a free port of loopback.
struct LocalBroker {
    let port: Int

    /// Lends a running broker to `body`, and ends it afterwards.
    static func with<Result: Sendable>(
        folder: String, _ body: (LocalBroker) async throws -> Result
    ) async throws -> Result {
        let configuration = "\(folder)/broker.toml"
        try TemporaryFolder.put(
            """
            [[listener]]
            bind = "127.0.0.1"
            port = 0
            [log]
            level = "error"
            """, into: configuration)
        return try await LocalProgram.with(
            ["broker", "--no-console", "--config", configuration], awaitsLine: true
        ) { line in
            guard let port = line.flatMap(Self.port) else { throw DemonstrationError.brokerFailed }
            return try await body(LocalBroker(port: port))
        }
    }

    /// As the broker says it: `listening at mqtt://127.0.0.1:40123: for everybody …`.
    private static func port(in line: String) -> Int? {
        line.split(at: "127.0.0.1:").flatMap { Int($0.1.prefix(while: \.isNumber)) }
    }
}

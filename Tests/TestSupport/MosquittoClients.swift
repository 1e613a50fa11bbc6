internal import Glibc

/// The protocol that a Mosquitto client speaks.
public enum MosquittoVersion: String, Sendable {
    case v3_1 = "mqttv31"
    case v3 = "mqttv311"
    case v5 = "mqttv5"
}

/// A real `mosquitto_sub`: somebody else's count of what arrived.
///
/// It speaks 3.1.1 unless told otherwise: under 5.0 the one of Mosquitto 2.0.11 now and then ends with a protocol error
/// when many QoS 2 messages come at once.
///
/// By default a line is `TOPIC QOS RETAINED PAYLOAD`, see the output format in `mosquitto_sub(1)`. It connects again by
/// itself when the broker was gone.
public final class MosquittoSub: Sendable, AsyncSequence {
    /// What it received, a line each.
    public let received: LineLog
    private let program: Program
    private let reader: Task<Void, any Error>

    /// Starts it and waits until the broker has granted the subscription.
    ///
    /// - Parameters:
    ///   - topics: filters to subscribe to.
    ///   - qos: the highest quality of service it asks for.
    ///   - clientID: with one, the session is kept by the broker over disconnections (`-c -i`).
    ///   - format: of a line; must not contain line breaks, and neither must payloads.
    ///   - extra: more arguments.
    public static func start(
        port: Int, _ topics: [String], qos: Int = 2, version: MosquittoVersion = .v3, clientID: String? = nil,
        format: String = "%t %q %r %p", extra: [String] = []
    ) async throws -> MosquittoSub {
        let session = clientID.map { ["-c", "-i", $0] } ?? []
        // By itself it would keep what it says back until there is more of it.
        let program = try await Program.start(
            systemProgram("stdbuf"),
            [
                "-oL", systemProgram("mosquitto_sub"), "-h", "127.0.0.1", "-p", "\(port)", "-V", version.rawValue, "-q",
                "\(qos)", "-d", "-F", Self.mark + format,
            ]
                + topics.flatMap { ["-t", $0] } + session + extra)
        let subscriber = MosquittoSub(program)
        // What it says about itself (-d) shows when the subscription stands.
        do {
            try await program.output.line(containing: "Subscribed (mid: ")
        } catch {
            await program.kill()
            throw error
        }
        return subscriber
    }

    private init(_ program: Program) {
        let received = LineLog()
        self.program = program
        self.received = received
        reader = Task { [output = program.output] in
            for try await line in output where line.hasPrefix(Self.mark) {
                await received.append(String(line.dropFirst(Self.mark.count)))
            }
            await received.finish()
        }
    }

    deinit {
        reader.cancel()
    }

    /// Sets what was received apart from what the program says about itself.
    private static let mark = "> "

    /// The next line not given yet.
    ///
    /// - Throws: ``TimedOut`` or ``OutputEnded``.
    public func next(timeout: Duration = .seconds(30)) async throws -> String {
        try await received.next(timeout: timeout)
    }

    /// Waits until everything received so far satisfies a condition.
    ///
    /// - Returns: the lines as the condition saw them.
    /// - Throws: ``TimedOut`` or ``OutputEnded``.
    @discardableResult
    public func wait(
        for what: String = "messages", timeout: Duration = .seconds(30),
        until condition: @escaping @Sendable ([String]) -> Bool
    ) async throws -> [String] {
        try await received.wait(for: what, timeout: timeout, until: condition)
    }

    /// Waits until it subscribed so many times in all: its reconnections count.
    public func waitForSubscription(count: Int, timeout: Duration = .seconds(30)) async throws {
        try await program.output.wait(for: "subscription number \(count)", timeout: timeout) { lines in
            lines.count { $0.hasPrefix("Subscribed (mid: ") } >= count
        }
    }

    /// Ends it without a DISCONNECT.
    public func kill() async { await program.kill() }

    /// Ends it with a DISCONNECT.
    public func stop() async throws {
        program.send(SIGINT)
        try await program.wait()
    }

    public func makeAsyncIterator() -> LineLog.Iterator { received.makeAsyncIterator() }
}

/// Publishes one message with a real `mosquitto_pub`; under QoS 1 and 2 until it is acknowledged.
///
/// - Parameter payload: nil sends an empty message, which with `retain` removes a retained one.
/// - Throws: ``ProgramError`` if it fails.
public func mosquittoPub(
    port: Int, _ topic: String, _ payload: String?, qos: Int = 1, retain: Bool = false,
    version: MosquittoVersion = .v5, extra: [String] = []
) async throws {
    let message = payload.map { ["-m", $0] } ?? ["-n"]
    let result = try await runProgram(
        systemProgram("mosquitto_pub"),
        ["-h", "127.0.0.1", "-p", "\(port)", "-V", version.rawValue, "-q", "\(qos)", "-t", topic] + message
            + (retain ? ["-r"] : []) + extra)
    guard result.ending == .exited(0) else {
        throw ProgramError.failed("mosquitto_pub -t \(topic)", result.ending, output: result.output + result.errors)
    }
}

/// The payload of a topic's retained message, asked for with a real `mosquitto_sub`; nil if none comes.
///
/// - Parameter seconds: how long to wait for it; whole seconds, at least 1.
/// - Throws: ``ProgramError`` if the broker cannot be asked.
public func retained(port: Int, _ topic: String, seconds: Int = 1) async throws -> String? {
    let result = try await runProgram(
        systemProgram("mosquitto_sub"),
        [
            "-h", "127.0.0.1", "-p", "\(port)", "-t", topic, "-C", "1", "-W", "\(seconds)", "--retained-only", "-F",
            "%p",
        ],
        timeout: .seconds(seconds + 10))
    switch result.ending {
    // Without a line: something new came, which says that nothing was retained (--retained-only ends then).
    case .exited(0): return result.output.isEmpty ? nil : result.output.joined(separator: "\n")
    // MOSQ_ERR_TIMEOUT of mosquitto_sub(1).
    case .exited(27): return nil
    case let ending:
        throw ProgramError.failed("mosquitto_sub -t \(topic)", ending, output: result.output + result.errors)
    }
}

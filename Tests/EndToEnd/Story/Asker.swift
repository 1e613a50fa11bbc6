import Synchronization
import TestSupport

/// Somebody who gives a board commands, and hears what it answers.
final class Asker: Sendable {
    let port: Int
    let board: String
    private let ears: MosquittoSub
    private let number = Mutex(0)

    /// - Parameter topics: where else answers come.
    private init(_ port: Int, _ board: String, _ ears: MosquittoSub) {
        (self.port, self.board, self.ears) = (port, board, ears)
    }

    static func start(port: Int, _ board: String, topics: [String] = []) async throws -> Asker {
        let ears = try await MosquittoSub.start(
            port: port, ["answers/#", "fieldpost/\(board)/command/+/response/#"] + topics, version: .v5,
            format: "%t %D %p")
        return Asker(port, board, ears)
    }

    func leave() async { await ears.kill() }

    /// The answer to a command; asked with the response topic and the correlation data of MQTT 5.
    ///
    /// - Parameter correlation: nil: another one each time.
    func ask(_ command: String, _ payload: String, correlation: String? = nil) async throws -> String {
        let (topic, data) = number.withLock {
            $0 += 1
            return ("answers/\($0)", correlation ?? "c\($0)")
        }
        try await send(command, payload, to: correlation.map { "answers/\($0)" } ?? topic, correlation: data)
        return try await answer(on: correlation.map { "answers/\($0)" } ?? topic, correlation: data)
    }

    func send(_ command: String, _ payload: String, to topic: String, correlation: String) async throws {
        try await mosquittoPub(
            port: port, "fieldpost/\(board)/command/\(command)", payload,
            extra: [
                "-D", "publish", "response-topic", topic, "-D", "publish", "correlation-data", correlation,
            ])
    }

    /// The answer number `count` on a topic.
    func answer(on topic: String, correlation: String = "", count: Int = 1) async throws -> String {
        let start = "\(topic) \(correlation) "
        let lines = try await ears.wait(for: "answer \(count) on \(topic)") {
            $0.count { $0.hasPrefix(start) } >= count
        }
        return String(lines.filter { $0.hasPrefix(start) }[count - 1].dropFirst(start.count))
    }

    /// How many answers came on a topic.
    func answers(on topic: String) async -> Int { await ears.received.lines.count { $0.hasPrefix("\(topic) ") } }

    /// Asks the 3.1.1 way.
    func ask(by way: String, _ payload: String, version: MosquittoVersion = .v3) async throws {
        try await mosquittoPub(port: port, "fieldpost/\(board)/command/\(way)", payload, version: version)
    }
}

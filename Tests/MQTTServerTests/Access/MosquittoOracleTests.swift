import MQTTWire
import NIOPosix
import TestSupport
import Testing

@testable import MQTTServer

/// Random ACL files, and what the real Mosquitto makes of them.
@Suite struct MosquittoOracleTests {
    struct Client: Sendable {
        var identifier: String
        var username: String?
    }

    static let clients = [
        Client(identifier: "c1"), Client(identifier: "c/1"), Client(identifier: "$x"), Client(identifier: "b+"),
        Client(identifier: "c1", username: "anna"), Client(identifier: "b", username: "bert"),
        Client(identifier: "c/1", username: "a/b"), Client(identifier: "%u", username: "%c"),
        Client(identifier: "c2", username: "#"), Client(identifier: "anna", username: "b"),
    ]

    @Test(arguments: [UInt64.random(in: 0 ... .max)])
    func `access is what it is with Mosquitto`(seed: UInt64) async throws {
        var random = SplitMix64(seed: seed)
        let topics = try Self.topics(&random)
        let files = (0..<20).map { _ in Self.rules(&random) }
        let directory = try TemporaryDirectory()
        // A broker with a listener for each file, and one where everything may be published.
        var lines = [
            "per_listener_settings true", "user root", "log_dest stderr", "sys_interval 0",
            "listener 0 \(directory.path("free"))", "allow_anonymous true",
        ]
        for (index, text) in files.enumerated() {
            let path = try directory.write(text, to: "acl\(index)")
            lines += ["listener 0 \(directory.path("\(index)"))", "allow_anonymous true", "acl_file \(path)"]
        }
        let configuration = try directory.write(lines.joined(separator: "\n") + "\n", to: "mosquitto.conf")
        let broker = try await Program.start(systemProgram("mosquitto"), ["-c", configuration])
        try await broker.errors.line(containing: "running")
        // Blocking sockets: not for the threads that all tests share.
        let comparison = try await NIOThreadPool.singleton.runIfActive {
            let publisher = try OracleClient(path: directory.path("free"), Client(identifier: "publisher"))
            var comparison = Comparison()
            for (index, text) in files.enumerated() {
                let acl = try AccessControlList(parsing: Array(text.utf8), path: "acl")
                let place = "seed \(seed):\n\(text)"
                for client in Self.clients {
                    let connection = try OracleClient(path: directory.path("\(index)"), client)
                    try comparison.compare(acl, client, connection, publisher: publisher, topics: topics, place: place)
                }
            }
            return comparison
        }
        await broker.kill()
        #expect(comparison.mismatches.isEmpty, "\(comparison.mismatches.count): \(comparison.mismatches.first ?? "")")
        // Files that grant nothing, or everything, would show nothing.
        #expect(comparison.granted > 50 && comparison.denied > 50, "\(comparison), seed \(seed)")
    }

    private struct Comparison: Sendable {
        var mismatches: [String] = []
        var granted = 0
        var denied = 0

        mutating func compare(
            _ acl: AccessControlList, _ client: Client, _ connection: OracleClient, publisher: OracleClient,
            topics: [TopicName], place: String
        ) throws {
            let permissions = acl.permissions(clientIdentifier: client.identifier, username: client.username)
            let published = try connection.publish(topics)
            try connection.subscribe(["#", "$SYS/#", "$x/#"])
            _ = try publisher.publish(topics)
            let received = try connection.received()
            for topic in topics {
                compare(permissions.mayPublish(to: topic), published.contains(topic)) {
                    "\(client) publishes \(topic), \(place)"
                }
                compare(permissions.mayReceive(topic), received.contains(topic)) {
                    "\(client) receives \(topic), \(place)"
                }
            }
        }

        private mutating func compare(_ ours: Bool, _ theirs: Bool, _ what: () -> String) {
            if theirs { granted += 1 } else { denied += 1 }
            if ours != theirs { mismatches.append("\(ours) here, \(theirs) there: \(what())") }
        }
    }

    private static func topics(_ random: inout SplitMix64) throws -> [TopicName] {
        let words = ["a", "b", "c1", "c", "1", "anna", "$x", "", "a b", "%c", "xc1", "bert"]
        let some = (0..<40).map { _ in
            (0..<Int.random(in: 1...4, using: &random)).map { _ in words.randomElement(using: &random) ?? "" }
                .joined(separator: "/")
        }
        let always = ["a", "b", "a/b", "c1/a", "a/anna", "$x", "$x/a", "$SYS/broker/connection/a/state", "%c/%u"]
        return try Set(some + always).filter { !$0.isEmpty }.sorted().map { try TopicName($0) }
    }

    private static func rules(_ random: inout SplitMix64) -> String {
        let words = [
            "a", "b", "c1", "anna", "$x", "", "a b", "%c", "%u", "x%c", "%u%c", "%%c", "+", "+", "+", "c", "1", "$SYS",
        ]
        let lines = (0..<Int.random(in: 0...14, using: &random)).map { _ in
            if random.next() % 5 == 0 { return "user \(clients.randomElement(using: &random)?.username ?? "anna")" }
            var levels = (0..<Int.random(in: 1...4, using: &random)).map { _ in
                words.randomElement(using: &random) ?? ""
            }
            if random.next() % 3 == 0 { levels[levels.count - 1] = "#" }
            var filter = levels.joined(separator: "/")
            if filter.isEmpty { filter = "#" }
            let access = ["read", "write", "readwrite", "deny", "deny"].randomElement(using: &random) ?? ""
            let stated = filter.contains(" ") || random.next() % 4 > 0 ? "\(access) " : ""
            return "\(["topic", "topic", "pattern"].randomElement(using: &random) ?? "") \(stated)\(filter)"
        }
        return lines.map { "\($0)\n" }.joined()
    }
}

import Logging
import MQTTWire
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import MQTTServer

/// What the log says of clients: who came in, and why they went.
@Suite(.timeLimit(.minutes(3))) struct LogTests {
    /// Lines with their metadata, as `disconnected client=a reason=…`.
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        var all: [String] { lines.withLock { $0 } }
        func note(_ line: String) { lines.withLock { $0.append(line) } }

        var logger: Logger { Logger(label: "test") { _ in Recorder(lines: self) } }
    }

    private struct Recorder: LogHandler {
        let lines: Lines
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let words = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            lines.note(([event.message.description] + words).joined(separator: " "))
        }
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `the end of each client has its reason`(version: ProtocolVersion) async throws {
        let lines = Lines()
        var configuration = configuration()
        configuration.logger = lines.logger
        configuration.limits.maximumPacketSize = 1_000
        try await withServer(configuration) { server in
            let port = try await server.port
            func connect(_ identifier: String, keepAlive: UInt16 = 0) async throws -> RawClient {
                let client = try await RawClient.connect(port: port, version: version)
                try await client.connect(identifier) { $0.keepAlive = keepAlive }
                return client
            }
            func end(of client: String) -> String? {
                lines.all.first { $0.hasPrefix("disconnected client=\(client) ") }?
                    .split(separator: "reason=").last.map { String($0) }
            }
            var clients: [RawClient] = []
            for name in ["old", "malformed", "large", "kicked", "deleted", "gone", "polite", "present"] {
                clients.append(try await connect(name))
            }
            clients.append(try await connect("silent", keepAlive: 1))
            let newer = try await connect("old")
            try await clients[1].send([0xF7, 0])
            let payload = ByteBuffer(repeating: 0, count: 2_000)
            try await clients[2].send(.publish(Publish(topic: TopicName("t"), payload: payload)))
            #expect(await server.disconnect("kicked"))
            #expect(await server.deleteSession("deleted"))
            try await clients[5].channel.close()
            try await clients[6].send(.disconnect(Disconnect()))
            let names = ["old", "malformed", "large", "kicked", "deleted", "gone", "polite", "silent"]
            try await eventually("the ends") { names.allSatisfy { end(of: $0) != nil } }
            for (client, word) in [
                ("old", "taken over"), ("large", "larger than the limit"), ("kicked", "dministrative"),
                ("deleted", "dministrative"),
                ("silent", "keep-alive of 1 s"),
            ] {
                let reason = end(of: client) ?? ""
                #expect(reason.hasPrefix("by the server: ") && reason.contains(word), "\(client): \(reason)")
            }
            #expect(end(of: "malformed")?.hasPrefix("by the server: ") == true)
            #expect(end(of: "polite")?.hasPrefix("by the client: ") == true)
            #expect(end(of: "gone") == "connection lost")
            await server.stop()
            #expect(end(of: "present")?.hasPrefix("by the server: ") == true)
            withExtendedLifetime((clients, newer)) {}
        }
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a client that comes in is logged with its version and its user, if it has one`(
        version: ProtocolVersion
    ) async throws {
        let lines = Lines()
        var configuration = configuration()
        configuration.logger = lines.logger
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port, version: version)
            try await client.connect("a") { $0.username = "ann" }
            let nameless = try await RawClient.connect(port: try await server.port, version: version)
            try await nameless.connect("b")
        }
        let connected = lines.all.filter { $0.hasPrefix("connected ") }
        try #require(connected.count == 2)
        #expect(connected[0].hasSuffix(" user=ann version=\(version)"))
        #expect(connected[1].hasSuffix(" version=\(version)") && !connected[1].contains("user="))
    }
}

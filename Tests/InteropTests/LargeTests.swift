import MQTTWire
import TestSupport
import Testing

/// Large messages, and many small ones.
@Suite(.timeLimit(.minutes(2))) struct LargeTests {
    /// Over each transport that cuts a message up in its own way.
    static let publishers = Variant.all.filter { $0.version == .v5 || $0.transport == .ws }

    @Test func `a megabyte arrives as it was sent, over TCP, TLS and WebSocket`() async throws {
        var random = SplitMix64(seed: 20)
        try await Stage.with { stage in
            let readers = try await stage.company(
                "reader", [.init(.own, .v5), .init(.own, .v3_1_1, .ws)] + Variant.all.filter { $0.library != .own })
            for reader in readers { try await reader.subscribe("large/#", .exactlyOnce) }
            let writers = try await stage.company("writer", Self.publishers)
            for (index, writer) in writers.enumerated() {
                let size = 1 << 20 - index
                let bytes = (0..<size / 8).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
                let post = Post("large/\(writer.variant.name)", bytes, QoS.allCases[index % 3])
                try await writer.publish(post)
                let wanted = post.heard(at: .exactlyOnce, version: .v5)
                for reader in readers {
                    let heard = try await reader.inbox.wait(for: 1) { $0.topic == post.topic }
                    #expect(heard == [wanted], reader.comment)
                }
            }
        }
    }

    @Test(arguments: QoS.allCases) func `many small messages arrive once and in order`(qos: QoS) async throws {
        let count = 200
        try await Stage.with { stage in
            let readers = try await stage.company(
                "reader", Variant.plain + [.init(.pahoC, .v5, .ws), .init(.mqttJS, .v5, .ws)])
            for reader in readers { try await reader.subscribe("many/#", .exactlyOnce) }
            for writer in try await stage.company("writer", Variant.plain) {
                let topic = "many/\(writer.variant.name)"
                try await writer.publish(count: count, topic, qos)
                for reader in readers {
                    _ = try await reader.inbox.wait(for: count) { $0.topic == topic }
                }
            }
            for reader in readers {
                try await reader.settle()
                let heard = Dictionary(grouping: await reader.inbox.messages, by: \.topic)
                for writer in Variant.plain {
                    #expect(
                        heard["many/\(writer.name)"]?.map(\.payload)
                            == (0..<count).map { Payload("\($0)".utf8.map { $0 }) },
                        "\(writer.testDescription) to \(reader.variant.testDescription)")
                }
            }
        }
    }
}

import MQTTServer
import MQTTWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct RetainedTests {
    @Test func `what one client retains, the others find, until it is cleared`() async throws {
        try await Stage.with { stage in
            let participants = try await stage.company("retained")
            for (index, writer) in participants.enumerated() {
                let qos = QoS.allCases[index % 3]
                try await writer.publish(
                    Post("kept/\(writer.variant.name)", "by \(writer.variant.name)", qos, retain: true))
            }
            let wanted = Set(
                participants.enumerated().map { index, writer in
                    Heard(
                        "kept/\(writer.variant.name)", Payload(Array("by \(writer.variant.name)".utf8)),
                        QoS.allCases[index % 3], retain: true)
                })
            for reader in participants {
                try await reader.subscribe("kept/+", .exactlyOnce)
                let heard = try await reader.inbox.wait(for: wanted.count)
                #expect(Set(heard) == wanted && heard.count == wanted.count, reader.comment)
                await reader.inbox.clear()
            }
            // To those who have subscribed, a change comes as any other message.
            try await participants[0].publish(Post("kept/again", "now", .atLeastOnce, retain: true))
            for reader in participants {
                #expect(
                    try await reader.inbox.wait(for: 1) == [Heard("kept/again", "now", .atLeastOnce)], reader.comment)
            }
            for writer in participants {
                try await writer.publish(Post("kept/\(writer.variant.name)", "", .atLeastOnce, retain: true))
            }
            #expect(await stage.server.retainedMessages().map(\.topic.string) == ["kept/again"])
        }
    }

    @Test(arguments: Variant.plain.filter { $0.version == .v5 })
    func `retain handling and retain as published are kept to`(variant: Variant) async throws {
        try await Stage.with { stage in
            let client = try await stage.connect(variant, "options")
            try await client.publish(Post("r/a", "1", .atLeastOnce, retain: true))
            func subscribe(_ handling: Subscription.RetainHandling) async throws -> Int {
                await client.inbox.clear()
                let subscription = Subscription(
                    filter: try TopicFilter("r/+"), qos: .atLeastOnce, retainAsPublished: true,
                    retainHandling: handling)
                #expect(try await client.subscribe(subscription, []) == 1)
                try await client.settle()
                return await client.inbox.messages.count
            }
            #expect(try await subscribe(.never) == 0)
            #expect(try await subscribe(.onNewSubscribe) == 0)
            #expect(try await subscribe(.onSubscribe) == 1)
            try await client.unsubscribe("r/+")
            #expect(try await subscribe(.onNewSubscribe) == 1)
            await client.inbox.clear()
            try await client.publish(Post("r/b", "2", .atLeastOnce, retain: true))
            try await client.publish(Post("r/b", "3", .atLeastOnce))
            let heard = try await client.inbox.wait(for: 2)
            #expect(heard.map(\.retain) == [true, false])
        }
    }
}

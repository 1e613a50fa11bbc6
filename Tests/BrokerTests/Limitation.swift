import MQTT
import MQTTWire
import TestSupport
import Testing

/// What a broker cannot do.
struct Limitation: Sendable {
    /// Goes on after the broker's name.
    let reason: String
    /// Shows that it is as the reason says; when a newer broker can do more, this fails, and the scene is to be played.
    let show: @Sendable (Conversation) async throws -> Void
}

extension Broker.Kind {
    func limitation(in scene: Scene) -> Limitation? {
        switch (self, scene) {
        case (.nats, .version5):
            Limitation(reason: "knows MQTT 3.1.1 only, and says so") {
                try await $0.offeringVersion5(isAnsweredWith: "try the other version of MQTT")
            }
        case (.rabbitMQ, .version5):
            Limitation(reason: "knows MQTT 3.1.1 only, and closes the connection without a word") {
                try await $0.offeringVersion5(isAnsweredWith: "closed by the peer before CONNACK")
            }
        case (.nats, .publishingExactlyOnce):
            Limitation(reason: "has no QoS 2: it closes the connection of who publishes so") {
                try await $0.publishingAtQoS2InVain()
            }
        case (.rabbitMQ, .publishingExactlyOnce):
            Limitation(reason: "has no QoS 2: it takes such a message for one at QoS 1 and answers with PUBACK") {
                try await $0.publishingAtQoS2AndBeingTakenAtQoS1()
            }
        case (.nats, .receivingExactlyOnce), (.rabbitMQ, .receivingExactlyOnce):
            Limitation(reason: "has no QoS 2: it grants 1") { try await $0.beingGrantedQoS1ForQoS2() }
        case (.rabbitMQ, .retainedWildcard):
            Limitation(reason: "looks a retained message up by its very topic: wildcards find none") {
                try await $0.findingNoRetainedMessageByAWildcard()
            }
        default: nil
        }
    }
}

extension Conversation {
    fileprivate func offeringVersion5(isAnsweredWith answer: String) async throws {
        var configuration = configuration()
        configuration.version = .v5
        try await withClient(configuration) { client in
            let failure = try await client.failure()
            #expect("\(failure)".contains(answer))
        }
    }

    /// Until it is told that nothing above QoS 1 is to be sent.
    fileprivate func publishingAtQoS2InVain() async throws {
        try await withClient(configuration()) { client in
            try await client.publish(message("\(name)/t", "-", .exactlyOnce))
            #expect(try await client.disconnection() == .closed)
            #expect(await client.statistics.completed == 0)
        }
        var lowered = configuration()
        lowered.maximumQoS = .atLeastOnce
        try await withClient(lowered) { client in
            try await client.publish(message("\(name)/t", "-", .exactlyOnce), until: .acknowledged)
        }
    }

    fileprivate func publishingAtQoS2AndBeingTakenAtQoS1() async throws {
        try await withClient(configuration()) { client in
            try await client.publish(message("\(name)/t", "-", .exactlyOnce), until: .acknowledged)
            #expect(await client.statistics.takenAtQoS1 == 1)
            #expect(await client.statistics.connections == 1)
        }
    }

    fileprivate func beingGrantedQoS1ForQoS2() async throws {
        try await withClient(configuration()) { client in
            let granted = try await client.subscribe([filter("\(name)/t", .exactlyOnce)])
            #expect(granted.map(\.rawValue) == [1])
        }
    }

    fileprivate func findingNoRetainedMessageByAWildcard() async throws {
        try await withClient(configuration()) { client in
            try await client.publish(message("\(name)/status", "on", retain: true), until: .acknowledged)
            try await client.subscribe([filter("\(name)/+")])
            // What the wildcard had found would come before the answer to this.
            try await client.subscribe([filter("\(name)/status")])
            #expect(try await payloads(1, from: client) == ["on"])
            #expect(await client.statistics.received == 1)
        }
    }
}

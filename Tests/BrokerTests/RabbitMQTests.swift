import MQTTWire
import TestSupport
import Testing

/// The client against a real RabbitMQ with its MQTT plugin.
@Suite(.rabbitMQ, .timeLimit(.minutes(3))) struct RabbitMQTests {
    @Test(arguments: [QoS.atMostOnce, .atLeastOnce]) func whatIsPublishedArrives(qos: QoS) async throws {
        try await Conversation("publish-\(qos.rawValue)").publishing(qos)
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce]) func whatIsSubscribedForArrives(qos: QoS) async throws {
        try await Conversation("subscribe-\(qos.rawValue)").subscribing(qos)
    }

    @Test(.disabled("RabbitMQ 3.10 takes QoS 2 for QoS 1"))
    func whatIsPublishedAtQoS2Arrives() async throws {
        try await Conversation("publish-2").publishing(.exactlyOnce)
    }

    @Test(.disabled("RabbitMQ 3.10 grants QoS 1 at most"))
    func whatIsSubscribedForAtQoS2Arrives() async throws {
        try await Conversation("subscribe-2").subscribing(.exactlyOnce)
    }

    @Test func wildcardsMatch() async throws { try await Conversation("wildcards").wildcards() }

    @Test func theLastRetainedMessageWaitsForNewcomers() async throws {
        try await Conversation("retained").retaining()
    }

    @Test(.disabled("RabbitMQ 3.10 looks a retained message up by its very topic: wildcards find none"))
    func aRetainedMessageIsFoundByAWildcard() async throws {
        try await Conversation("retained-wildcard").retaining { _ in "retained-wildcard/+" }
    }

    @Test func aCutConnectionLeavesItsWill() async throws { try await Conversation("will").leavingAWill() }

    @Test func whatIsPublishedOfflineArrivesInOrder() async throws {
        try await Conversation("offline").queueingOffline()
    }

    @Test func aSessionIsResumedAfterACut() async throws { try await Conversation("session").resumingASession() }

    @Test func aWrongPasswordIsRefused() async throws { try await Conversation("password").showingAPassword() }

    @Test func version5IsTurnedAwayWithoutAWord() async throws {
        try await Conversation("version").offeringVersion5(isAnsweredWith: "closed by the peer before CONNACK")
    }

    @Test func withoutAVersionTheOneThatIsSpokenIsFound() async throws {
        try await Conversation("automatic").findingTheVersion()
    }
}

import MQTTWire
import TestSupport
import Testing

/// The client against a real NATS Server with JetStream.
@Suite(.nats, .timeLimit(.minutes(2))) struct NATSTests {
    @Test(arguments: [QoS.atMostOnce, .atLeastOnce]) func whatIsPublishedArrives(qos: QoS) async throws {
        try await Conversation("publish-\(qos.rawValue)").publishing(qos)
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce]) func whatIsSubscribedForArrives(qos: QoS) async throws {
        try await Conversation("subscribe-\(qos.rawValue)").subscribing(qos)
    }

    @Test(.disabled("NATS Server 2.9 closes the connection of who publishes at QoS 2: it offers 0 and 1"))
    func whatIsPublishedAtQoS2Arrives() async throws {
        try await Conversation("publish-2").publishing(.exactlyOnce)
    }

    @Test(.disabled("NATS Server 2.9 grants QoS 1 at most"))
    func whatIsSubscribedForAtQoS2Arrives() async throws {
        try await Conversation("subscribe-2").subscribing(.exactlyOnce)
    }

    @Test func wildcardsMatch() async throws { try await Conversation("wildcards").wildcards() }

    @Test func theLastRetainedMessageWaitsForNewcomers() async throws {
        try await Conversation("retained").retaining()
    }

    @Test func aRetainedMessageIsFoundByAWildcard() async throws {
        try await Conversation("retained-wildcard").retaining { _ in "retained-wildcard/+" }
    }

    @Test func aCutConnectionLeavesItsWill() async throws { try await Conversation("will").leavingAWill() }

    @Test func whatIsPublishedOfflineArrivesInOrder() async throws {
        try await Conversation("offline").queueingOffline()
    }

    @Test func aSessionIsResumedAfterACut() async throws { try await Conversation("session").resumingASession() }

    @Test func aWrongPasswordIsRefused() async throws { try await Conversation("password").showingAPassword() }

    @Test func version5IsRefusedWithAnAdvice() async throws {
        try await Conversation("version").offeringVersion5(isAnsweredWith: "try the other version of MQTT")
    }

    @Test func withoutAVersionTheOneThatIsSpokenIsFound() async throws {
        try await Conversation("automatic").findingTheVersion()
    }
}

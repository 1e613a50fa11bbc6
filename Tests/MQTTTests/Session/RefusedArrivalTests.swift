import MQTTWire
import NIOCore
import Testing

@testable import MQTT

/// Incoming messages that the application refuses, and what follows for those that come after them.
@Suite struct RefusedArrivalTests {
    private func publish(_ identifier: UInt16, _ qos: QoS, duplicate: Bool = false) throws -> Publish {
        Publish(
            topic: try TopicName("t"), payload: ByteBuffer(), qos: qos, duplicate: duplicate,
            packetIdentifier: PacketIdentifier(rawValue: identifier) ?? .first)
    }

    private func receipt(_ session: inout Session, _ publish: Publish) throws -> Receipt {
        guard case .deliver(_, let receipt?) = try session.received(publish: publish) else {
            throw Unexpected("not delivered")
        }
        return receipt
    }

    private func acknowledgement(_ identifier: UInt16, _ code: ReasonCode = .success) -> Acknowledgement {
        Acknowledgement(packetIdentifier: PacketIdentifier(rawValue: identifier) ?? .first, reasonCode: code)
    }

    @Test func aRefusalBetweenTwoConnectionsHoldsNobodyUpLater() throws {
        var session = Session(version: .v5)
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        let first = try receipt(&session, publish(7, .exactlyOnce))
        session.connectionLost()
        #expect(session.processed(first, .quotaExceeded).isEmpty)
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        let again = try receipt(&session, publish(7, .exactlyOnce, duplicate: true))
        let next = try receipt(&session, publish(8, .atLeastOnce))
        #expect(session.processed(next).isEmpty)
        #expect(
            session.processed(again, .quotaExceeded) == [
                .send(.pubrec(acknowledgement(7, .quotaExceeded))), .send(.puback(acknowledgement(8))),
            ])
    }

    @Test func theFirstWordAboutAMessageCounts() throws {
        var session = Session(version: .v5)
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        let first = try receipt(&session, publish(1, .atLeastOnce))
        let second = try receipt(&session, publish(2, .atLeastOnce))
        #expect(session.processed(second, .notAuthorized).isEmpty)
        // Its reader asks for the next one.
        #expect(session.processed(second).isEmpty)
        #expect(
            session.processed(first) == [
                .send(.puback(acknowledgement(1))), .send(.puback(acknowledgement(2, .notAuthorized))),
            ])
    }
}

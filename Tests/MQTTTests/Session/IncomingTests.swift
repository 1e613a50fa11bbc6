import MQTT
import MQTTWire
import NIOCore
import Testing

/// Messages that arrive, and what is owed for them.
@Suite struct IncomingTests {
    private func connected(_ version: ProtocolVersion = .v5, holdsSteps: Bool = false) -> Session {
        var session = Session(version: version, topicAliasMaximum: 2)
        session.holdsSteps = holdsSteps
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        return session
    }

    private func identifier(_ number: UInt16) throws -> PacketIdentifier {
        try #require(PacketIdentifier(rawValue: number))
    }

    private func ack(_ number: UInt16, _ code: ReasonCode = .success) throws -> Acknowledgement {
        Acknowledgement(packetIdentifier: try identifier(number), reasonCode: code)
    }

    private func publish(_ number: UInt16, _ qos: QoS, duplicate: Bool = false) throws -> Publish {
        Publish(
            topic: try TopicName("in"), payload: ByteBuffer(), qos: qos, duplicate: duplicate,
            packetIdentifier: try identifier(number))
    }

    private func receipt(_ session: inout Session, _ publish: Publish) throws -> Receipt {
        guard case .deliver(publish, let receipt?) = try session.received(publish: publish) else {
            throw Unexpected("not delivered")
        }
        return receipt
    }

    @Test func acknowledgementsGoInTheOrderOfArrivalHoweverTheProcessingEnds() throws {
        var session = connected()
        let first = try receipt(&session, publish(1, .atLeastOnce))
        let second = try receipt(&session, publish(2, .exactlyOnce))
        let third = try receipt(&session, publish(3, .atLeastOnce))
        #expect(session.processed(third).isEmpty)
        #expect(session.processed(second).isEmpty)
        #expect(
            session.processed(first) == [
                .send(.puback(try ack(1))), .send(.pubrec(try ack(2))), .send(.puback(try ack(3))),
            ])
        #expect(session.processed(first).isEmpty, "once")
    }

    @Test func whatTheApplicationRefusesIsAnsweredWithItsCodeAndEndsTheExchange() throws {
        var session = connected()
        let first = try receipt(&session, publish(1, .atLeastOnce))
        let second = try receipt(&session, publish(2, .exactlyOnce))
        #expect(session.processed(first, .quotaExceeded) == [.send(.puback(try ack(1, .quotaExceeded)))])
        #expect(session.processed(second, .notAuthorized) == [.send(.pubrec(try ack(2, .notAuthorized)))])
        _ = try receipt(&session, publish(2, .exactlyOnce))
    }

    @Test func underVersion311NothingCanBeRefused() throws {
        var session = connected(.v3_1_1)
        let receipt = try receipt(&session, publish(1, .atLeastOnce))
        #expect(session.processed(receipt, .quotaExceeded) == [.send(.puback(try ack(1)))])
    }

    @Test func aQoS1MessageWhoseConnectionIsGoneIsNotAcknowledgedOnTheNext() throws {
        var session = connected()
        let receipt = try receipt(&session, publish(1, .atLeastOnce))
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        #expect(session.processed(receipt).isEmpty)
        _ = try self.receipt(&session, publish(1, .atLeastOnce, duplicate: true))
    }

    @Test func D3_aQoS2MessageIsDeliveredOnceAcrossConnections() throws {
        var session = connected()
        let receipt = try receipt(&session, publish(1, .exactlyOnce))
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        let again = try publish(1, .exactlyOnce, duplicate: true)
        #expect(try session.received(publish: again) == .repeated(answer: nil), "it is still being processed")
        #expect(session.processed(receipt) == [.send(.pubrec(try ack(1)))])
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        #expect(try session.received(publish: again) == .repeated(answer: .pubrec(try ack(1))))
        #expect(session.received(pubrel: try ack(1)) == .send(try ack(1)))
    }

    @Test func D3_aQoS2MessageProcessedBetweenConnectionsIsAnsweredWhenItComesAgain() throws {
        var session = connected()
        let receipt = try receipt(&session, publish(1, .exactlyOnce))
        session.connectionLost()
        #expect(session.processed(receipt).isEmpty)
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        let again = try publish(1, .exactlyOnce, duplicate: true)
        #expect(try session.received(publish: again) == .repeated(answer: .pubrec(try ack(1))))
    }

    @Test func D3_theStoreKnowsBeforeTheServer() throws {
        var session = connected(holdsSteps: true)
        let receipt = try receipt(&session, publish(1, .exactlyOnce))
        #expect(session.processed(receipt) == [.note(try identifier(1))])
        let seen = ExchangeSteps(seen: [try identifier(1)])
        #expect(session.noted(seen, isCurrent: true) == [.pubrec(try ack(1))])
        #expect(session.received(pubrel: try ack(1)) == .note(try identifier(1)))
        #expect(
            session.noted(ExchangeSteps(finished: [try identifier(1)]), isCurrent: true) == [.pubcomp(try ack(1))])
        _ = try self.receipt(&session, publish(1, .exactlyOnce))
    }

    @Test func D3_whatWasNotedAfterItsConnectionIsAnsweredWhenItComesAgain() throws {
        var session = connected(holdsSteps: true)
        let receipt = try receipt(&session, publish(1, .exactlyOnce))
        #expect(session.processed(receipt) == [.note(try identifier(1))])
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        #expect(session.noted(ExchangeSteps(seen: [try identifier(1)]), isCurrent: false).isEmpty)
        let again = try publish(1, .exactlyOnce, duplicate: true)
        #expect(try session.received(publish: again) == .repeated(answer: .pubrec(try ack(1))))
        #expect(session.received(pubrel: try ack(1)) == .note(try identifier(1)))
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        #expect(session.noted(ExchangeSteps(finished: [try identifier(1)]), isCurrent: false).isEmpty)
        #expect(session.received(pubrel: try ack(1)) == .note(try identifier(1)), "PUBREL comes again")
    }

    @Test func D3_aLaterProcessDoesNotDeliverWhatAnEarlierOneHasSeen() throws {
        var session = Session(version: .v5)
        session.holdsSteps = true
        session.restore(StoredSession(name: 1, incoming: [try identifier(7)]))
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        let again = try publish(7, .exactlyOnce, duplicate: true)
        #expect(try session.received(publish: again) == .repeated(answer: .pubrec(try ack(7))))
        #expect(session.received(pubrel: try ack(7)) == .note(try identifier(7)))
    }

    @Test func whatCouldNotBeDeliveredIsNewWhenItComesAgain() throws {
        var session = connected()
        let dropped = try receipt(&session, publish(1, .exactlyOnce))
        session.dropped(dropped)
        session.dropped(try receipt(&session, publish(2, .atLeastOnce)))
        let next = try receipt(&session, publish(3, .atLeastOnce))
        #expect(session.processed(next) == [.send(.puback(try ack(3)))], "what was dropped holds nobody up")
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        _ = try receipt(&session, publish(1, .exactlyOnce, duplicate: true))
    }

    @Test func thereIsAnEndToWhatAServerMayHaveUnderWay() throws {
        var session = connected()
        for _ in 1...65_535 { _ = try receipt(&session, publish(1, .atLeastOnce)) }
        #expect {
            try session.received(publish: try publish(1, .atLeastOnce))
        } throws: {
            ($0 as? ProtocolViolation)?.reasonCode == .receiveMaximumExceeded
        }
    }
}

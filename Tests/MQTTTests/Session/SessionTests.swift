import MQTT
import MQTTWire
import NIOCore
import Testing

/// Transcripts: what the client sends, what the server answers, what follows.
@Suite struct SessionTests {
    private func message(_ text: String, _ qos: QoS = .atLeastOnce) throws -> Message {
        Message(topic: try TopicName("t"), payload: ByteBuffer(string: text), qos: qos)
    }

    private func connected(
        _ version: ProtocolVersion = .v5, inFlight: Int = 32, limits: ServerLimits = ServerLimits()
    ) -> Session {
        var session = Session(version: version, maximumInFlight: inFlight)
        #expect(session.connected(sessionPresent: false, limits: limits) == Session.Resumption())
        return session
    }

    private func sent(_ decision: Session.Decision) throws -> Publish {
        guard case .send(let publish) = decision else { throw Unexpected("\(decision)") }
        return publish
    }

    private func repeated(_ session: inout Session) -> Publish? {
        guard case .publish(_, _, .send(let publish)) = session.nextResend() else { return nil }
        return publish
    }

    private func ack(_ number: UInt16, _ code: ReasonCode = .success) throws -> Acknowledgement {
        Acknowledgement(packetIdentifier: try #require(PacketIdentifier(rawValue: number)), reasonCode: code)
    }

    @Test func qos0IsSentAndForgotten() throws {
        var session = connected()
        guard case .sendAndForget(let publish) = session.publish(try message("a", .atMostOnce), from: .direct(1)) else {
            throw Unexpected("not sent")
        }
        #expect(publish.packetIdentifier == nil)
        #expect(session.inFlight == 0)
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a QoS 0 message of an earlier process is sent, without DUP`(version: ProtocolVersion) throws {
        var session = Session(version: version)
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        let decision = session.publish(
            try message("a", .atMostOnce), from: .stored(MessageID(rawValue: 1)), mayHaveBeenSent: true)
        guard case .sendAndForget(let publish) = decision else { throw Unexpected("\(decision)") }
        #expect(!publish.duplicate)
    }

    @Test func qos1EndsWithPubAck() throws {
        var session = connected()
        let publish = try sent(session.publish(try message("a"), from: .direct(7)))
        #expect(!publish.duplicate)
        let identifier = try #require(publish.packetIdentifier)
        let completion = try session.received(puback: try ack(identifier.rawValue))
        #expect(completion?.origin == .direct(7))
        #expect(session.inFlight == 0)
        #expect(try session.received(puback: try ack(identifier.rawValue)) == nil, "a second PUBACK means nothing")
    }

    @Test func aServerOf311WithoutQoS2MayAnswerWithPubAck() throws {
        var session = connected(.v3_1_1)
        let publish = try sent(session.publish(try message("a", .exactlyOnce), from: .direct(1)))
        let number = try #require(publish.packetIdentifier).rawValue
        #expect(session.awaitsPubRec)
        #expect(try session.received(puback: try ack(number))?.origin == .direct(1))
        #expect(session.answeredAtQoS1 == 1)
        #expect(session.inFlight == 0 && !session.awaitsPubRec)
    }

    @Test func aMessageThatLosesItsSessionTwiceMayHaveComeTwiceButIsOne() throws {
        var session = connected()
        _ = session.publish(try message("a", .exactlyOnce), from: .direct(1))
        var counts: [Int] = []
        for _ in 1...2 {
            session.connectionLost()
            counts.append(session.connected(sessionPresent: false, limits: ServerLimits()).possibleDuplicates)
            _ = repeated(&session)
        }
        #expect(counts == [1, 0])
    }

    @Test func qos2NeedsPubRecAndPubComp() throws {
        var session = connected()
        let publish = try sent(session.publish(try message("a", .exactlyOnce), from: .direct(1)))
        let number = try #require(publish.packetIdentifier).rawValue
        #expect(throws: ProtocolViolation.self) { try session.received(puback: try ack(number)) }
        #expect(throws: ProtocolViolation.self) { try session.received(pubcomp: try ack(number)) }
        #expect(try session.received(pubrec: try ack(number)) == .send(try ack(number)))
        #expect(try session.received(pubrec: try ack(number)) == .send(try ack(number)), "PUBREC may be repeated")
        #expect(session.inFlight == 1)
        #expect(try session.received(pubcomp: try ack(number))?.origin == .direct(1))
        #expect(session.inFlight == 0)
    }

    @Test func anErrorInPubRecEndsTheExchange() throws {
        var session = connected()
        let publish = try sent(session.publish(try message("a", .exactlyOnce), from: .direct(1)))
        let number = try #require(publish.packetIdentifier).rawValue
        guard case .completed(let completion) = try session.received(pubrec: try ack(number, .quotaExceeded)) else {
            throw Unexpected("not completed")
        }
        #expect(completion.reasonCode == .quotaExceeded)
        #expect(session.room == 32)
    }

    @Test func pubRecForAnUnknownMessageIsAnsweredSoThatTheServerCanEnd() throws {
        var session = connected()
        #expect(try session.received(pubrec: try ack(9)) == .send(try ack(9, .packetIdentifierNotFound)))
        var old = connected(.v3_1_1)
        #expect(try old.received(pubrec: try ack(9)) == .send(try ack(9)))
    }

    @Test func theWindowIsTheSmallerOfOursAndTheServersReceiveMaximum() throws {
        var session = connected(inFlight: 5, limits: ServerLimits(receiveMaximum: 2))
        #expect(session.room == 2)
        let first = try sent(session.publish(try message("1"), from: .direct(1)))
        _ = try sent(session.publish(try message("2"), from: .direct(2)))
        #expect(session.publish(try message("3"), from: .direct(3)) == .full)
        guard case .sendAndForget = session.publish(try message("0", .atMostOnce), from: .direct(4)) else {
            throw Unexpected("QoS 0 needs no window")
        }
        _ = try session.received(puback: try ack(try #require(first.packetIdentifier).rawValue))
        #expect(session.room == 1)
        _ = try sent(session.publish(try message("3"), from: .direct(3)))
    }

    @Test func aResumedSessionRepeatsInTheOldOrderBeforeAnythingNew() throws {
        var session = connected()
        let one = try sent(session.publish(try message("1"), from: .direct(1)))
        let two = try sent(session.publish(try message("2", .exactlyOnce), from: .direct(2)))
        let three = try sent(session.publish(try message("3", .exactlyOnce), from: .direct(3)))
        _ = try session.received(pubrec: try ack(try #require(two.packetIdentifier).rawValue))
        session.connectionLost()

        #expect(session.connected(sessionPresent: true, limits: ServerLimits()).repeated == 3)
        #expect(session.room == 0, "nothing new goes first")
        #expect(session.publish(try message("new"), from: .direct(4)) == .full)
        var expected = one
        expected.duplicate = true
        #expect(repeated(&session) == expected)
        #expect(session.nextResend() == .release(try ack(try #require(two.packetIdentifier).rawValue)))
        expected = three
        expected.duplicate = true
        #expect(repeated(&session) == expected)
        #expect(session.nextResend() == nil)
        #expect(session.room == 29)
    }

    @Test func repetitionsKeepToASmallerReceiveMaximum() throws {
        var session = connected()
        for number in 1...3 { _ = try sent(session.publish(try message("\(number)"), from: .direct(UInt64(number)))) }
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits(receiveMaximum: 1))
        for _ in 1...3 {
            let publish = try #require(repeated(&session))
            #expect(session.nextResend() == nil)
            #expect(session.room == 0)
            _ = try session.received(puback: try ack(try #require(publish.packetIdentifier).rawValue))
        }
        #expect(session.room == 1)
    }

    @Test func aLostSessionIsSentAnewWithoutDupAndCounted() throws {
        var session = connected()
        let one = try sent(session.publish(try message("1", .exactlyOnce), from: .direct(1)))
        _ = try session.received(pubrec: try ack(try #require(one.packetIdentifier).rawValue))
        session.connectionLost()
        #expect(session.connected(sessionPresent: false, limits: ServerLimits()).possibleDuplicates == 1)
        #expect(repeated(&session) == one, "the server knows nothing of PUBREC any more")
    }

    @Test func evenQoS0DoesNotGoBeforeWhatMustBeRepeated() throws {
        var session = connected()
        for number in 1...2 { _ = try sent(session.publish(try message("\(number)"), from: .direct(UInt64(number)))) }
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits(receiveMaximum: 1))
        let first = try #require(repeated(&session))
        #expect(session.publish(try message("3", .atMostOnce), from: .direct(3)) == .full)
        _ = try session.received(puback: try ack(try #require(first.packetIdentifier).rawValue))
        _ = try #require(repeated(&session))
        guard case .sendAndForget = session.publish(try message("3", .atMostOnce), from: .direct(3)) else {
            throw Unexpected("not sent")
        }
    }

    @Test func whatIsSentAnewKeepsTheLimitsOfTheNewServer() throws {
        var session = connected()
        for text in ["a text of more than 20 bytes", "fits"] {
            _ = try sent(session.publish(try message(text, .exactlyOnce), from: .direct(1)))
        }
        session.connectionLost()
        _ = session.connected(
            sessionPresent: false, limits: ServerLimits(maximumQoS: .atLeastOnce, maximumPacketSize: 20))
        guard case .publish(_, .direct(1), .tooLarge(_, limit: 20)) = session.nextResend() else {
            throw Unexpected("not given up")
        }
        let publish = try #require(repeated(&session))
        #expect(publish.qos == .atLeastOnce)
        #expect(session.inFlight == 1)
        #expect(try session.received(puback: try ack(try #require(publish.packetIdentifier).rawValue)) != nil)
        #expect(session.room == 32)
    }

    @Test func aNewServerThatKnowsOnlyQoS0GetsWhatWasUnderWayAsSuch() throws {
        var session = connected()
        _ = try sent(session.publish(try message("x"), from: .direct(1)))
        session.connectionLost()
        _ = session.connected(sessionPresent: false, limits: ServerLimits(maximumQoS: .atMostOnce))
        guard case .publish(_, .direct(1), .sendAndForget(let publish)) = session.nextResend() else {
            throw Unexpected("not sent and forgotten")
        }
        #expect(publish.packetIdentifier == nil && !publish.duplicate)
        #expect(session.inFlight == 0)
    }

    @Test func whatIsRepeatedInAResumedSessionKeepsItsQoS() throws {
        var session = connected()
        _ = try sent(session.publish(try message("x", .exactlyOnce), from: .direct(1)))
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits(maximumQoS: .atLeastOnce))
        #expect(repeated(&session)?.qos == .exactlyOnce, "the server holds it as QoS 2 already")
    }

    @Test func theServersLimitsAreKept() throws {
        var session = connected(
            limits: ServerLimits(maximumQoS: .atLeastOnce, retainAvailable: false, maximumPacketSize: 20))
        var offered = try message("x", .exactlyOnce)
        offered.retain = true
        let publish = try sent(session.publish(offered, from: .direct(1)))
        #expect(publish.qos == .atLeastOnce)
        #expect(!publish.retain)
        guard
            case .tooLarge(_, limit: 20) = session.publish(
                try message("a text of more than 20 bytes"), from: .direct(2))
        else { throw Unexpected("not refused") }
        #expect(session.inFlight == 1)
    }

    @Test func identifiersInUseAreSkippedWhenTheyComeRoundAgain() throws {
        var session = connected()
        let first = try sent(session.publish(try message("stays"), from: .direct(0)))
        var seen: Set<PacketIdentifier> = []
        for number in 1...16_383 {
            let publish = try sent(session.publish(try message("x"), from: .direct(UInt64(number))))
            let identifier = try #require(publish.packetIdentifier)
            #expect(identifier != first.packetIdentifier)
            seen.insert(identifier)
            _ = try session.received(puback: try ack(identifier.rawValue))
        }
        #expect(seen.count == 16_383)
    }

    private func stored(_ sequence: Int64) -> Session.Origin { .stored(MessageID(rawValue: 2 << 48 | sequence)) }

    @Test func D3_aLaterProcessFindsTheSameIdentifierWithoutHavingBeenTold() throws {
        for sequence in [1, 2, 49_150, 49_151, 49_152, 1 << 40] as [Int64] {
            var (first, second) = (connected(), connected())
            _ = second.publish(try message("other"), from: .direct(1))
            let sent = try sent(first.publish(try message("x", .exactlyOnce), from: stored(sequence)))
            let again = try self.sent(
                second.publish(try message("x", .exactlyOnce), from: stored(sequence), mayHaveBeenSent: true))
            #expect(sent.packetIdentifier == again.packetIdentifier)
            #expect(!sent.duplicate && again.duplicate)
            #expect(try #require(sent.packetIdentifier).rawValue <= 49_151)
        }
    }

    @Test func messagesWhoseIdentifiersMeetWaitForEachOther() throws {
        var session = connected()
        let first = try sent(session.publish(try message("1"), from: stored(5)))
        #expect(session.publish(try message("2"), from: stored(5 + 49_151)) == .full)
        _ = try session.received(puback: try ack(try #require(first.packetIdentifier).rawValue))
        #expect(
            try sent(session.publish(try message("2"), from: stored(5 + 49_151))).packetIdentifier
                == first.packetIdentifier)
    }

    @Test func D3_pubRelWaitsUntilTheStoreHasNotedThePubRec() throws {
        var session = connected()
        session.holdsSteps = true
        let id = MessageID(rawValue: 7)
        let publish = try sent(session.publish(try message("x", .exactlyOnce), from: .stored(id)))
        let number = try #require(publish.packetIdentifier).rawValue
        #expect(try session.received(pubrec: try ack(number)) == .note(id))
        // The connection is lost before the store has answered: nobody may rely on PUBREC, so it is PUBLISH again.
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        guard case .publish(_, _, .send(let repeated)) = session.nextResend() else { throw Unexpected("no PUBLISH") }
        #expect(repeated.duplicate)
        #expect(try session.received(pubrec: try ack(number)) == .note(id))
        #expect(session.noted(ExchangeSteps(released: [id]), isCurrent: true) == [.pubrel(try ack(number))])
        #expect(try session.received(pubcomp: try ack(number))?.origin == .stored(id))
        #expect(session.noted(ExchangeSteps(released: [id]), isCurrent: true).isEmpty, "it is over")
    }

    @Test func D3_whatAnEarlierProcessKnewToBeReceivedIsOnlyReleased() throws {
        var session = connected()
        session.holdsSteps = true
        let decision = session.publish(try message("x", .exactlyOnce), from: stored(9), isReleased: true)
        guard case .release(let pubrel) = decision else { throw Unexpected("\(decision)") }
        #expect(session.inFlight == 1)
        #expect(try session.received(pubcomp: pubrel)?.origin == stored(9))
        #expect(session.inFlight == 0)
        #expect(session.room == 32)
    }

    @Test func incomingQoS2IsDeliveredOnceUntilItIsReleased() throws {
        var session = connected()
        let publish = Publish(
            topic: try TopicName("in"), payload: ByteBuffer(), qos: .exactlyOnce,
            packetIdentifier: PacketIdentifier.first)
        #expect(try session.receivedAndProcessed(publish: publish) == (true, .pubrec(try ack(1))))
        session.connectionLost()
        _ = session.connected(sessionPresent: true, limits: ServerLimits())
        #expect(try session.received(publish: publish) == .repeated(answer: .pubrec(try ack(1))))
        #expect(session.received(pubrel: try ack(1)) == .send(try ack(1)))
        #expect(session.received(pubrel: try ack(1)) == .send(try ack(1, .packetIdentifierNotFound)))
        #expect(try session.receivedAndProcessed(publish: publish) == (true, .pubrec(try ack(1))))
    }

    @Test func afterALostSessionTheSameIdentifierIsANewMessage() throws {
        var session = connected()
        let publish = Publish(
            topic: try TopicName("in"), payload: ByteBuffer(), qos: .exactlyOnce,
            packetIdentifier: PacketIdentifier.first)
        _ = try session.received(publish: publish)
        session.connectionLost()
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        #expect(try session.receivedAndProcessed(publish: publish) == (true, .pubrec(try ack(1))))
    }

    @Test func anAliasThatWasNotOfferedIsAViolation() {
        var session = connected()
        #expect {
            var properties = Properties()
            properties.topicAlias = 1
            _ = try session.received(publish: Publish(topic: nil, payload: ByteBuffer(), properties: properties))
        } throws: {
            ($0 as? ProtocolViolation)?.reasonCode == .topicAliasInvalid
        }
    }

    private func request(_ session: inout Session, _ subscriptions: [Subscription]) throws -> Subscribe {
        let subscribe = session.subscribe(subscriptions)
        return try #require(subscribe)
    }

    @Test func subscribingWantsOneCodeForEachFilter() throws {
        var session = connected()
        let subscriptions = [
            Subscription(filter: try TopicFilter("a/#")), Subscription(filter: try TopicFilter("b")),
        ]
        let subscribe = try request(&session, subscriptions)
        #expect(throws: ProtocolViolation.self) {
            try session.received(
                suback: SubAck(packetIdentifier: subscribe.packetIdentifier, reasonCodes: [.grantedQoS1]))
        }
        let again = try request(&session, subscriptions)
        try session.received(
            suback: SubAck(packetIdentifier: again.packetIdentifier, reasonCodes: [.grantedQoS1, .notAuthorized]))
        #expect(throws: ProtocolViolation.self) {
            try session.received(suback: SubAck(packetIdentifier: again.packetIdentifier, reasonCodes: [.grantedQoS1]))
        }
    }
}

struct Unexpected: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

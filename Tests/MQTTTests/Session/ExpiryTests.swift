import MQTT
import MQTTWire
import NIOCore
import Testing

/// What the server is told of a message's expiry (5.0 §3.3.2.3.3).
@Suite struct ExpiryTests {
    private func message(_ expiry: Duration?, property: UInt32? = nil) throws -> Message {
        var message = Message(topic: try TopicName("t"), payload: ByteBuffer(), expiry: expiry)
        message.properties.messageExpiryInterval = property
        return message
    }

    private func told(_ version: ProtocolVersion, _ message: Message) throws -> UInt32? {
        var session = Session(version: version)
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        guard case .send(let publish) = session.publish(message, from: .direct(1)) else { throw Unexpected("not sent") }
        return publish.properties.messageExpiryInterval
    }

    @Test func whatIsLeftIsToldInWholeSecondsRoundedUp() throws {
        #expect(try told(.v5, message(.seconds(10))) == 10)
        #expect(try told(.v5, message(.milliseconds(9_001))) == 10)
        #expect(try told(.v5, message(.milliseconds(1))) == 1)
        #expect(try told(.v5, message(.seconds(1 << 40))) == .max)
        #expect(try told(.v5, message(nil)) == nil)
        #expect(try told(.v5, message(nil, property: 7)) == 7, "the caller's own word")
        #expect(try told(.v5, message(.seconds(3), property: 7)) == 3)
        #expect(try told(.v3_1_1, message(.seconds(10), property: 7)) == nil)
    }

    @Test func timeUnderWayCountsWhenAMessageIsRepeated() throws {
        var session = Session(version: .v5)
        _ = session.connected(sessionPresent: false, limits: ServerLimits())
        let start = ContinuousClock.now
        _ = session.publish(try message(.seconds(10)), from: .direct(1), at: start)
        var told: [UInt32?] = []
        for seconds in [4, 10, 60] {
            session.connectionLost()
            _ = session.connected(sessionPresent: true, limits: ServerLimits())
            guard case .publish(_, _, .send(let publish)) = session.nextResend(at: start + .seconds(seconds)) else {
                throw Unexpected("not repeated")
            }
            told.append(publish.properties.messageExpiryInterval)
        }
        #expect(told == [6, 1, 1], "0 would be for ever at some servers")
    }

    @Test func inMemoryWhatHasExpiredIsNotGivenOutAndMakesRoom() async throws {
        let store = MemoryStore(maximumCount: 2)
        _ = try store.append([try message(.milliseconds(1)), try message(.seconds(1000))])
        try await Task.sleep(for: .milliseconds(3))
        _ = try store.append([try message(nil)])
        let given = store.next(maximumCount: 9, maximumBytes: 1000)
        #expect(given.count == 2)
        #expect(store.expiredCount == 1)
        let left = try #require(given.first?.message.expiry)
        #expect(left < .seconds(1000) && left > .seconds(900))
    }
}

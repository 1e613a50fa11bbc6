import MQTT
import MQTTWire
import NIOCore
import Testing

@testable import FieldpostAgent

@Suite struct EchoTableTests {
    private let start = ContinuousClock.now
    private let topic: TopicName
    private let other: TopicName

    init() throws {
        topic = try TopicName("t")
        other = try TopicName("u")
    }

    /// One that expectations can change.
    private final class Table {
        private var table = EchoTable()
        var count: Int { table.count }
        func willSend(_ id: MessageID, _ topic: TopicName, _ payload: ByteBuffer) { table.willSend(id, topic, payload) }
        func acknowledged(_ ids: [MessageID], at now: ContinuousClock.Instant) { table.acknowledged(ids, at: now) }
        func forget(_ id: MessageID) { table.forget(id) }
        func takeEcho(_ topic: TopicName, _ payload: ByteBuffer, at now: ContinuousClock.Instant) -> Bool {
            table.takeEcho(topic, payload, at: now)
        }
    }

    private func payload(_ text: String) -> ByteBuffer { ByteBuffer(string: text) }
    private func id(_ number: Int64) -> MessageID { MessageID(rawValue: number) }

    @Test func `What was sent once comes back once`() {
        let table = Table()
        table.willSend(id(1), topic, payload("a"))
        table.willSend(id(1), topic, payload("a"))
        #expect(!table.takeEcho(topic, payload("b"), at: start))
        #expect(!table.takeEcho(other, payload("a"), at: start))
        #expect(table.takeEcho(topic, payload("a"), at: start))
        #expect(!table.takeEcho(topic, payload("a"), at: start))
    }

    @Test func `The same words sent twice come back twice`() {
        let table = Table()
        table.willSend(id(1), topic, payload("a"))
        table.willSend(id(2), topic, payload("a"))
        #expect(table.takeEcho(topic, payload("a"), at: start))
        table.acknowledged([id(1), id(2)], at: start)
        #expect(table.takeEcho(topic, payload("a"), at: start))
        #expect(!table.takeEcho(topic, payload("a"), at: start))
        #expect(table.count == 0)
    }

    @Test func `An echo is waited for as long as the message waits, and a minute more`() {
        let table = Table()
        table.willSend(id(1), topic, payload("a"))
        table.willSend(id(2), topic, payload("a"))
        let late = start + .seconds(86_400)
        table.acknowledged([id(1)], at: late)
        table.acknowledged([id(2)], at: late + .seconds(30))
        #expect(table.takeEcho(topic, payload("a"), at: late + .seconds(59)))
        #expect(table.takeEcho(topic, payload("a"), at: late + .seconds(89)))
        table.willSend(id(3), topic, payload("a"))
        table.acknowledged([id(3)], at: late)
        #expect(!table.takeEcho(topic, payload("a"), at: late + .seconds(60)))
        #expect(table.count == 0)
    }

    @Test func `What never reached the broker has no echo`() {
        let table = Table()
        table.willSend(id(1), topic, payload("a"))
        table.forget(id(1))
        #expect(!table.takeEcho(topic, payload("a"), at: start))
    }

    @Test func `D5 It does not grow beyond its bound, and forgets the oldest first`() {
        let table = Table()
        let count = EchoTable.maximumCount + 10
        for number in 1...count { table.willSend(id(Int64(number)), topic, payload("\(number)")) }
        #expect(table.count == EchoTable.maximumCount)
        #expect(!table.takeEcho(topic, payload("10"), at: start))
        #expect(table.takeEcho(topic, payload("11"), at: start))
    }
}

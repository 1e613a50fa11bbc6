import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

@Suite struct RetainedMessagesTests {
    @Test(
        "It finds what comparing with each topic finds, while messages come and go", arguments: 0..<5 as Range<UInt64>)
    func random(seed: UInt64) throws {
        var generator = TopicGenerator(seed: seed)
        var retained = RetainedMessages()
        var expected: [TopicName: RetainedMessages.Entry] = [:]
        /// With some that are gone.
        var order: [TopicName] = []
        for number in 0..<3_000 {
            if generator.pick(3_000) > number, generator.pick(4) > 0 {
                let topic = generator.name()
                let message = ServerMessage(
                    topic: topic, payload: ByteBuffer(repeating: 0, count: generator.pick(50)), retain: true)
                let entry = RetainedMessages.Entry(
                    message: RoutedMessage(message, publisher: nil, deadline: nil), stored: Int64(number))
                let old = retained.set(entry, for: topic)
                order.append(topic)
                #expect(old?.stored == expected.updateValue(entry, forKey: topic)?.stored)
            } else {
                let topic =
                    order.isEmpty || generator.pick(5) == 0 ? generator.name() : order[generator.pick(order.count)]
                #expect(retained.remove(topic)?.stored == expected.removeValue(forKey: topic)?.stored)
            }
            let filter = generator.filter()
            let found = Set(retained.matching(filter).map(\.stored))
            let wanted = Set(expected.filter { filter.matches($0.key) }.map(\.value.stored))
            let topic = generator.name()
            guard found == wanted, retained.count == expected.count, retained[topic]?.stored == expected[topic]?.stored,
                retained.bytes == expected.values.reduce(0, { $0 + $1.message.size })
            else {
                Issue.record("seed \(seed), step \(number), filter \(filter): \(found), expected \(wanted)")
                return
            }
        }
        #expect(Set(retained.all.map(\.stored)) == Set(expected.values.map(\.stored)))
        for topic in expected.keys { retained.remove(topic) }
        #expect(retained.count == 0)
        #expect(retained.bytes == 0)
        #expect(try retained.matching(TopicFilter("#")).isEmpty)
    }
}

import MQTTWire
import TestSupport
import Testing

/// Each client publishes to each other one, in all qualities of service.
@Suite(.timeLimit(.minutes(2))) struct MatrixTests {
    @Test func `each publisher reaches each subscriber at the lower of both QoS`() async throws {
        try await Stage.with { stage in
            let participants = try await stage.company("matrix")
            for participant in participants {
                for qos in QoS.allCases {
                    let filter = "matrix/\(qos.rawValue)/#"
                    #expect(try await participant.subscribe(filter, qos) == qos.rawValue, participant.comment)
                }
            }
            for publisher in participants {
                try await inParallel(QoS.allCases) { asked in
                    for qos in QoS.allCases {
                        let topic = "matrix/\(asked.rawValue)/\(publisher.variant.name)/\(qos.rawValue)/Ñandú 🌡 水"
                        try await publisher.publish(Post(topic, Self.payloads[Int(qos.rawValue)], qos))
                    }
                }
            }
            try await inParallel(participants) { subscriber in
                let count = participants.count * 9
                _ = try await subscriber.inbox.wait(for: count)
                try await subscriber.settle()
                let heard = await subscriber.inbox.messages
                #expect(heard.count == count, subscriber.comment)
                for publisher in participants {
                    for asked in QoS.allCases {
                        let start = "matrix/\(asked.rawValue)/\(publisher.variant.name)/"
                        let wanted = QoS.allCases.map { qos in
                            Heard(
                                start + "\(qos.rawValue)/Ñandú 🌡 水", Payload(Self.payloads[Int(qos.rawValue)]),
                                min(qos, asked))
                        }
                        let got = heard.filter { $0.topic.hasPrefix(start) }
                        #expect(
                            Set(got) == Set(wanted) && got.count == 3,
                            "\(publisher.variant.testDescription) to \(subscriber.variant.testDescription): \(got)")
                    }
                }
            }
        }
    }

    /// Nothing; every byte that there is, many of them not UTF-8; text.
    private static let payloads: [[UInt8]] = [[], Array(0...255), Array("Grüße, 世界 🌍".utf8)]
}

extension Stage {
    /// One client of each variant.
    func company(_ name: String, _ variants: [Variant] = Variant.all) async throws -> [any Participant] {
        try await inParallel(variants) { try await connect($0, "\(name)-\($0.name)") }
    }
}

extension Participant {
    var comment: Comment { Comment(rawValue: variant.testDescription) }
}

/// Does something with all at the same time.
@discardableResult
func inParallel<Element: Sendable, Result: Sendable>(
    _ elements: [Element], _ body: @escaping @Sendable (Element) async throws -> Result
) async throws -> [Result] {
    try await withThrowingTaskGroup(of: (Int, Result).self) { group in
        for (index, element) in elements.enumerated() {
            group.addTask { (index, try await body(element)) }
        }
        return try await group.reduce(into: [(Int, Result)]()) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
    }
}

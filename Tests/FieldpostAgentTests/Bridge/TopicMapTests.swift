import MQTTWire
import Testing

@testable import FieldpostAgent

@Suite struct TopicMapTests {
    private func mapped(_ topic: String, _ map: TopicMap) throws -> String? {
        try map.map(TopicName(topic))?.string
    }

    @Test(
        arguments: [
            // pattern, prefix here, prefix there, topic, what it becomes
            ("sensors/#", "", "site/g/", "sensors/a/b", "site/g/sensors/a/b"),
            ("sensors/#", "", "site/g/", "sensors", "site/g/sensors"),
            ("sensors/#", "", "site/g/", "sensor/a", nil),
            ("#", "", "site/", "a", "site/a"),
            ("#", "", "site/", "$SYS/uptime", nil),
            ("$SYS/#", "", "site/", "$SYS/uptime", "site/$SYS/uptime"),
            ("+/status", "", "x/", "gate/status", "x/gate/status"),
            ("+/status", "", "x/", "gate/7/status", nil),
            ("#", "in/", "", "in/a/b", "a/b"),
            ("#", "in/", "", "out/a", nil),
            // `in/#` takes in `in`, which has not the prefix `in/`.
            ("#", "in/", "", "in", nil),
            ("a", "l/", "r/", "l/a", "r/a"),
            ("", "here/it/is", "there", "here/it/is", "there"),
            ("", "here/it/is", "there", "here/it/is/not", nil),
            ("#", "ä/", "o\u{308}/", "ä/x", "o\u{308}/x"),
            // Other bytes for the same letter are another topic.
            ("#", "ä/", "", "a\u{308}/x", nil),
        ] as [(String, String, String, String, String?)])
    func `A prefix goes and another one comes`(
        _ pattern: String, _ here: String, _ there: String, _ topic: String, _ result: String?
    ) throws {
        let map = try TopicMap([pattern], from: here, to: there)
        #expect(try mapped(topic, map) == result)
        #expect(try map.covers(TopicName(topic)) == (result != nil))
        if let result { #expect(try mapped(result, map.reversed) == topic) }
    }

    @Test func `A topic that gets too long, or of which nothing is left, is an error`() throws {
        let map = try TopicMap(["#"], from: "", to: String(repeating: "x", count: 1_000) + "/")
        #expect(throws: TopicError.tooLong(bytes: 66_001)) {
            try map.map(TopicName(String(repeating: "y", count: 65_000)))
        }
        #expect(throws: TopicError.empty) { try TopicMap(["#"], from: "a/", to: "").map(TopicName("a/")) }
    }

    @Test func `A filter that cannot be on the other side is an error`() {
        #expect(throws: TopicError.misplacedWildcard(level: 1)) { try TopicMap(["#"], from: "", to: "site") }
    }

    @Test(arguments: [
        ("a/b", "a/b", true), ("a/b", "a/c", false), ("a/+", "+/b", true), ("a/#", "a", true), ("a", "a/#", true),
        ("a/b", "a", false), ("a", "a/b", false), ("#", "x/y", true), ("+", "x/y", false), ("+/+/#", "x", false),
        ("+/+/#", "x/y", true), ("#", "$SYS/a", false), ("$SYS/#", "$SYS/+/b", true), ("+/a", "$SYS/a", false),
        ("a/#", "+/b/#", true), ("a/b/#", "a/c/#", false),
    ])
    func `Filters overlap when a topic belongs to both`(_ one: String, _ other: String, _ result: Bool) throws {
        #expect(try TopicFilter(one).overlaps(TopicFilter(other)) == result)
        #expect(try TopicFilter(other).overlaps(TopicFilter(one)) == result)
    }
}

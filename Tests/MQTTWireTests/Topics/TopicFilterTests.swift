import MQTTWire
import TestSupport
import Testing

@Suite struct TopicFilterTests {
    @Test(arguments: [
        // 5.0 §4.7.1.2
        ("sport/tennis/player1/#", "sport/tennis/player1", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
        ("sport/tennis/player1/#", "sport/tennis/player2", false),
        ("sport/tennis/player1/#", "sport/tennis/player10", false),
        ("sport/#", "sport", true),
        ("#", "sport/tennis", true),
        ("sport/tennis/#", "sport/tennis", true),
        // §4.7.1.3
        ("sport/tennis/+", "sport/tennis/player1", true),
        ("sport/tennis/+", "sport/tennis/player2", true),
        ("sport/tennis/+", "sport/tennis/player1/ranking", false),
        ("sport/+", "sport", false),
        ("sport/+", "sport/", true),
        ("+", "sport", true),
        ("+/tennis/#", "sport/tennis", true),
        ("+/tennis/#", "a/tennis/b/c", true),
        ("sport/+/player1", "sport/tennis/player1", true),
        ("sport/+/player1", "sport/tennis/x/player1", false),
        ("+/+", "/finance", true),
        ("/+", "/finance", true),
        ("+", "/finance", false),
        // §4.7.2
        ("#", "$SYS/uptime", false),
        ("+/monitor/Clients", "$SYS/monitor/Clients", false),
        ("$SYS/#", "$SYS/uptime", true),
        ("$SYS/#", "$SYS", true),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
        ("+/$SYS", "a/$SYS", true),
        // §4.7.3
        ("ACCOUNTS", "Accounts", false),
        ("accounts payable", "accounts payable", true),
        ("/finance", "finance", false),
        ("finance", "finance/", false),
        ("finance/", "finance", false),
        // What they do not print
        ("/", "/", true),
        ("+/+", "/", true),
        ("+/+/+", "/", false),
        ("/#", "/", true),
        ("/#", "/a", true),
        ("/#", "a", false),
        ("a/+/#", "a", false),
        ("a/+/#", "a/b", true),
        ("a/+/#", "a//", true),
        ("a//b", "a/b", false),
        ("a/b", "a/bc", false),
        ("a/bc", "a/b", false),
        ("é", "e\u{301}", false),
        // Shared: §4.8.2
        ("$share/g/sport/+", "sport/tennis", true),
        ("$share/g/sport/+", "$share/g/sport/tennis", false),
        ("$share/g/#", "sport", true),
        ("$share/g/#", "$SYS/uptime", false),
        ("$share/g/+/uptime", "$SYS/uptime", false),
        ("$share/g/$SYS/#", "$SYS/uptime", true),
        ("$share/g//a", "/a", true),
        ("$share/g//a", "a", false),
        ("$share", "$share", true),
    ])
    func `a filter matches as the specification says`(filter: String, name: String, matches: Bool) throws {
        #expect(try TopicFilter(filter).matches(TopicName(name)) == matches)
    }

    @Test(
        arguments: [
            ("", .empty),
            ("sport/tennis#", .misplacedWildcard(level: 2)), ("sport/tennis/#/ranking", .misplacedWildcard(level: 3)),
            ("sport+", .misplacedWildcard(level: 1)), ("+a", .misplacedWildcard(level: 1)),
            ("a/+b", .misplacedWildcard(level: 2)), ("a/#b", .misplacedWildcard(level: 2)),
            ("##", .misplacedWildcard(level: 1)), ("#+", .misplacedWildcard(level: 1)),
            ("++", .misplacedWildcard(level: 1)), ("+#", .misplacedWildcard(level: 1)),
            ("#/", .misplacedWildcard(level: 1)),
            ("$share/", .malformedShare), ("$share/g", .malformedShare), ("$share/g/", .malformedShare),
            ("$share//a", .malformedShare), ("$share/+/a", .malformedShare), ("$share/#", .malformedShare),
            ("$share/g+/a", .malformedShare), ("$share/g#/a", .malformedShare),
            ("$share/g/a+", .misplacedWildcard(level: 3)), ("$share/g/#/a", .misplacedWildcard(level: 3)),
        ] as [(String, TopicError)])
    func `a malformed filter is refused with its fault`(filter: String, error: TopicError) {
        #expect(throws: error) { try TopicFilter(filter) }
    }

    @Test(arguments: ["a", "+", "#", "+/#", "+/+/a", "/", "//", " ", "$share", "$SYS/#", "$shared/+", "$share/g/#"])
    func `a well-formed filter is taken`(filter: String) throws {
        #expect(try TopicFilter(filter).string == filter)
    }

    @Test func `length is counted in bytes`() throws {
        let longest = String(repeating: "é", count: 32_767) + "a"
        #expect(try TopicFilter(longest).string.utf8.count == 65_535)
        #expect(throws: TopicError.tooLong(bytes: 65_536)) { try TopicFilter(longest + "a") }
        #expect(throws: TopicError.tooLong(bytes: 65_536)) { try TopicName(longest + "a") }
    }

    @Test func `NUL is refused`() {
        #expect(throws: TopicError.containsNUL) { try TopicFilter("a\0b") }
        #expect(throws: TopicError.containsNUL) { try TopicName("a\0b") }
    }

    @Test func `a filter knows its group and its wildcards`() throws {
        #expect(try TopicFilter("$share/pumps/a/+").shareName == "pumps")
        #expect(try TopicFilter("$share/pumps/a/+").hasWildcards)
        #expect(try TopicFilter("$share/pumps/a").isShared)
        #expect(try TopicFilter("$share").shareName == nil)
        #expect(try !TopicFilter("a/b").hasWildcards)
        #expect(try !TopicFilter("a/b").isShared)
        #expect(try TopicFilter("#").hasWildcards)
    }

    @Test func `equality goes by bytes, not by looks`() throws {
        #expect(try TopicFilter("é") != TopicFilter("e\u{301}"))
        #expect(try TopicName("é") != TopicName("e\u{301}"))
        #expect(try Set([TopicName("é"), TopicName("e\u{301}"), TopicName("é")]).count == 2)
        #expect(try TopicFilter("a/b") == TopicFilter("a/b"))
    }

    @Test(
        arguments: [
            ("", .empty), ("a/+", .wildcardInName), ("#", .wildcardInName),
        ]
            as [(String, TopicError)])
    func `a malformed name is refused with its fault`(name: String, error: TopicError) {
        #expect(throws: error) { try TopicName(name) }
    }

    /// The rule in its simplest form, over arrays of levels.
    private static func reference(_ filter: [Substring], _ name: [Substring]) -> Bool {
        switch (filter.first, name.first) {
        case ("#"?, _): true
        case ("+"?, _?): reference(Array(filter.dropFirst()), Array(name.dropFirst()))
        case (nil, nil): true
        case (let wanted?, let given?) where wanted == given:
            reference(Array(filter.dropFirst()), Array(name.dropFirst()))
        default: false
        }
    }

    @Test func `matching agrees with the rule written out, over random topics`() throws {
        let seed: UInt64 = 47
        var random = SplitMix64(seed: seed)
        let nameLevels = ["a", "b", "", "ab"]
        let filterLevels = ["a", "b", "", "ab", "+", "+"]
        var matched = 0
        for _ in 0..<20_000 {
            let name = (0...random.below(4)).map { _ in nameLevels[random.below(4)] }.joined(separator: "/")
            var levels = (0...random.below(4)).map { _ in filterLevels[random.below(6)] }
            if random.chance(1, in: 3) { levels.append("#") }
            let filter = levels.joined(separator: "/")
            if name.isEmpty || filter.isEmpty { continue }
            let expected = Self.reference(
                filter.split(separator: "/", omittingEmptySubsequences: false),
                name.split(separator: "/", omittingEmptySubsequences: false))
            let found = try TopicFilter(filter).matches(TopicName(name))
            if found { matched += 1 }
            if found != expected { Issue.record("\(filter) against \(name): \(found), seed \(seed)") }
        }
        #expect(matched > 1_000)
    }
}

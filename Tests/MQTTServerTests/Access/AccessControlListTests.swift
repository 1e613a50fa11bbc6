import MQTTWire
import TestSupport
import Testing

@testable import MQTTServer

@Suite struct AccessControlListTests {

    struct Case: Sendable {
        var username: String?
        var identifier = "c1"
        var topic: String
        var read: Bool
        var write: Bool
    }

    static let rules = """
        # Of those without a user name
        topic read weather/#
        topic lamp
        topic readwrite a b

        user anna
        topic readwrite park/#
        topic deny park/secret
        topic write log/+/line
        topic $SYS/#
        topic deny $SYS/broker/load/#
        user bert
        topic #
        topic $x/#
        user anna
        topic read late

        pattern read sensor/%u/data
        pattern write %c/out
        pattern deny %c/out/never
        pattern write %c/out/#
        pattern deny park/lane
        pattern x%cy/%u%u
        """

    @Test(arguments: [
        // Anonymous clients have the lines before the first user.
        Case(topic: "weather/today", read: true, write: false), Case(topic: "weather", read: true, write: false),
        Case(topic: "lamp", read: true, write: true), Case(topic: "a b", read: true, write: true),
        Case(topic: "late", read: false, write: false),
        // Users have theirs, and not those.
        Case(username: "anna", topic: "weather/today", read: false, write: false),
        Case(username: "anna", topic: "park/bench", read: true, write: true),
        Case(username: "anna", topic: "park/secret", read: false, write: false),
        Case(username: "anna", topic: "park/secret/2", read: true, write: true),
        Case(username: "anna", topic: "log/1/line", read: false, write: true),
        Case(username: "anna", topic: "late", read: true, write: false),
        Case(username: "nobody", topic: "weather/today", read: false, write: false),
        Case(username: "Anna", topic: "park/bench", read: false, write: false),
        Case(username: "", topic: "weather/today", read: false, write: false),
        // Patterns are for all.
        Case(username: "nobody", topic: "sensor/nobody/data", read: true, write: false),
        Case(username: "nobody", topic: "sensor/anna/data", read: false, write: false),
        Case(username: "", topic: "sensor//data", read: true, write: false),
        Case(topic: "sensor//data", read: false, write: false),
        Case(topic: "sensor/%u/data", read: false, write: false),
        Case(topic: "c1/out", read: false, write: true), Case(topic: "c2/out", read: false, write: false),
        Case(topic: "c1/out/x", read: false, write: true), Case(topic: "c1/out/never", read: false, write: false),
        Case(identifier: "a/b", topic: "a/b/out", read: false, write: true),
        Case(username: "u", topic: "xc1y/uu", read: true, write: true),
        Case(username: "%c", topic: "xc1y/%c%c", read: true, write: true),
        // A user's own section is asked first.
        Case(username: "anna", topic: "park/lane", read: true, write: true),
        Case(username: "nobody", topic: "park/lane", read: false, write: false),
        // Nobody is to own others' topics.
        Case(identifier: "+", topic: "c1/out", read: false, write: false),
        Case(identifier: "#", topic: "x", read: false, write: false),
        Case(username: "+", topic: "sensor/anna/data", read: false, write: false),
        Case(username: "+", topic: "c1/out", read: false, write: false),
        Case(identifier: "+", topic: "weather/today", read: true, write: false),
        // `$…`
        Case(username: "bert", topic: "any/thing", read: true, write: true),
        Case(username: "bert", topic: "$SYS/uptime", read: false, write: false),
        Case(username: "bert", topic: "$x/y", read: true, write: true),
        Case(username: "anna", topic: "$SYS/uptime", read: true, write: false),
        Case(username: "anna", topic: "$SYS/broker/load/x", read: false, write: false),
        Case(username: "anna", topic: "$SYS/broker/connection/b/state", read: true, write: true),
        Case(username: "anna", topic: "$SYS/broker/connection/b/c/state", read: true, write: false),
        Case(identifier: "$x", topic: "$x/out", read: false, write: true),
        Case(identifier: "$share", topic: "out", read: false, write: false),
        Case(identifier: "$share/g", topic: "out", read: false, write: false),
        Case(identifier: "$share/g", topic: "$share/g/out", read: false, write: false),
    ])
    func `the rules mean what they mean to Mosquitto`(example: Case) throws {
        let acl = try AccessControlList(Self.rules)
        let topic = try TopicName(example.topic)
        let permissions = acl.permissions(clientIdentifier: example.identifier, username: example.username)
        #expect(permissions.mayReceive(topic) == example.read)
        #expect(permissions.mayPublish(to: topic) == example.write)
    }

    @Test func `an empty file denies everything`() throws {
        let permissions = try AccessControlList("").permissions(clientIdentifier: "c", username: nil)
        #expect(try !permissions.mayReceive(TopicName("a")))
        #expect(try !permissions.mayPublish(to: TopicName("a")))
        #expect(try !permissions.mayEverReceive(TopicFilter("#")))
    }

    @Test func `users are told apart by their bytes`() throws {
        let acl = try AccessControlList("user \u{E9}\ntopic a")
        #expect(try acl.permissions(clientIdentifier: "c", username: "\u{E9}").mayReceive(TopicName("a")))
        #expect(try !acl.permissions(clientIdentifier: "c", username: "e\u{301}").mayReceive(TopicName("a")))
    }

    @Test func `a name that makes a pattern too long gets around no denial`() throws {
        let acl = try AccessControlList("pattern deny +/%c/#\npattern #\npattern a/%c")
        let long = String(repeating: "x", count: 65_532)
        let topic = try TopicName("/\(long)/")
        #expect(!acl.permissions(clientIdentifier: long, username: nil).mayReceive(topic))
        #expect(acl.permissions(clientIdentifier: "y", username: nil).mayReceive(topic))
        let short = String(long.dropLast())
        #expect(!acl.permissions(clientIdentifier: short, username: nil).mayReceive(try TopicName("/\(short)/")))
    }

    @Test func `all wrong lines are told at once`() throws {
        let lines: [(String, String?)] = [
            ("# a comment", nil), ("", nil), ("   \t", nil), ("topic a\r", nil), ("  topic  read   a b  ", nil),
            ("foo", #""foo" is none of topic, pattern and user"#), ("Topic a", #""Topic" is none of"#),
            ("  # x", "\"#\" is none of topic, pattern and user: write # as the first character of the line"),
            ("\ttopic a", #""\ttopic" is none of topic, pattern and user: write spaces for the tabs"#),
            ("topic\tread a", #""topic\tread" is none of topic, pattern and user: write spaces for the tabs"#),
            ("topic", "names no topic: write topic readwrite and a topic"),
            ("pattern ", "names no topic: write pattern readwrite and a topic"),
            ("topic foo bar", #""foo" is none of read, write, readwrite and deny: a topic with spaces"#),
            ("topic READ a", #""READ" is none of read"#),
            ("topic a#", ##""a#": the wildcard in level 1 is misplaced"##),
            ("topic a/#/b", ##""a/#/b": the wildcard in level 2 is misplaced"##),
            ("pattern %c+", #""%c+": the wildcard in level 1 is misplaced"#),
            ("user", "names no user: write user and a name"), ("user  ", "names no user"),
            ("user  a b ", nil), ("topic %c/x", nil), ("pattern x%c/a", nil),
        ]
        let failure = try #require(throws: AccessFileError.self) {
            try AccessControlList(lines.map(\.0).joined(separator: "\n"))
        }
        for (index, (line, message)) in lines.enumerated() {
            let found = failure.problems.filter { $0.line == index + 1 }.map(\.description)
            #expect(found.count == (message == nil ? 0 : 1), "\(line): \(found)")
            if let message {
                #expect(found.first?.hasPrefix("acl:\(index + 1): \(message)") == true, "\(line): \(found)")
            }
        }
        #expect(failure.problems.count == lines.count { $0.1 != nil })
        #expect(throws: AccessFileError.self) {
            try AccessControlList(parsing: [0x75, 0x73, 0x65, 0x72, 0x20, 0xFF], path: "acl")
        }
        #expect(throws: AccessFileError.self) { try AccessControlList("topic a\u{0}b") }
    }

    @Test func `what is probably not meant is warned of`() throws {
        let acl = try AccessControlList(
            "topic read\ntopic read $share/g/a\npattern read a/+\npattern $share/%c/b\ntopic read a")
        #expect(
            acl.warnings.map(\.description) == [
                #"acl:1: "read" is the topic here: write a topic behind it"#,
                #"acl:2: "$share/g/a" has no effect: write the filter that stands behind the group"#,
                #"acl:3: the pattern "a/+" has neither %c nor %u; it is for everyone"#,
                #"acl:4: "$share/%c/b" has no effect: write the filter that stands behind the group"#,
            ])
        let permissions = acl.permissions(clientIdentifier: "c", username: nil)
        #expect(try permissions.mayPublish(to: TopicName("read")))
        #expect(try !permissions.mayReceive(TopicName("b")))
    }

    @Test func `more rules than the limit are refused`() throws {
        var reader = AccessControlListReader(path: "acl", ruleLimit: 3)
        reader.read(Array("topic a\nuser u\ntopic a\npattern a\n".utf8))
        #expect(throws: Never.self) { try reader.findings.check() }
        reader.read(Array("\ntopic a\ntopic b\nfoo\n".utf8))
        let failure = try #require(throws: AccessFileError.self) { try reader.findings.check() }
        #expect(failure.description == "acl:2: is one rule more than the 3 that are possible")
        let large = [UInt8](repeating: UInt8(ascii: "\n"), count: 16 << 20 + 1)
        #expect(throws: AccessFileError.self) { try AccessControlList(parsing: large, path: "large") }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no bytes harm the reader`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var accepted = 0
        for round in 0..<1_500 {
            let bytes = random.mutation(of: Array(Self.rules.utf8), alphabet: Array("%#+/\n\r \tcu$#a\u{0}".utf8))
            do {
                let acl = try AccessControlList(parsing: bytes, path: "acl")
                accepted += 1
                let permissions = acl.permissions(clientIdentifier: "c1", username: "anna")
                _ = permissions.mayReceive(try TopicName("park/secret"))
            } catch let error as AccessFileError {
                let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
                let isSound =
                    !error.problems.isEmpty && error.problems.allSatisfy { (1...lines).contains($0.line ?? 0) }
                #expect(isSound, "seed \(seed), round \(round): \(error)")
            }
        }
        #expect(accepted > 150 && accepted < 1_350, "\(accepted), seed \(seed)")
    }
}

extension AccessControlList {
    init(_ text: String) throws(AccessFileError) {
        try self.init(parsing: Array(text.utf8), path: "acl")
    }
}

import MQTTWire
import TestSupport
import Testing

@testable import MQTTServer

@Suite struct SubscriptionPermissionTests {
    @Test(
        arguments: [
            ("a/b", true), ("a/c", false), ("a/+", true), ("a/#", true), ("#", true), ("+/b", true), ("b", false),
            ("b/#", true),
            ("b/+", true), ("b/x/y", false), ("+/x/y", true), ("+", true), ("b/deep/+", true), ("b/deep", false),
            ("secret/#", false), ("secret/a", false), ("secret", false), ("+/a", true), ("half/#", true),
            ("half/x", false),
            ("$SYS/#", true), ("$SYS/a", true), ("+/a/b", true), ("$SYS/load/#", false), ("$x/#", false), ("w", false),
            ("$share/g/a/b", true), ("$share/g/a/c", false), ("$share/g/#", true), ("$share/g/secret/+", false),
            ("$share/g/$SYS/#", true), ("$share/g/b", false), ("own/c1/#", true), ("own/#", true), ("own/c2/+", false),
            ("own/c1/no", false), ("own/c1/no/#", false), ("pat/+", false), ("/", false), ("e//f", true),
            ("e/+/f", true),
            ("e/f", false), ("#/", nil),
        ] as [(String, Bool?)])
    func `a filter is refused when nothing of it could come`(filter: String, answer: Bool?) throws {
        let acl = try AccessControlList(
            """
            topic read a/b
            topic deny a/c
            topic b/+
            topic b/deep/#
            topic deny b/deep
            topic deny b/x/#
            topic read +/x/y
            topic read secret/a
            topic secret/b/#
            topic deny secret/#
            topic read half/#
            topic deny half/x
            topic read $SYS/#
            topic deny $SYS/load/#
            topic write w
            topic read e//f
            topic deny pat/#
            pattern read own/%c/#
            pattern deny own/%c/no/#
            pattern read pat/%c
            pattern deny e/#
            """)
        guard let answer else {
            #expect(throws: TopicError.self) { try TopicFilter(filter) }
            return
        }
        let permissions = acl.permissions(clientIdentifier: "c1", username: nil)
        #expect(permissions.mayEverReceive(try TopicFilter(filter)) == answer)
    }

    /// All names and filters of up to three levels of few words, against random rules.
    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `a refused filter matches nothing that may be received`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let names = try Self.paths(of: ["a", "b", "", "$x"]).filter { !$0.isEmpty }.map { try TopicName($0) }
        let filters = Self.paths(of: ["a", "b", "", "+", "#", "$x"]).compactMap { try? TopicFilter($0) }
        var refused = 0
        var needlesslyGranted = 0
        for _ in 0..<25 {
            let rules = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                let kind = ["topic", "topic", "pattern"].randomElement(using: &random) ?? ""
                let access = ["read", "deny", "readwrite", "write"].randomElement(using: &random) ?? ""
                return "\(kind) \(access) \(filters.randomElement(using: &random)?.string ?? "")"
            }
            let acl = try AccessControlList(rules.joined(separator: "\n"))
            let permissions = acl.permissions(clientIdentifier: "c", username: nil)
            let readable = names.filter(permissions.mayReceive)
            for filter in filters {
                let isReadable = readable.contains(where: filter.matches)
                let isGranted = permissions.mayEverReceive(filter)
                if isReadable, !isGranted { Issue.record("\(filter) is refused, seed \(seed): \(rules)") }
                if !isGranted { refused += 1 }
                if isGranted, !isReadable { needlesslyGranted += 1 }
            }
        }
        // Refusing nothing would be right as well, but not the purpose. Deeper names are granted without being here.
        #expect(refused > 1_000 && needlesslyGranted < refused / 2, "\(refused), \(needlesslyGranted), seed \(seed)")
    }

    @Test func `sets of filters agree with the names that they match`() throws {
        // Names one level deeper, so that # has something to show for itself.
        let names = try Self.paths(of: ["a", "b", "$x"], depth: 4).map { try TopicName($0) }
        let filters = Self.paths(of: ["a", "b", "+", "#", "$x"]).compactMap { try? TopicFilter($0) }
        for left in filters {
            let matched = names.filter(left.matches)
            for right in filters {
                let overlaps = matched.contains(where: right.matches)
                let isCovered = matched.allSatisfy(right.matches)
                #expect(left.overlaps(right) == overlaps, "\(left) \(right)")
                if right.covers(left) != isCovered {
                    // The one thing that it does not see.
                    #expect(
                        isCovered && left.string.hasSuffix("#") && right.string.hasSuffix("+/#"), "\(left) \(right)")
                }
            }
        }
    }

    private static func paths(of words: [String], depth: Int = 3) -> [String] {
        var all = words
        var last = words
        for _ in 1..<depth {
            last = last.flatMap { path in words.map { "\(path)/\($0)" } }
            all += last
        }
        return all
    }
}

internal import MQTTWire

/// Reads an ACL file, and collects what is wrong with it.
struct AccessControlListReader {
    var findings: AccessFileFindings
    private(set) var anonymous = AccessRuleSet()
    private(set) var users: [[UInt8]: AccessRuleSet] = [:]
    private(set) var patterns: [AccessPattern] = []
    /// Whose section it is; nil before the first `user` line.
    private var user: [UInt8]?
    private var rules = 0

    private let ruleLimit: Int

    init(path: String, ruleLimit: Int = AccessControlList.ruleLimit) {
        findings = AccessFileFindings(path: path)
        self.ruleLimit = ruleLimit
    }

    mutating func read(_ bytes: [UInt8]) {
        if bytes.count > AccessFileText.limit {
            return findings.error(line: nil, "is larger than \(AccessFileText.limit) bytes")
        }
        for (number, line) in AccessFileLines(bytes) where !line.isEmpty && line.first != UInt8(ascii: "#") {
            guard String(validating: line, as: UTF8.self) != nil, !line.contains(0) else {
                findings.error(line: number, "is not UTF-8 without NUL, which MQTT demands of topics")
                continue
            }
            read(line, number)
            if rules > ruleLimit {
                findings.error(line: number, "is one rule more than the \(ruleLimit) that are possible")
                break
            }
        }
    }

    private mutating func read(_ line: ArraySlice<UInt8>, _ number: Int) {
        var rest = line
        let keyword = Self.word(&rest)
        switch keyword {
        case "topic", "pattern": readRule(rest, keyword: keyword, number)
        case "user":
            let name = rest.withoutOuterSpace
            if name.isEmpty { return findings.error(line: number, "names no user", mend: "write user and a name") }
            user = Array(name)
        default:
            let mend: String? =
                if keyword.contains("\t") {
                    "write spaces for the tabs"
                } else if keyword.hasPrefix("#") {
                    "write # as the first character of the line"
                } else {
                    nil
                }
            findings.error(line: number, "\"\(keyword)\" is none of topic, pattern and user", mend: mend)
        }
    }

    private mutating func readRule(_ words: ArraySlice<UInt8>, keyword: String, _ number: Int) {
        rules += 1
        var rest = words
        var text = Self.word(&rest)
        if text.isEmpty {
            return findings.error(line: number, "names no topic", mend: "write \(keyword) readwrite and a topic")
        }
        var access: Access = [.read, .write]
        rest = rest.withoutOuterSpace
        if !rest.isEmpty {
            guard let stated = Access(keyword: text) else {
                return findings.error(
                    line: number, "\"\(text)\" is none of read, write, readwrite and deny",
                    mend: "a topic with spaces in it needs one of them before it")
            }
            access = stated
            text = String(decoding: rest, as: UTF8.self)
        } else if Access(keyword: text) != nil {
            findings.warning(line: number, "\"\(text)\" is the topic here", mend: "write a topic behind it")
        }
        // Not a subscription: it would be about the server's own topics, which nobody publishes under.
        if text.utf8.starts(with: "$share".utf8) {
            return findings.warning(
                line: number, "\"\(text)\" has no effect", mend: "write the filter that stands behind the group")
        }
        do {
            add(try TopicFilter(text), access, keyword: keyword, number)
        } catch {
            findings.error(line: number, "\"\(text)\": \(error)")
        }
    }

    private mutating func add(_ filter: TopicFilter, _ access: Access, keyword: String, _ number: Int) {
        if keyword == "pattern" {
            let pattern = AccessPattern(filter.string, access)
            if pattern.isSameForAll {
                findings.warning(line: number, "the pattern \"\(filter)\" has neither %c nor %u; it is for everyone")
            }
            patterns.append(pattern)
        } else if let user {
            users[user, default: AccessRuleSet()].add(filter, access)
        } else {
            anonymous.add(filter, access)
        }
    }

    /// Takes a word off the front. Only spaces part words.
    private static func word(_ rest: inout ArraySlice<UInt8>) -> String {
        let space = UInt8(ascii: " ")
        rest = rest.drop { $0 == space }
        let word = rest.prefix { $0 != space }
        rest = rest[word.endIndex...]
        return String(decoding: word, as: UTF8.self)
    }
}

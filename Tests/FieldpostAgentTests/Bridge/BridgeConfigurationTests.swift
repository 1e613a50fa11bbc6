import FieldpostAgent
import MQTT
import MQTTWire
import Settings
import Testing

/// `[[bridge]]` as its owner writes it, and what the answer is when it is wrong.
@Suite struct BridgeConfigurationTests {
    private static let around = """
        device.id = "gw"
        [broker]
        servers = ["mqtt://far.example"]
        [server]
        store = {}

        """

    private func read(_ text: String, around: String = around) throws -> (rules: [BridgeRule], warnings: [String]) {
        let result = try AgentConfiguration.read((around + text).utf8, path: "gw.toml", environment: [:], hostName: "h")
        return (result.configuration.bridges, result.warnings.map { $0.line(file: "gw.toml") })
    }

    /// The whole answer.
    private func answer(_ text: String, around: String = around) -> String {
        do {
            return try read(text, around: around).warnings.joined(separator: "\n")
        } catch {
            return "\(error)"
        }
    }

    @Test func `A rule needs topics only`() throws {
        let (rules, warnings) = try read("[[bridge]]\ntopics = [\"sensors/#\"]")
        #expect(warnings.isEmpty)
        #expect(rules == [BridgeRule(topics: ["sensors/#"])])
        #expect(rules[0].direction == .out)
        #expect(rules[0].qos == .atLeastOnce)
        #expect(rules[0].retain)
        #expect(rules[0].stamp == .property)
    }

    @Test func `All keys of a rule`() throws {
        let (rules, warnings) = try read(
            """
            [[bridge]]
            topics = ["a/{device}/#", "b"]
            direction = "both"
            local_prefix = "l/"
            remote_prefix = "site/{device}/"
            qos = 2
            retain = false
            priority = "high"
            expiry = "1h"
            stamp = "payload"
            """)
        #expect(warnings.isEmpty)
        var rule = BridgeRule(topics: ["a/gw/#", "b"])
        rule.direction = .both
        rule.localPrefix = "l/"
        rule.remotePrefix = "site/gw/"
        rule.qos = .exactlyOnce
        rule.retain = false
        rule.priority = .high
        rule.expiry = .seconds(3600)
        rule.stamp = .payload
        #expect(rules == [rule])
    }

    @Test func `Without topics`() {
        #expect(
            answer("[[bridge]]")
                == ##"gw.toml:6:1: bridge[1].topics: is missing: write topics = ["sensors/#"]"##)
        #expect(
            answer("[[bridge]]\ntopics = []")
                == ##"gw.toml:7:10: bridge[1].topics: is empty: write topics = ["sensors/#"]"##)
        #expect(
            answer("[[bridge]]\ntopics = \"\"\nremote_prefix = \"x\"")
                == #"gw.toml:7:10: bridge[1].topics: is empty, and has no prefix here: write a topic, or both prefixes"#
        )
    }

    @Test func `Topics that cannot be`() {
        #expect(
            answer("[[bridge]]\ntopics = [\"#\"]\nremote_prefix = \"site\"")
                == ##"gw.toml:7:11: bridge[1].topics[1]: "site#" is no topic at the far broker: the wildcard in level 1 is misplaced: + has to fill its level (a/+/b), # the last one (a/#)"##
        )
        #expect(
            answer("[[bridge]]\ntopics = [\"a\"]\nlocal_prefix = \"+/\"").hasPrefix(
                #"gw.toml:7:11: bridge[1].topics[1]: "+/a" is no topic here: the topic name contains + or #"#))
        #expect(
            answer("[[bridge]]\ntopics = [\"$share/g/a\"]").hasPrefix(
                #"gw.toml:7:11: bridge[1].topics[1]: "$share/g/a": a bridge does not share subscriptions"#))
        #expect(
            answer("[[bridge]]\ntopics = [\"$SYS/#\"]")
                == ##"gw.toml:7:11: bridge[1].topics[1]: "$SYS/#" is to be written to at the far broker, and topics with $ are the broker's own: give them a prefix"##
        )
        #expect(answer("[[bridge]]\ntopics = [\"$SYS/#\"]\nremote_prefix = \"site/\"") == "")
        #expect(
            answer("[[bridge]]\ntopics = [\"a/{sensor}\"]")
                == #"gw.toml:7:11: bridge[1].topics[1]: "a/{sensor}" has the unknown placeholder {sensor}: possible here: {device}"#
        )
    }

    @Test func `A prefix that runs into the topic`() {
        #expect(
            answer("[[bridge]]\ntopics = [\"a\"]\nremote_prefix = \"site\"")
                == #"gw.toml:8:17: warning: bridge[1].remote_prefix: "site" and the topic behind it make one level: write "site/""#
        )
        #expect(answer("[[bridge]]\ntopics = \"\"\nremote_prefix = \"site\"\nlocal_prefix = \"a\"") == "")
    }

    @Test func `A bridge without its ends`() {
        let rule = "[[bridge]]\ntopics = [\"a\"]"
        #expect(
            answer(rule, around: "broker.servers = [\"mqtt://far\"]\n").contains(
                "bridge: there is no broker inside the agent to carry from, or to: write [server], which may be empty"))
        #expect(
            answer(rule, around: "[server]\nstore = {}\n").contains(
                "bridge: there is no other broker to carry to, or from: write [broker]"))
    }

    @Test(arguments: [
        ("localhost", "127.0.0.1"), ("127.0.0.1", "0.0.0.0"), ("[::1]", "::"), ("board.local", "board.local"),
    ])
    func `A broker that would be carried to itself`(_ server: String, _ bind: String) {
        let around = """
            [broker]
            servers = ["mqtt://\(server):1999"]
            [server]
            allow_anonymous = true
            store = {}
            [[listener]]
            bind = "\(bind)"
            port = 1999

            """
        #expect(answer("[[bridge]]\ntopics = [\"a\"]", around: around).contains("bridge: goes round in circles: "))
        #expect(
            !answer("[[bridge]]\ntopics = [\"a\"]", around: around.replacing("port = 1999", with: "port = 1998"))
                .contains("circles"))
    }

    @Test func `A broker inside that forgets what it has acknowledged`() {
        let around = "[broker]\nservers = [\"mqtt://far\"]\n[server]\n"
        #expect(
            answer("[[bridge]]\ntopics = [\"a\"]", around: around)
                == #"gw.toml:4:1: warning: bridge: the broker inside keeps nothing on disk: what it has acknowledged can be lost on its way to the queue: write store = { path = "broker.db" } under [server]"#
        )
        #expect(answer("[[bridge]]\ntopics = [\"a\"]\nqos = 0", around: around) == "")
        #expect(answer("[[bridge]]\ntopics = [\"a\"]\ndirection = \"in\"", around: around) == "")
    }

    @Test func `Two rules that bring in the same, and keys that count for nothing`() {
        #expect(
            answer(
                "[[bridge]]\ntopics = [\"a/#\"]\ndirection = \"in\"\n[[bridge]]\ntopics = [\"+/b\"]\ndirection = \"both\""
            )
                == #"gw.toml:10:10: warning: bridge[2].topics: what +/b brings in comes by bridge[1] too, and may come twice: let only one rule bring it in"#
        )
        #expect(
            answer("[[bridge]]\ntopics = [\"a\"]\ndirection = \"in\"\nstamp = \"none\"")
                == "gw.toml:9:9: warning: bridge[1].stamp: only counts for what goes out: leave it out")
        #expect(
            answer(
                "[[bridge]]\ntopics = [\"a\"]\nstamp = \"property\"",
                around: Self.around.replacing("[server]", with: "version = \"3.1.1\"\n[server]"))
                == #"gw.toml:9:9: warning: bridge[1].stamp: version 3.1.1 has no user properties: write "payload" or "none""#
        )
    }

    @Test func `An unknown key, and values that are none`() {
        #expect(
            answer("[[bridge]]\ntopics = [\"a\"]\nremote_prefx = \"b/\"")
                == #"gw.toml:8:1: bridge[1].remote_prefx: unknown key: did you mean "remote_prefix"?"#)
        #expect(answer("[[bridge]]\ntopics = [\"a\"]\ndirection = \"up\"").contains("bridge[1].direction: "))
        #expect(answer("[[bridge]]\ntopics = [\"a\"]\nqos = 3").contains("bridge[1].qos: "))
        #expect(answer("[[bridge]]\ntopics = [\"a\"]\nexpiry = \"0s\"").contains("bridge[1].expiry: "))
    }

    @Test func `The example is right`() throws {
        let repository = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let (configuration, warnings) = try AgentConfiguration.load(path: "/\(repository)/Config/gateway.toml")
        #expect(warnings.isEmpty, "\(warnings.map { $0.line(file: "gateway.toml") })")
        #expect(configuration.bridges.map(\.direction) == [.out, .in, .out, .in])
        #expect(configuration.server != nil)
    }
}

extension String {
    fileprivate func replacing(_ old: String, with new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return replacingRange(range, with: new)
    }

    private func firstRange(of text: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
    }

    private func replacingRange(_ range: Range<Index>, with new: String) -> String {
        String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }
}

import Settings
import Testing

@testable import FieldpostAgent

/// Uplinks to platforms that have their own ideas, and connections of their own.
@Suite struct PlatformConfigurationTests {
    private let oneNET = "[[uplink]]\nprofile = \"onenet\"\nproduct = \"1\"\nkey = \"MDEy\"\n"
    private let sensor = "[[sensor]]\nname = \"a\"\ndriver = \"simulated\"\nkind = \"sine\"\n"

    private func read(_ text: String) throws -> AgentConfiguration {
        try AgentConfiguration.read(
            text.utf8, path: "/etc/a/b.toml", environment: ["STATE_DIRECTORY": "/state"], hostName: "board"
        ).configuration
    }

    /// What is wrong and what should be looked at, without its place in the file.
    private func findings(_ text: String) -> [String] {
        do {
            return try AgentConfiguration.read(text.utf8, path: "b.toml", environment: [:], hostName: "board").warnings
                .map { $0.line(file: "b.toml") }
        } catch {
            return "\(error)".split(separator: "\n").map(String.init)
        }
    }

    private func expect(_ wanted: String, in text: String) {
        let findings = findings(text)
        #expect(findings.contains { $0.contains(wanted) }, "\(wanted): \(findings)")
    }

    @Test(arguments: [
        "username = \"u\"", "client_id = \"c\"", "password = \"p\"\nversion = \"auto\"", "keep_alive = \"60s\"",
        "session_expiry = \"1h\"", "shared_sessions = true", "maximum_qos = 2", "version = \"5\"",
    ])
    func whatOneNETDecidesIsRefusedWhereverItsBrokerIs(line: String) {
        let key = line.split(separator: " ")[0]
        let servers = "servers = [\"mqtt://x\"]\n\(line)\n"
        expect(": broker.\(key): ", in: "[broker]\n\(servers)\(sensor)\(oneNET)")
        expect(".broker.\(key): ", in: sensor + oneNET + "[uplink.broker]\n\(servers)")
        #expect(findings(sensor + "[broker]\n\(servers)username = \"u\"").allSatisfy { !$0.contains("OneNET") })
    }

    @Test func whatSparkplugDecidesIsRefused() {
        let sparkplug = "[[uplink]]\nprofile = \"sparkplug\"\ngroup = \"g\"\n"
        expect(
            "broker.session_expiry: is not for Sparkplug",
            in: "\(sensor)\(sparkplug)[uplink.broker]\nservers = [\"mqtt://x\"]\nsession_expiry = \"1h\"")
        expect(
            "names the sensor \"b\", which is not there",
            in: "broker.servers = \"mqtt://x\"\n\(sensor)\(sparkplug)devices = { d = [\"b\"] }")
    }

    @Test func theBrokerInsideIsNotOneNET() {
        let inside = "server.allow_anonymous = true\n\(sensor)"
        expect("the one of [server] is not OneNET", in: inside + oneNET)
        #expect(findings(inside + oneNET + "[uplink.broker]\nservers = [\"mqtt://x\"]").isEmpty)
    }

    @Test func whatOneNETMayAskForMustBeThere() {
        let start = "broker.servers = \"mqtt://x\"\n\(sensor)\(oneNET)"
        expect("names the output \"a\", which cannot be set", in: start + "outputs = { A = \"a\" }")
        expect("names the program \"p\", which is not there", in: start + "services = { P = \"p\" }")
        let output = "[[sensor]]\nname = \"o\"\ndriver = \"file\"\npath = \"/x\"\nwritable = true\n"
        let mayBeSet = start + "outputs = { O = \"o\" }\n" + output
        expect("would let OneNET set \"o\", and [commands] does not", in: mayBeSet)
        #expect(findings(mayBeSet + "[commands]\nallow = [\"set\"]").isEmpty)
    }

    @Test func theQueueOfAConnectionIsAsTheAgentsInAFileOfItsOwn() throws {
        let configuration = try read(
            """
            broker.servers = "mqtt://x"
            queue = { max_age = "2d", path = "/elsewhere/q.db" }
            [[uplink]]
            name = "second"
            broker.servers = "mqtt://y"
            [[uplink]]
            name = "third"
            broker.servers = "mqtt://z"
            queue = { max_age = "3d" }
            """)
        #expect(configuration.queue.path == "/elsewhere/q.db")
        let plans = configuration.linkPlans
        #expect(plans.map(\.queue.path) == ["/elsewhere/q.db", "/state/queue-second.db", "/state/queue-third.db"])
        #expect(plans.map { $0.queue.maximumAge / .seconds(86_400) } == [2, 2, 3])
    }

    @Test func theOnlyConnectionHasItsOwnQueueOrTheAgents() throws {
        let uplink = "[[uplink]]\nbroker.servers = \"mqtt://y\"\n"
        #expect(try read(uplink).queue.path == "/state/queue.db")
        #expect(try read(uplink + "queue.max_age = \"3d\"").queue.maximumAge == .seconds(3 * 86_400))
        expect("queue: stands beside that of \"plain\"", in: "queue = {}\n\(uplink)queue = {}")
    }
}

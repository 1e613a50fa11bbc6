import Settings
import Testing
import Units

@testable import FieldpostAgent

@Suite struct LinkPlanTests {
    static func read(_ text: String) throws(ConfigurationErrors) -> AgentConfiguration {
        try AgentConfiguration.read(
            ("device.id = \"bin\"\nsensor = [{ name = \"cpu\", driver = \"thermal\" }]\n" + text).utf8,
            path: "/srv/bin.toml", isPublic: false, environment: [:], hostName: "bin"
        ).configuration
    }

    static func refusal(_ text: String) -> String {
        do throws(ConfigurationErrors) {
            _ = try read(text)
            return ""
        } catch {
            return "\(error)"
        }
    }

    static let two = """
        [broker]
        servers = ["mqtt://one"]
        [[uplink]]
        [[uplink]]
        name = "second"

        """

    @Test func `Each connection has its queue and its name`() throws {
        let plans = try Self.read(Self.two + "broker.servers = [\"mqtt://one\"]").linkPlans
        #expect(plans.map(\.name) == ["main", "second"])
        #expect(plans.map(\.broker.clientID) == ["bin", "bin-second"])
        #expect(plans.map(\.queue.path) == ["/srv/queue.db", "/srv/queue-second.db"])
    }

    @Test func `Commands come over the agent's own connection, and where a platform commands`() throws {
        func taking(_ profile: String, _ commands: String) throws -> [Bool] {
            let own = "profile = \"\(profile)\"\ngroup = \"g\"\nbroker.servers = [\"mqtt://two\"]\n"
            let text = Self.two + (profile == "sparkplug" ? own : own.replacing("group = \"g\"\n", with: "")) + commands
            let configuration = try Self.read(text)
            return configuration.linkPlans.map(configuration.takesCommands)
        }
        let commands = "[commands]\nallow = [\"read\"]"
        #expect(try taking("plain", "") == [false, false])
        #expect(try taking("plain", commands) == [true, false])
        #expect(try taking("senml", commands) == [true, false])
        #expect(try taking("sparkplug", commands) == [true, true])
    }

    @Test func `Two connections in one queue are a problem`() {
        let text = Self.two + "broker.servers = [\"mqtt://two\"]\nqueue.path = \"queue.db\""
        #expect(Self.refusal(text).contains("has the queue of [broker]"))
    }

    @Test func `Two connections of one name at one server are a problem, elsewhere they are none`() throws {
        let name = "broker.client_id = \"bin\"\n"
        #expect(Self.refusal(Self.two + name + "broker.servers = [\"mqtt://ONE\"]").contains("another client_id"))
        // OneNET prescribes it: the device's name.
        let platform = """
            broker.servers = ["mqtt://one"]
            [[uplink]]
            [[uplink]]
            profile = "onenet"
            product = "123456"
            key = "a2V5a2V5"
            device = "bin"
            broker.servers = ["mqtt://one"]
            """
        #expect(Self.refusal(platform).contains("go to one server as \"bin\""))
        #expect(try Self.read(Self.two + name + "broker.servers = [\"mqtt://two\"]").linkPlans.count == 2)
    }

    @Test func `The only connection may be an uplink's, with its queue`() throws {
        let text = """
            [uplink]
            [uplink.broker]
            servers = ["mqtt://one"]

            """
        #expect(try Self.read(text).queue.path == "/srv/queue.db")
        let own = try Self.read(text + "[uplink.queue]\nmax_size = \"2MB\"\npath = \"other.db\"")
        #expect(own.queue.path == "/srv/other.db")
        #expect(own.queue.maximumSize.bytes == 2_000_000)
        #expect(own.linkPlans.count == 1)
        #expect(Self.refusal(text + "[uplink.queue]\nmax_size = \"2MB\"\n[queue]\n").contains("stands beside"))
    }

    @Test(arguments: [
        "uplink = 7", "uplink = [7]", "[uplink]\nprofile = \"x\"", "[uplink]\nname = \"a/b\"", "[uplink]\nname = \"\"",
        "[[uplink]]\n[[uplink]]", "[uplink]\nqueue.path = \"x\"", "[uplink]\nsensors = [\"none\"]",
        "[uplink]\nsensors = 7", "[uplink]\nbroker = 7", "[uplink]\nbroker = {}", "[uplink]\nunknown = 1",
        "[uplink]\nprofile = \"onenet\"", "[uplink]\nprofile = \"sparkplug\"\n[[uplink]]",
        "[uplink]\npayload = \"{nothing}\"", "commands = 7", "[commands]", "[commands]\nallow = [\"fly\"]",
        "[commands]\nallow = [\"run\"]", "[commands]\nallow = [\"set\"]\noutputs = [\"cpu\"]",
        "[commands]\nallow = [\"set\"]\noutputs = [\"none\"]", "[commands]\nallow = [\"read\"]\ntopic = \"a/#\"",
        "[commands]\nallow = [\"read\"]\ndeadline = \"1h\"", "[commands]\nallow = [\"read\"]\nqos = 2",
        "[commands]\nallow = [\"read\"]\nexchange = [{ requests = \"a/{id}\", responses = \"b\" }]",
        "[commands]\nallow = [\"read\"]\nexchange = [{ requests = \"a\", responses = \"a\" }]",
        "[commands]\nallow = [\"read\"]\nexchange = [{ requests = \"a/+\", responses = \"b\" }]",
        "[commands]\nallow = [\"read\"]\nexchange = [{ requests = \"a\", responses = \"b\", words = { x = 1 } }]",
        "[commands]\nallow = [\"read\"]\nexchange = [{ requests = \"a\", responses = \"b\", words = { x = \"reload\" } }]",
        "[commands]\nallow = [\"run\"]\nprogram = [{ name = \"x\" }]",
    ])
    func `What is wrong is a problem with its place`(_ text: String) {
        let broker = "broker.servers = \"mqtt://one\"\n"
        #expect(Self.refusal(broker).isEmpty)
        #expect(Self.refusal(broker + text).contains("/srv/bin.toml:"))
    }
}

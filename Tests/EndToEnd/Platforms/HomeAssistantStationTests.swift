import Glibc
import TestSupport
import Testing
import Units

/// The agent as Home Assistant meets it at their broker.
@Suite(.timeLimit(.minutes(2))) struct HomeAssistantStationTests {
    private func text(_ port: Int, _ sensors: String...) -> String {
        brokerTable("broker", port: port)
            + """
            [[uplink]]
            profile = "homeassistant"
            [queue]
            commit_interval = "5ms"
            [commands]
            allow = ["set"]

            """ + sensors.joined()
    }

    private func topic(_ component: String, _ name: String) -> String {
        "homeassistant/\(component)/fieldpost-station/\(name)/config"
    }

    /// Follows discovery: `TOPIC RETAINED PAYLOAD` a line.
    private func watch(_ broker: Mosquitto) async throws -> MosquittoSub {
        try await MosquittoSub.start(port: broker.port, ["homeassistant/#"], format: "%t %r %p")
    }

    /// What an entity was announced with.
    private func discovery(_ component: String, _ name: String, to watcher: MosquittoSub) async throws -> JSON {
        let mark = "\(topic(component, name)) 0 {"
        let lines = try await watcher.wait(for: name) { $0.contains { $0.hasPrefix(mark) } }
        let text = lines.first { $0.hasPrefix(mark) }?.dropFirst(mark.count - 1) ?? ""
        return try JSONReader.value(Array(text.utf8)[...])
    }

    @Test func sensorsAreAnnouncedAndGoWithTheConfiguration() async throws {
        try await withMosquitto { broker in
            let station = try Station(
                in: TemporaryDirectory(), text(broker.port, Station.clock("a"), Station.clock("b")))
            let watcher = try await watch(broker)
            let agent = try await station.run()
            let (a, b) = (topic("sensor", "a"), topic("sensor", "b"))
            try await watcher.wait(for: "both") { lines in
                [a, b].allSatisfy { topic in lines.contains { $0.hasPrefix("\(topic) 0 {") } }
            }
            let json = try await discovery("sensor", "a", to: watcher)
            #expect(json["state_topic"] == "fieldpost/station/a")
            try await eventually("its status") {
                try await retained(port: broker.port, station.statusTopic)?.contains("online") == true
            }

            try station.write(text(broker.port, Station.clock("a")))
            agent.send(SIGHUP)
            try await watcher.wait(for: "its removal") { $0.contains("\(b) 0 ") }
            #expect(try await retained(port: broker.port, b) == nil)
            #expect(try await retained(port: broker.port, a, seconds: 5) != nil)
            try await station.stop(agent)
            #expect(await !watcher.received.lines.contains("\(a) 0 "))
            await watcher.kill()
        }
    }

    /// - Parameter isForgotten: whether the agent's own memory of what it announced is gone too.
    @Test(arguments: [false, true])
    func whatIsRemovedWhileTheAgentIsStoppedGoesAtTheNextStart(isForgotten: Bool) async throws {
        try await withMosquitto { broker in
            let directory = try TemporaryDirectory()
            let station = try Station(in: directory, text(broker.port, Station.clock("a"), Station.clock("b")))
            let watcher = try await watch(broker)
            let (a, b) = (topic("sensor", "a"), topic("sensor", "b"))
            let first = try await station.run()
            try await watcher.wait(for: "both") { lines in
                [a, b].allSatisfy { topic in lines.contains { $0.hasPrefix("\(topic) 0 {") } }
            }
            try await station.stop(first)
            #expect(try await retained(port: broker.port, b, seconds: 5) != nil)
            if isForgotten { #expect(unlink(directory.path("queue.state.json")) == 0) }
            try station.write(text(broker.port, Station.clock("a")))
            let second = try await station.run()
            try await watcher.wait(for: "its removal") { $0.contains("\(b) 0 ") }
            try await station.stop(second)
            #expect(try await retained(port: broker.port, b) == nil)
            #expect(try await retained(port: broker.port, a, seconds: 5) != nil)
            await watcher.kill()
        }
    }

    @Test func withItsUplinkEverythingGoes() async throws {
        try await withMosquitto { broker in
            let directory = try TemporaryDirectory()
            let station = try Station(in: directory, text(broker.port, Station.clock("a")))
            let watcher = try await watch(broker)
            let first = try await station.run()
            let a = topic("sensor", "a")
            try await watcher.wait(for: "it") { $0.contains { $0.hasPrefix("\(a) 0 {") } }
            try await station.stop(first)
            try station.write(
                text(broker.port, Station.clock("a")).split(separator: "\n").filter { !$0.contains("homeassistant") }
                    .joined(separator: "\n") + "\n")
            let second = try await station.run()
            try await watcher.wait(for: "its removal") { $0.contains("\(a) 0 ") }
            try await station.stop(second)
            #expect(try await retained(port: broker.port, a) == nil)
            // Once is enough.
            #expect(!(try directory.read("queue.state.json")).contains("homeassistant"))
            await watcher.kill()
        }
    }

    @Test func aSwitchSetsItsOutput() async throws {
        try await withMosquitto { broker in
            let directory = try TemporaryDirectory()
            let station = try Station(in: directory, text(broker.port, Station.output("lamp", in: directory)))
            let announcements = try await watch(broker)
            let agent = try await station.run()
            let json = try await discovery("switch", "lamp", to: announcements)
            let command = try #require(json["command_topic"]?.string)
            let state = try #require(json["state_topic"]?.string)
            // It is announced before the agent listens there.
            try await broker.log.line(containing: "fieldpost/station/command/+ (QoS ")
            let watcher = try await MosquittoSub.start(port: broker.port, [state], format: "%p")
            for (payload, value, content) in [("payload_on", "true", "1\n"), ("payload_off", "false", "0\n")] {
                let seen = await watcher.received.lines.count
                try await mosquittoPub(port: broker.port, command, try #require(json[payload]?.string), qos: 1)
                try await watcher.wait(for: payload) {
                    $0.dropFirst(seen).contains { $0.contains("\"value\":\(value)") }
                }
                #expect(try directory.read("lamp") == content)
            }
            try await station.stop(agent)
            await watcher.kill()
            await announcements.kill()
        }
    }

    @Test func aHomeAssistantThatStartsIsToldAgain() async throws {
        try await withMosquitto { broker in
            let station = try Station(in: TemporaryDirectory(), text(broker.port, Station.clock("a")))
            let watcher = try await watch(broker)
            let agent = try await station.run()
            let announcement = "\(topic("sensor", "a")) 0 {"
            try await watcher.wait(for: "it") { $0.contains { $0.hasPrefix(announcement) } }
            let seen = await watcher.received.lines.count
            try await eventually("its subscription") {
                await broker.log.lines.contains { $0.contains("homeassistant/status (QoS") }
            }
            try await mosquittoPub(port: broker.port, "homeassistant/status", "online")
            // It takes up to ten seconds, so that not all boards speak at once.
            try await watcher.wait(for: "it again") {
                $0.dropFirst(seen).contains { $0.hasPrefix(announcement) }
            }
            try await station.stop(agent)
            await watcher.kill()
        }
    }
}

import Glibc
import TestSupport
import Testing

/// What small devices say over MQTT, as readings of the board.
@Suite(.timeLimit(.minutes(2))) struct MQTTSensorTests {
    private static func text(port: Int, _ sensors: String) -> String {
        """
        listener = [{ bind = "127.0.0.1", port = \(port) }]
        [device]
        id = "gateway"
        \(sensors)
        """
    }

    private func run(_ text: String) async throws -> (agent: Program, directory: TemporaryDirectory) {
        let directory = try TemporaryDirectory()
        let file = try directory.write(text, to: "gateway.toml")
        let agent = try await Program.start(Program.built("fieldpost"), ["run", "--config", file])
        try await agent.errors.line(containing: "started: ")
        return (agent, directory)
    }

    private func stop(_ agent: Program) async throws {
        agent.send(SIGINT)
        #expect(try await agent.wait() == .exited(0))
    }

    /// Until it shows: a subscription inside the agent is made a moment after its start.
    private func publish(
        _ message: String, to topic: String, port: Int, until watcher: MosquittoSub, shows text: String
    ) async throws {
        for _ in 1...100 {
            try await mosquittoPub(port: port, topic, message)
            do {
                try await watcher.wait(for: text, timeout: .milliseconds(300)) { $0.contains { $0.contains(text) } }
                return
            } catch {}
        }
        Issue.record("\(text) never came")
    }

    @Test func devicesAroundTheBoardAreItsSensors() async throws {
        let port = try freePort()
        let (agent, _) = try await run(
            Self.text(
                port: port,
                """
                [[sensor]]
                name = "garden"
                driver = "mqtt"
                subscribe = "garden/+/moisture"
                unit = "%"
                [[sensor]]
                name = "weather"
                driver = "mqtt"
                subscribe = ["weather/state", "weather/+/state"]
                format = "json"
                channels = { temperature = "outside.temp", wind = "wind.speed" }
                units = { temperature = "°C", wind = "m/s" }
                """))
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/gateway/+"], extra: ["-i", "watcher"])
        try await publish(
            "41.5", to: "garden/bed/moisture", port: port, until: watcher,
            shows: #""channel":"bed","value":41.5,"unit":"%"}"#)
        try await publish(
            #"{"outside":{"temp":3.25},"wind":{"speed":7}}"#, to: "weather/state", port: port, until: watcher,
            shows: #""channel":"wind","value":7,"unit":"m/s"}"#)
        try await watcher.wait(for: "the temperature") {
            $0.contains { $0.contains(#""channel":"temperature","value":3.25,"unit":"°C"}"#) }
        }
        try await mosquittoPub(port: port, "weather/roof/state", #"{"outside":{"temp":-1},"wind":{"speed":9}}"#)
        try await watcher.wait(for: "the roof") {
            $0.contains { $0.contains(#""channel":"roof.wind","value":9,"unit":"m/s"}"#) }
        }
        // What is no number is the sensor's failure, until the next one.
        try await mosquittoPub(port: port, "garden/lawn/moisture", "wet")
        try await watcher.wait(for: "the failure") {
            $0.contains {
                $0.contains(
                    #""value":null,"quality":"sensor error","reason":"garden/lawn/moisture said \"wet\", which"#)
            }
        }
        try await mosquittoPub(port: port, "garden/lawn/moisture", "12")
        try await watcher.wait(for: "the next") { $0.contains { $0.contains(#""channel":"lawn","value":12"#) } }
        await watcher.kill()
        try await stop(agent)
    }

    @Test func anotherBrokerThatGoesAndComesBack() async throws {
        let port = try freePort()
        try await withMosquitto { other in
            try await mosquittoPub(port: other.port, "house/temperature", "20.5", retain: true)
            let (agent, _) = try await run(
                Self.text(
                    port: port,
                    """
                    [[sensor]]
                    name = "house"
                    driver = "mqtt"
                    subscribe = "house/temperature"
                    from = "mqtt://127.0.0.1:\(other.port)"
                    unit = "°C"
                    """))
            let watcher = try await MosquittoSub.start(
                port: port, ["fieldpost/gateway/house"], extra: ["-i", "watcher"])
            try await publish(
                "21.5", to: "house/temperature", port: other.port, until: watcher, shows: #""value":21.5,"unit":"°C"}"#)
            await other.kill()
            try await watcher.wait(for: "the loss") {
                $0.contains {
                    $0.contains(#""value":null,"quality":"sensor error","reason":"the broker is not connected"#)
                }
            }
            try await other.restart()
            try await publish(
                "22.5", to: "house/temperature", port: other.port, until: watcher, shows: #""value":22.5,"unit":"°C"}"#)
            await watcher.kill()
            try await stop(agent)
        }
    }

    @Test func whatWasRetainedIsStaleAndSilenceIsNoticed() async throws {
        try await withMosquitto { upstream in
            try await mosquittoPub(port: upstream.port, "tank/level", "0.75", retain: true)
            try await mosquittoPub(port: upstream.port, "pond/level", "0.25", retain: true)
            let (agent, _) = try await run(
                """
                [device]
                id = "gateway"
                [broker]
                servers = ["mqtt://127.0.0.1:\(upstream.port)"]
                [[sensor]]
                name = "tank"
                driver = "mqtt"
                subscribe = "tank/level"
                every = "100ms"
                stale_after = "1s"
                [[sensor]]
                name = "well"
                driver = "mqtt"
                subscribe = "well/level"
                every = "100ms"
                stale_after = "1s"
                [[sensor]]
                name = "pond"
                driver = "mqtt"
                subscribe = "pond/level"
                [[alarm]]
                name = "blind"
                sensor = "pond"
                on_failure = true
                # It fails until there is a connection, on a slow machine for longer than usual.
                for = "3s"
                """)
            let watcher = try await MosquittoSub.start(
                port: upstream.port, ["fieldpost/gateway/+", "fieldpost/gateway/alarm/+"], extra: ["-i", "watcher"])
            try await watcher.wait(for: "a stale value") {
                $0.contains { $0.contains(#""value":0.75,"quality":"stale","reason":"said "#) }
            }
            try await mosquittoPub(port: upstream.port, "tank/level", "0.5")
            try await watcher.wait(for: "a good one") { $0.contains { $0.contains(#""value":0.5}"#) } }
            try await watcher.wait(for: "it is stale") {
                $0.contains { $0.contains(#""value":0.5,"quality":"stale","reason":"said "#) }
            }
            // What was retained is no failure, and the first that is said tells that all is well.
            try await watcher.wait(for: "the pond's retained value") {
                $0.contains { $0.contains(#""value":0.25,"quality":"stale","reason":"retained "#) }
            }
            try await mosquittoPub(port: upstream.port, "pond/level", "0.5")
            let lines = try await watcher.wait(for: "the alarm") { $0.contains { $0.contains("alarm/blind") } }
            let alarms = lines.filter { $0.contains("alarm/blind") }
            #expect(alarms.allSatisfy { $0.contains(#""state":"cleared""#) }, "\(alarms)")
            try await eventually("a status that names the silent one") {
                try await retained(port: upstream.port, "fieldpost/gateway/status")?
                    .contains("well/level has brought nothing since the start") == true
            }
            await watcher.kill()
            try await stop(agent)
        }
    }

    @Test(arguments: [true, false])
    func nothingThatDevicesSayIsLostOverReloads(inside: Bool) async throws {
        try await withMosquitto { upstream in
            let port = inside ? try freePort() : upstream.port
            let (agent, directory) = try await run(
                """
                \(inside ? "listener = [{ bind = \"127.0.0.1\", port = \(port) }]" : "")
                [device]
                id = "gateway"
                [broker]
                servers = ["mqtt://127.0.0.1:\(upstream.port)"]
                [[sensor]]
                name = "meter"
                driver = "mqtt"
                subscribe = "meter/count"
                """)
            let watcher = try await MosquittoSub.start(
                port: upstream.port, ["fieldpost/gateway/meter"], qos: 1, extra: ["-i", "watcher"])
            try await publish("-1", to: "meter/count", port: port, until: watcher, shows: #""value":-1}"#)
            // A device that waits for no answer before it says the next.
            let device = try await Program.start(
                "/bin/sh",
                [
                    "-c",
                    """
                    i=0; while [ $i -lt 900 ]; do echo $i; i=$((i+1)); sleep 0.004; done |
                    \(try systemProgram("mosquitto_pub")) -p \(port) -q 1 -t meter/count -i meter -l
                    """,
                ])
            for reload in 1...5 {
                try await watcher.wait(for: "more") { $0.contains { $0.hasSuffix(#""value":\#(reload * 150)}"#) } }
                agent.send(SIGHUP)
                try await agent.errors.wait(for: "the reload") { $0.count { $0.contains("started: ") } > reload }
            }
            #expect(try await device.wait(timeout: .seconds(60)) == .exited(0))
            try await publish("-2", to: "meter/count", port: port, until: watcher, shows: #""value":-2}"#)
            let lines = await watcher.received.lines
            let lost = (0..<900).filter { number in !lines.contains { $0.hasSuffix("\"value\":\(number)}") } }
            #expect(lost.isEmpty)
            await watcher.kill()
            try await stop(agent)
            withExtendedLifetime(directory) {}
        }
    }

    @Test func whatTheAgentItselfSaysIsNoSensor() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            Self.text(
                port: 1883,
                """
                [[sensor]]
                name = "all"
                driver = "mqtt"
                subscribe = "fieldpost/#"
                [[sensor]]
                name = "late"
                driver = "mqtt"
                subscribe = "x"
                stale_after = "1m"
                username = "me"
                [[sensor]]
                name = "round"
                driver = "mqtt"
                subscribe = "fieldpost/+/round"
                from = "mqtt://localhost:1883"
                """), to: "echo.toml")
        let check = try await runProgram(Program.built("fieldpost"), ["check", file])
        #expect(check.ending == .exited(1))
        #expect(
            check.output.map { $0.dropFirst(file.count) }.map(String.init) == [
                ##":7:13: sensor[1].subscribe: fieldpost/# takes in fieldpost/gateway/all, where the readings of "all" go: subscribe to less, or give that sensor another topic"##,
                #":12:15: sensor[2].stale_after: is looked at when the sensor is read, which it never is: add every = "1m""#,
                #":13:12: sensor[2].username: is for another broker: name it: from = "mqtts://HOST""#,
                #":17:13: sensor[3].subscribe: fieldpost/+/round takes in fieldpost/gateway/round, where the readings of "round" go: subscribe to less, or give that sensor another topic"#,
            ])
        // Without an agent nobody says anything.
        let alone = try directory.write(
            Self.text(port: 1883, "[[sensor]]\nname = \"a\"\ndriver = \"mqtt\"\nsubscribe = \"x\""), to: "alone.toml")
        let read = try await runProgram(Program.built("fieldpost"), ["read", "--config", alone])
        #expect(read.ending == .exited(1))
        #expect(read.output == ["a  failed: the broker is not connected yet; an agent that runs connects to it"])
    }
}

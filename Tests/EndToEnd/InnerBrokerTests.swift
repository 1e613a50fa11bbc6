import Glibc
import TestSupport
import Testing

/// An agent with a broker inside.
@Suite(.timeLimit(.minutes(2))) struct InnerBrokerTests {
    private func text(_ port: Int, server: String = "", broker: String = "", sensors: Int = 1) -> String {
        """
        [device]
        id = "station"
        \(broker)
        [server]
        \(server)
        [[listener]]
        bind = "127.0.0.1"
        port = \(port)
        [queue]
        commit_interval = "5ms"
        \(Station.sensors(sensors))
        """
    }

    @Test func itsOwnReadingsGoToItAndDevicesMeetThere() async throws {
        let port = try freePort()
        let station = try Station(text: text(port))
        #expect(
            try await station.fieldpost("check", station.file).output.last
                == "\(station.file): good: device \"station\", 1 sensor, a broker of its own")
        let agent = try await station.run()
        try await agent.errors.line(containing: "the broker listens: ")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/#"])
        try await watcher.wait(for: "readings") { $0.count { $0.contains("/s1 ") } > 3 }
        try await mosquittoPub(port: port, "fieldpost/other", "hello")
        try await watcher.wait(for: "the device") { $0.contains { $0.contains("hello") } }

        // More sensors: the broker goes on, and with it its clients.
        try station.directory.write(text(port, sensors: 2), to: "station.toml")
        agent.send(SIGHUP)
        try await watcher.wait(for: "the second sensor") { $0.contains { $0.contains("/s2 ") } }
        #expect(await agent.errors.lines.count { $0.contains("the broker listens: ") } == 1)

        agent.send(SIGTERM)
        try await watcher.wait(for: "the goodbye") {
            $0.contains { $0.contains(#""state":"offline","reason":"stopped""#) }
        }
        #expect(try await agent.wait() == .exited(0))
        await watcher.kill()
    }

    @Test func S4_itsRulesDoNotStopTheAgentAndNobodyElseIsTheAgent() async throws {
        let port = try freePort()
        let station = try Station(text: text(port, server: "allow_anonymous = true\nacl_file = \"acl\""))
        try station.directory.write("topic read fieldpost/#\n", to: "acl")
        let agent = try await station.run()
        try await agent.errors.line(containing: "the broker listens: ")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/#"])
        try await watcher.wait(for: "readings") { $0.contains { $0.contains("/s1 ") } }
        // Its client identifier is its own.
        let thief = try await runProgram(
            systemProgram("mosquitto_pub"), ["-p", "\(port)", "-i", "station", "-t", "a", "-m", "b"])
        #expect(thief.ending != .exited(0))
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
        await watcher.kill()
    }

    @Test func withAnotherBrokerTheAgentTalksToThat() async throws {
        try await withMosquitto { upstream in
            let port = try freePort()
            let station = try Station(
                text: text(port, broker: "[broker]\nservers = [\"mqtt://127.0.0.1:\(upstream.port)\"]"))
            let agent = try await station.run()
            let watcher = try await MosquittoSub.start(port: upstream.port, ["fieldpost/#"])
            try await watcher.wait(for: "readings") { $0.contains { $0.contains("/s1 ") } }
            #expect(try await mayPublish(port: port))
            #expect(try await retained(port: port, station.statusTopic) == nil)
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
            await watcher.kill()
        }
    }

    @Test func aBrokerThatCannotBeginGoesBackAtAReload() async throws {
        let port = try freePort()
        let station = try Station(text: text(port))
        let agent = try await station.run()
        try await agent.errors.line(containing: "the broker listens: ")
        try station.directory.write(text(port, server: "acl_file = \"/no/such/acl\""), to: "station.toml")
        agent.send(SIGHUP)
        try await agent.errors.line(containing: "back to the configuration before")
        try await agent.errors.wait(for: "the broker again") { $0.count { $0.contains("the broker listens: ") } == 2 }
        #expect(try await mayPublish(port: port))
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
    }

    @Test(.enabled("no mounts here") { await ReadOnlyDisk.isPossible() })
    func D6_aDiskThatIsReadOnlyStopsNeitherTheAgentNorItsBroker() async throws {
        let port = try freePort()
        let folder = try TemporaryDirectory()
        let disk = ReadOnlyDisk(folder.path)
        let station = try Station(
            text: """
                [device]
                id = "station"
                [server]
                store = { path = "\(folder.path)/broker.db" }
                [[listener]]
                bind = "127.0.0.1"
                port = \(port)
                [queue]
                path = "\(folder.path)/queue.db"
                \(Station.sensors(1))
                """)
        let check = try await disk.run(["check", station.file])
        #expect(check.ending == .exited(0))
        #expect(
            check.output.contains {
                $0.contains("warning: \(folder.path)/broker.db: ") && $0.contains("mounted for reading only")
                    && $0.hasSuffix("sessions and retained messages are kept in memory only")
            }, "\(check.output)")

        let agent = try await disk.start(["run", "--config", station.file])
        try await agent.errors.line(containing: "the broker's state cannot be saved")
        try await agent.errors.line(containing: "the broker listens: ")
        let watcher = try await MosquittoSub.start(port: port, ["fieldpost/#"])
        try await watcher.wait(for: "readings") { $0.count { $0.contains("/s1 ") } > 3 }
        try await disk.mend(for: agent)
        try await agent.errors.line(containing: "the broker's state is on disk again", timeout: .seconds(20))
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
        await watcher.kill()
    }

    @Test func whatItsBrokerNamesAndIsNotThereIsAMatterOfTheConfiguration() async throws {
        let station = try Station(text: text(freePort(), server: "acl_file = \"/no/such/acl\""))
        let agent = try await station.run()
        #expect(try await agent.wait() == .exited(78))
        #expect(await agent.errors.lines.contains { $0.contains("/no/such/acl") })
    }

    /// It may be a disk that is not there yet.
    @Test func aStoreWhoseFolderIsMissingIsNoMatterOfTheConfiguration() async throws {
        let station = try Station(text: text(freePort(), server: "store = { path = \"/no/such/broker.db\" }"))
        #expect(try await station.fieldpost("check", station.file).ending == .exited(1))
        for command in ["run", "broker"] {
            let result = try await station.fieldpost(command, "--config", station.file)
            #expect(result.ending == .exited(74))
            #expect(result.errors.contains { $0.contains("/no/such/broker.db") && $0.contains("create its folder") })
        }
    }

    @Test func aPortThatIsTakenKeepsTheAgentFromStarting() async throws {
        try await withMosquitto { other in
            let station = try Station(text: text(other.port))
            let agent = try await station.run()
            #expect(try await agent.wait() == .exited(74))
            #expect(await agent.errors.lines.contains { $0.contains("in use") })
        }
    }
}

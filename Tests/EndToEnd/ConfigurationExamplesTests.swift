import Glibc
import OneNETModel
import TestSupport
import Testing
import Units

/// What lies in Config/ is right, and runs: each example against a broker, as its owner would start it. Sensors that are
/// not there fail, and end nothing.
@Suite(.timeLimit(.minutes(3))) struct ConfigurationExamplesTests {
    static let folder = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/Config"

    static let files: [String] = {
        guard let folder = opendir(folder) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".toml") { names.append(name) }
        }
        return names.sorted()
    }()

    @Test(arguments: files) func checkFindsNothingWrong(file: String) async throws {
        let path = "\(Self.folder)/\(file)"
        let bare = try await runProgram(Program.built("fieldpost"), ["check", path])
        #expect(bare.ending == .exited(0), "\(bare.output)")
        #expect(bare.output.last?.hasPrefix("\(path): good: ") == true)
        // Where the service's credentials are not there, nothing but that is worth a word.
        let warnings = bare.output.filter { $0.contains("warning") }
        #expect(warnings.allSatisfy { $0.contains("LoadCredential") }, "\(warnings)")

        let example = try await Example(file)
        let full = try await runProgram(
            Program.built("fieldpost"), ["check", path], environment: example.environment)
        #expect(full.ending == .exited(0))
        #expect(!full.output.contains { $0.contains("warning") }, "\(full.output)")
    }

    @Test func checkCountsWhatADispatcherKnows() async throws {
        let path = "\(Self.folder)/dispatch.toml"
        let result = try await runProgram(Program.built("fieldpost"), ["check", path])
        #expect(result.output == ["\(path): good: dispatch for prefix \"fieldpost\", 2 places"])
        let directory = try TemporaryDirectory()
        let wrong = try directory.write("[broker]\nservers = [\"mqtt://a\"]\n[dispatch]\ncapacty = 3\n", to: "d.toml")
        let problem = try await runProgram(Program.built("fieldpost"), ["check", wrong])
        #expect(problem.ending == .exited(1))
        #expect(problem.output.first?.contains("did you mean \"capacity\"?") == true, "\(problem.output)")
    }

    /// A new example has to say here what shows that it works.
    @Test(arguments: files) func itRunsAndStopsCleanly(file: String) async throws {
        switch file {
        case "broker.toml": try await broker()
        case "cold-store.toml": try await coldStore()
        case "dispatch.toml": try await dispatch()
        case "garbage-bins.toml": try await garbageBins()
        case "garbage-bins-onenet.toml": try await oneNET()
        case "gate-radar.toml": try await gateAndRadar()
        case "gateway.toml": try await gateway()
        case "home-assistant.toml": try await homeAssistant()
        case "sensors.toml": try await sensors()
        case "sparkplug-plant.toml": try await sparkplug()
        default: Issue.record("nothing shows that \(file) works")
        }
    }

    /// Runs an example beside a broker, and stops it.
    private func run(
        _ file: String, watching topics: [String], format: String = "%t %p",
        _ body: (_ watcher: MosquittoSub, _ mosquitto: Mosquitto, _ example: Example) async throws -> Void
    ) async throws {
        try await withMosquitto { mosquitto in
            let example = try await Example(file)
            let watcher = try await MosquittoSub.start(port: mosquitto.port, topics, format: format)
            let agent = try await example.run(brokerPort: mosquitto.port)
            do {
                try await body(watcher, mosquitto, example)
            } catch {
                let (log, heard) = (await agent.errors.lines.suffix(20), await watcher.received.lines.suffix(20))
                Issue.record("\(file): \(error)\n\(log.joined(separator: "\n"))\n\(heard.joined(separator: "\n"))")
            }
            agent.send(SIGTERM)
            #expect(try await agent.wait() == .exited(0))
        }
    }

    private func broker() async throws {
        let example = try await Example("broker.toml")
        let broker = try await example.run("broker", brokerPort: 0)
        try await eventually("a broker that accepts connections") { accepts(port: example.ports[1883] ?? 0) }
        let port = try #require(example.ports[1883])
        try await mosquittoPub(port: port, "a/b", "kept", retain: true)
        #expect(try await retained(port: port, "a/b", seconds: 10) == "kept")
        broker.send(SIGTERM)
        #expect(try await broker.wait() == .exited(0))
    }

    private func coldStore() async throws {
        try await run("cold-store.toml", watching: ["fieldpost/#"]) { watcher, mosquitto, _ in
            try await watcher.shows("fieldpost/cold-store-3/status {\"state\":\"online\"")
            // No thermometer: both uplinks say so, each in its own words.
            try await watcher.shows("fieldpost/cold-store-3/air {", "\"value\":null,\"quality\":\"sensor error\"")
            try await watcher.shows("fieldpost/cold-store-3/senml [{\"bn\":\"urn:dev:ops:example-coldstore3:\"")
            try await mosquitto.waitForSubscription(
                of: "cold-store-3", to: "fieldpost/cold-store-3/command/+/request/+")
            try await mosquittoPub(
                port: mosquitto.port, "fieldpost/cold-store-3/command/acknowledge/request/17",
                #"{"alarm":"no-value","by":"anna"}"#)
            try await watcher.shows(
                "fieldpost/cold-store-3/command/acknowledge/response/17 {\"ok\":true,\"changed\":false}")
            try await mosquittoPub(
                port: mosquitto.port, "fieldpost/cold-store-3/command/set/request/18",
                #"{"sensor":"door","value":true}"#)
            try await watcher.shows("command/set/response/18 {\"ok\":false,\"error\":\"forbidden\"")
        }
    }

    private func dispatch() async throws {
        try await withMosquitto { mosquitto in
            let (port, example) = (mosquitto.port, try await Example("dispatch.toml"))
            let watcher = try await MosquittoSub.start(port: port, ["fieldpost/#"], format: "%t %p")
            try await mosquittoPub(
                port: port, "fieldpost/dispatch/worker/bob",
                #"{"on_duty":true,"load":0,"position":{"latitude":31.70,"longitude":119.93}}"#, retain: true)
            try await mosquittoPub(
                port: port, "fieldpost/bin-0427/alarm/full", #"{"state":"raised","severity":"warning","value":91.2}"#,
                retain: true)
            let dispatcher = try await example.run("dispatch", brokerPort: port)
            // The place is the one that the file has for it.
            try await watcher.shows("fieldpost/dispatch/worker/bob/task/", "\"state\":\"offered\"", "31.7036")
            let task = try #require(
                await watcher.received.lines.first { $0.hasPrefix("fieldpost/dispatch/worker/bob/task/") }?
                    .split(separator: " ")[0].split(separator: "/").last)
            try await mosquittoPub(
                port: port, "fieldpost/dispatch/worker/bob/answer/\(task)", #"{"answer":"accepted"}"#)
            try await watcher.shows("fieldpost/bin-0427/command/acknowledge {\"alarm\":\"full\",\"by\":\"bob\"")
            dispatcher.send(SIGTERM)
            #expect(try await dispatcher.wait() == .exited(0))
        }
    }

    private func garbageBins() async throws {
        try await run("garbage-bins.toml", watching: ["fieldpost/#"]) { watcher, _, _ in
            try await watcher.shows("fieldpost/bins-demo/status {\"state\":\"online\"")
            for bin in 1...3 { try await watcher.shows("fieldpost/bins-demo/bin-\(bin) {", "\"unit\":\"%\"") }
            #expect(
                await !watcher.received.lines.contains { $0.contains("bins-demo/distance") }, "they stay on the board")
        }
    }

    private func oneNET() async throws {
        let platform = OneNETPlatform(
            devices: [.init(product: "123456", name: "bin-0427", key: Example.key)])
        try await platform.start()
        let example = try await Example("garbage-bins-onenet.toml")
        let agent = try await example.run(brokerPort: await platform.port)
        try await eventually(within: .seconds(60), "a property post") {
            await platform.records.properties["123456/bin-0427"]?["MemoryUsed"]?.isEmpty == false
        }
        #expect(await platform.objections == [])
        #expect(await platform.refusals == [])
        agent.send(SIGTERM)
        #expect(try await agent.wait() == .exited(0))
        await platform.end()
    }

    private func gateAndRadar() async throws {
        try await run("gate-radar.toml", watching: ["detrd/#", "gate/#", "fieldpost/#"]) { watcher, mosquitto, _ in
            try await watcher.shows("fieldpost/1AB.ENTER/status {\"state\":\"online\"")
            for filter in ["detrd/status/request/1AB.ENTER.DETRD", "gate/1AB.ENTER.GATE/request/+"] {
                try await mosquitto.waitForSubscription(of: "1AB.ENTER", to: filter)
            }
            // Where there is no GPIO chip the answer says that, and is one.
            try await mosquittoPub(port: mosquitto.port, "detrd/status/request/1AB.ENTER.DETRD", "status")
            try await watcher.shows("detrd/status/response/1AB.ENTER.DETRD ")
            try await mosquittoPub(port: mosquitto.port, "gate/1AB.ENTER.GATE/request/17", "open")
            try await watcher.shows("gate/1AB.ENTER.GATE/response/17 {\"ok\":")
            try await mosquittoPub(port: mosquitto.port, "gate/1AB.ENTER.GATE/request/18", "{\"command\":\"reload\"}")
            try await watcher.shows("gate/1AB.ENTER.GATE/response/18 {\"ok\":false,\"error\":\"forbidden\"")
        }
    }

    private func gateway() async throws {
        let topics = ["fieldpost/#", "site/#"]
        try await run("gateway.toml", watching: topics) { watcher, _, example in
            try await watcher.shows("fieldpost/gateway-7/status {\"state\":\"online\"")
            let port = try #require(example.ports[1883])
            // A subscription inside is made a moment after the start.
            try await eventually("a reading of a device") {
                try await mosquittoPub(port: port, "esp/shed/state", #"{"temperature":31.5,"battery":3.9}"#)
                return await watcher.has(
                    "fieldpost/gateway-7/greenhouse {", "\"shed.temperature\",\"value\":31.5,\"unit\":\"°C\"")
            }
            try await mosquittoPub(port: port, "sensors/door", "open")
            try await watcher.shows("site/gateway-7/sensors/door {\"time\":", "\"value\":\"open\"")
        }
    }

    private func homeAssistant() async throws {
        try await run("home-assistant.toml", watching: ["fieldpost/#", "homeassistant/#"]) { watcher, _, _ in
            try await watcher.shows("fieldpost/cellar/status {\"state\":\"online\"")
            // What has never had a value is not announced yet: of the sensors that is the board itself.
            try await watcher.shows("homeassistant/sensor/", "/config {", "\"name\":\"Board memory used\"")
            try await watcher.shows("fieldpost/cellar/board/memory_used {", "\"unit\":\"%\"")
            try await watcher.shows("homeassistant/binary_sensor/", "\"device_class\":\"problem\"")
        }
    }

    private func sensors() async throws {
        try await run("sensors.toml", watching: ["fieldpost/#"]) { watcher, _, _ in
            try await watcher.shows("fieldpost/sampler/status {\"state\":\"online\"")
            try await watcher.shows("fieldpost/sampler/fill {", "\"unit\":\"%\"")
        }
    }

    private func sparkplug() async throws {
        try await run("sparkplug-plant.toml", watching: ["spBv1.0/#"], format: "%t %l") { watcher, mosquitto, _ in
            // Without its host it keeps silent.
            let now = Timestamp.now().milliseconds
            try await mosquittoPub(
                port: mosquitto.port, "spBv1.0/STATE/scada", "{\"online\":true,\"timestamp\":\(now)}", retain: true)
            try await watcher.shows("spBv1.0/Plant 1/NBIRTH/press-7 ")
            try await watcher.shows("spBv1.0/Plant 1/NDATA/press-7 ")
        }
    }
}

/// A copy of an example that finds its broker at a test's port, has ports of its own, and the credentials that it names.
struct Example {
    /// An access key of OneNET's, and as good as any password.
    static let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

    /// The example's ports, and those that they became.
    let ports: [Int: Int]
    let environment: [String: String]
    private let directory: TemporaryDirectory
    private let text: String
    private let file: String

    init(_ file: String) async throws {
        self.file = file
        directory = try TemporaryDirectory()
        environment = ["CREDENTIALS_DIRECTORY": directory.path]
        text = String(
            decoding: try Authority.read("\(ConfigurationExamplesTests.folder)/\(file)"), as: UTF8.self)
        var ports: [Int: Int] = [:]
        for port in [1883, 9001] { ports[port] = try freePort() }
        self.ports = ports
        for part in text.split(separator: "\"${CREDENTIALS_DIRECTORY}/", omittingEmptySubsequences: false).dropFirst() {
            let name = String(part.prefix { $0 != "\"" })
            let content =
                name.hasSuffix(".pem") ? try Authority.read(try await Authority.get().root) : Array(Self.key.utf8)
            chmod(try directory.write(content, to: name), 0o600)
        }
    }

    /// - Parameter brokerPort: where its broker is, in the clear.
    func run(_ command: String = "run", brokerPort: Int) async throws -> Program {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            if line.hasPrefix("servers = ") { return "servers = [\"mqtt://127.0.0.1:\(brokerPort)\"]" }
            for (port, free) in ports {
                for form in ["port = \(port)", "# port = \(port)"] where line == form { return "port = \(free)" }
            }
            return String(line)
        }
        let path = try directory.write(lines.joined(separator: "\n"), to: file)
        return try await Program.start(
            Program.built("fieldpost"), [command, "--config", path], environment: environment)
    }
}

extension MosquittoSub {
    /// Waits for a message whose line begins with the first of these, and has the others in it.
    fileprivate func shows(_ beginning: String, _ parts: String...) async throws {
        try await wait(for: "\(beginning) … \(parts)") { lines in Self.has(lines, beginning, parts) }
    }

    fileprivate func has(_ beginning: String, _ parts: String...) async -> Bool {
        Self.has(await received.lines, beginning, parts)
    }

    private static func has(_ lines: [String], _ beginning: String, _ parts: [String]) -> Bool {
        lines.contains { line in line.contains(beginning) && parts.allSatisfy { line.contains($0) } }
    }
}

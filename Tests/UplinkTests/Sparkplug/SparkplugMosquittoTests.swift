import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import Pipeline
import Relay
import Sensing
import Synchronization
import TestSupport
import Testing
import Units

@testable import Uplink

/// A host application in Python, on an implementation that is not ours.
private enum PythonHost {
    private static let source = #filePath
    private static var tests: String { source.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } }
    private static var folder: String {
        source.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" } + "/.build/sparkplug-python"
    }

    /// Tests/run.sh has installed it already, as a rule.
    static func install() async throws {
        let script = "\(tests)/Python/sparkplug_install.sh"
        let result = try await runProgram(systemProgram("bash"), [script, folder], timeout: .seconds(240))
        guard result.ending == .exited(0) else {
            throw ProgramError.failed(script, result.ending, output: result.errors)
        }
    }

    private static func arguments(_ words: [String]) -> [String] {
        ["-B", "\(tests)/Python/sparkplug_host.py"] + words
    }

    static func listen(port: Int) async throws -> Program {
        let program = try await Program.start(
            "/usr/bin/python3", arguments(["listen", "\(port)"]), environment: ["PYTHONPATH": folder])
        try await program.output.line(containing: "LISTENING", timeout: .seconds(30))
        return program
    }

    static func run(_ words: String...) async throws {
        let result = try await runProgram(
            "/usr/bin/python3", arguments(words), environment: ["PYTHONPATH": folder], timeout: .seconds(30))
        guard result.ending == .exited(0) else {
            throw ProgramError.failed("sparkplug_host.py", result.ending, output: result.errors)
        }
    }
}

/// The agent's part: a client, its queue, and who wires them.
private actor Edge {
    let profile: SparkplugProfile
    nonisolated let store: SparkplugStore
    nonisolated let client: MQTTClient
    private let counter: Counter
    private(set) var commands: [RemoteCommand] = []
    private(set) var isHostOffline = false
    private var tasks: [Task<Void, Never>] = []

    /// Survives restarts.
    final class Counter: Sendable {
        private let value = Mutex(UInt8(41))
        func next() -> UInt8 {
            value.withLock { value in
                value &+= 1
                return value
            }
        }
    }

    init(_ settings: SparkplugSettings, port: Int, memory: MemoryStore, counter: Counter, version: ProtocolVersion) {
        profile = SparkplugProfile(settings)
        self.counter = counter
        let store = SparkplugStore(memory, settings: settings, outputs: ["led"], proof: .seconds(8))
        var configuration = ClientConfiguration(
            endpoints: [Endpoint(host: "127.0.0.1", port: port)], version: version, clientIdentifier: "press-7",
            parameters: { ConnectParameters(will: try store.will(connection: $0, bdSeq: counter.next())) })
        configuration.sessionExpiry = .zero
        configuration.returnAfter = nil
        configuration.keepAlive = .seconds(2)
        configuration.responseTimeout = .seconds(1)
        configuration.backoff = Backoff(base: .milliseconds(50), cap: .milliseconds(200))
        self.store = store
        client = MQTTClient(configuration, store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }

    func start() {
        store.setBell { [weak client] in client?.storeDidChange() }
        tasks = [
            Task { await client.run() },
            Task {
                for await event in client.events {
                    guard case .connected(let result) = event else { continue }
                    do {
                        let codes = try await client.subscribe(try store.subscriptions)
                        if codes.allSatisfy({ !$0.isError }) { store.open(connection: result.number) }
                    } catch {
                        // The next connection tries again.
                    }
                }
            },
            Task {
                for await message in client.messages {
                    for action in (try? store.receive(message.topic, message.payload)) ?? [] { await handle(action) }
                }
            },
        ]
    }

    private func handle(_ action: SparkplugAction) async {
        switch action {
        case .command(let command): commands.append(command)
        case .hostOffline(nil): isHostOffline = true
        case .hostOffline(let death?):
            try? await client.publishNow(death)
            await client.leave()
        case .refused: break
        }
    }

    func report(_ sensor: String, _ value: Reading.Value, unit: String? = nil) async throws {
        let reading = Reading(sensor: sensor, value: value, unit: unit, time: .now())
        _ = try await store.append(try profile.messages(for: .readings([reading]), sequence: 0))
        client.storeDidChange()
    }

    func fail(_ sensor: String) async throws {
        let report = Report.failure(sensor: sensor, reason: "gone", time: .now())
        _ = try await store.append(try profile.messages(for: report, sequence: 0))
        client.storeDidChange()
    }

    func stop() async {
        await store.goodbye { try await client.publishNow($0) }
        await client.disconnect()
        for task in tasks { await task.value }
    }
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct SparkplugMosquittoTests {
    private let settings: SparkplugSettings

    init() throws {
        settings = try SparkplugSettings(
            group: "Plant 1", node: "press-7", devices: ["boiler": ["temp"]], rebirthWait: .milliseconds(200))
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func aHostThatIsNotOursUnderstandsALifeFromBirthToDeath(version: ProtocolVersion) async throws {
        try await PythonHost.install()
        try await withMosquitto { broker in
            let host = try await PythonHost.listen(port: broker.port)
            let edge = Edge(settings, port: broker.port, memory: MemoryStore(), counter: .init(), version: version)
            try await edge.report("temp", .number(80.5), unit: "°C")
            try await edge.report("mode", .text("grün"))
            try await edge.report("led", .boolean(false))
            await edge.start()
            try await host.output.line(containing: #"DBIRTH:boiler 1 temp=80.5°C"#)
            let birth = await host.output.lines.first { $0.hasPrefix("NBIRTH") }
            #expect(
                birth?.split(separator: " ").sorted() == ["0", "NBIRTH", "bdSeq=42", "led=false", #"mode="grün""#])
            try await host.output.line(containing: "NDATA 4 old:led=false")

            try await edge.report("temp", .number(81), unit: "°C")
            try await host.output.line(containing: "DDATA:boiler 5 temp=81.0")
            try await edge.fail("temp")
            try await host.output.line(containing: "DDATA:boiler 6 temp=null!bad")
            try await host.output.line(containing: "DDEATH:boiler 7")
            try await edge.report("temp", .number(82), unit: "°C")
            try await host.output.line(containing: "DBIRTH:boiler 8 temp=82.0°C")

            let topic = "spBv1.0/Plant 1/NCMD/press-7"
            try await PythonHost.run("command", "\(broker.port)", topic, "led", "BOOLEAN", "true")
            try await eventually("a command") { await !edge.commands.isEmpty }
            #expect(await edge.commands == [.set(sensor: "led", channel: nil, value: .boolean(true))])
            try await PythonHost.run("command", "\(broker.port)", topic, "Node Control/Rebirth", "BOOLEAN", "true")
            try await host.output.wait { lines in lines.count { $0.hasPrefix("NBIRTH 0 bdSeq=42") } == 2 }

            // Many in a row: no gap, in order, past 255.
            for value in 0..<600 { try await edge.report("led", .boolean(value % 2 == 0)) }
            try await host.output.wait(timeout: .seconds(60)) { lines in
                lines.count { $0.hasPrefix("NDATA") && $0.contains(" led=") } == 600
            }
            await edge.stop()
            try await host.output.line(containing: "NDEATH bdSeq=42")
            let lines = await host.output.lines
            #expect(lines.filter { $0.contains("GAP") || $0.contains("ERROR") || $0.contains("offline") } == [])
            #expect(lines.last == "NDEATH bdSeq=42")
            #expect(try await edge.store.pendingCount() == 0)
            await host.kill()
        }
    }

    /// The line is cut while readings flow, as a cable is: the sockets learn of it late.
    @Test func nothingIsLostWhenTheCableIsCutThoughAllIsQoS0() async throws {
        try await PythonHost.install()
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let host = try await PythonHost.listen(port: broker.port)
            let memory = MemoryStore()
            let edge = Edge(settings, port: relay.port, memory: memory, counter: .init(), version: .v5)
            try await edge.report("flow", .number(0))
            await edge.start()
            try await host.output.line(containing: "NDATA 1 old:flow=0")
            for round in 0..<3 {
                for value in 1...20 { try await edge.report("flow", .number(Double(round * 100 + value))) }
                await relay.stall()
                // Written into a dead line; the client notices it by its keep-alive.
                for value in 21...40 { try await edge.report("flow", .number(Double(round * 100 + value))) }
                let births = round + 2
                try await eventually("a new connection") {
                    if await edge.client.isConnected == false { try await relay.mend() }
                    let lines = await host.output.lines
                    return lines.count { $0.hasPrefix("NBIRTH") } >= births
                }
            }
            try await edge.report("flow", .number(999))
            try await host.output.wait(timeout: .seconds(30)) { lines in lines.contains { $0.hasSuffix("flow=999.0") } }
            let lines = await host.output.lines
            for round in 0..<3 {
                for value in 1...40 {
                    let text = "flow=\(Double(round * 100 + value))"
                    #expect(lines.contains { $0.hasSuffix(text) }, "\(text)")
                }
            }
            #expect(lines.filter { $0.contains("GAP") || $0.contains("ERROR") || $0.contains("offline") } == [])
            // The server's wills of the connections that were cut are of other sessions, or come before the new birth.
            #expect(edge.store.statistics.repeated > 0)
            await edge.stop()
            await relay.stop()
            await host.kill()
        }
    }

    /// What the sockets had not taken yet belongs to the connection that ended, with its numbers.
    @Test func whatWasNotWrittenIsNumberedAnew() async throws {
        try await PythonHost.install()
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let host = try await PythonHost.listen(port: broker.port)
            let edge = Edge(settings, port: relay.port, memory: MemoryStore(), counter: .init(), version: .v5)
            try await edge.report("long", .text("short"))
            await edge.start()
            try await host.output.line(containing: "NDATA 1 old:long=")
            for round in 1...4 {
                let sent = await relay.counters
                for length in 1...40 {
                    try await edge.report("long", .text(String(repeating: "x", count: 200_000 + 100 * round + length)))
                }
                try await eventually("bytes on their way") { await relay.counters != sent }
                await relay.cut()
                try await relay.mend()
                let births = round + 1
                try await host.output.wait(timeout: .seconds(30)) { lines in
                    lines.count { $0.hasPrefix("NBIRTH") } >= births
                        && lines.contains { $0.hasSuffix("long=\"\(200_040 + 100 * round) characters\"") }
                }
            }
            // A birth tells the newest value ahead of all that waits.
            let all = (1...4).flatMap { round in (1...40).map { 200_000 + 100 * round + $0 } }
            let lines = try await host.output.wait(for: "all of them", timeout: .seconds(30)) { lines in
                let data = lines.filter { !$0.hasPrefix("NBIRTH") }
                return all.allSatisfy { length in data.contains { $0.hasSuffix("long=\"\(length) characters\"") } }
            }
            #expect(lines.filter { $0.contains("GAP") || $0.contains("ERROR") || $0.contains("offline") } == [])
            await edge.stop()
            await relay.stop()
            await host.kill()
        }
    }

    @Test func thePrimaryHostsStateIsHeeded() async throws {
        try await PythonHost.install()
        let settings = try SparkplugSettings(
            group: "g", node: "n", primaryHost: "scada", rebirthWait: .milliseconds(200))
        try await withMosquitto { broker in
            let host = try await PythonHost.listen(port: broker.port)
            let edge = Edge(settings, port: broker.port, memory: MemoryStore(), counter: .init(), version: .v5)
            try await edge.report("a", .number(1))
            await edge.start()
            try await broker.log.line(containing: "spBv1.0/STATE/scada")
            try await PythonHost.run("state", "\(broker.port)", "scada", "true", "1000")
            try await host.output.line(containing: "NDATA 1 old:a=1.0")
            try await PythonHost.run("state", "\(broker.port)", "scada", "false", "2000")
            try await host.output.line(containing: "NDEATH bdSeq=42")
            // On a connection of its own it waits for the host (§5.4).
            try await broker.log.wait(for: "the next connection") {
                $0.count { $0.hasSuffix("press-7 1 spBv1.0/STATE/scada") } >= 2
            }
            try await eventually("what is retained") { await edge.isHostOffline }
            try await edge.report("a", .number(2))
            try await PythonHost.run("state", "\(broker.port)", "scada", "true", "1500")
            try await PythonHost.run("state", "\(broker.port)", "scada", "true", "3000")
            try await host.output.line(containing: "old:a=2.0")
            let lines = await host.output.lines
            let births = lines.filter { $0.hasPrefix("NBIRTH") }.map { $0.prefix(17) }
            #expect(births == ["NBIRTH 0 bdSeq=42", "NBIRTH 0 bdSeq=43"])
            #expect(lines.filter { $0.contains("GAP") || $0.contains("ERROR") || $0.contains("offline") } == [])
            #expect(edge.store.statistics.ignored == 1)
            await edge.stop()
            await host.kill()
        }
    }
}

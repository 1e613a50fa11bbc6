import Logging
import MQTTWire
import NIOCore
import Sensing
import Settings
import StoreForward
import Synchronization
import TestSupport
import Testing
import Units
import Uplink

@testable import FieldpostAgent

@Suite(.timeLimit(.minutes(2))) struct CommandCenterTests {
    struct Valve: OutputDriver {
        static let name = "valve"
        let sets: Record
        let whenSet: @Sendable () -> Void
        init(_ sets: Record, whenSet: @escaping @Sendable () -> Void) { (self.sets, self.whenSet) = (sets, whenSet) }
        init?(_ settings: SettingsReader, context: DriverContext) { nil }
        mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] { [Measurement(.number(1))] }
        mutating func set(
            _ value: Reading.Value, channel: String?, at now: Timestamp
        ) throws(SensorError) -> [Measurement] {
            if case .number(let number) = value { sets.add(Int(number)) }
            whenSet()
            return [Measurement(value)]
        }
        mutating func makeSafe(at now: Timestamp) throws(SensorError) {}
    }

    static func configuration(_ commands: String) throws -> AgentConfiguration {
        try AgentConfiguration.read(
            """
            broker.servers = "mqtt://127.0.0.1"
            device.id = "bin"
            sensor = [{ name = "cpu", driver = "thermal" }]
            \(commands)
            """.utf8, path: "/srv/bin.toml", isPublic: false, environment: [:], hostName: "bin"
        ).configuration
    }

    static let allowed = #"commands = { allow = ["set", "status"] }"#

    /// A board with a gate.
    static func with(
        _ folder: TemporaryDirectory, _ sets: Record, _ commands: String = allowed,
        whenSet: @escaping @Sendable () -> Void = {}, _ body: (CommandCenter) async throws -> Void
    ) async throws {
        let settings = try #require(try configuration(commands).commands)
        let state = StateFile(path: folder.path("queue.state.json"), logger: Logger(label: "test"))
        let runner = SensorRunner([
            ConfiguredSensor(name: "gate", every: .seconds(3600), driver: Valve(sets, whenSet: whenSet))
        ])
        let world = CommandCenter.World(
            runner: runner, processing: await Processing([], [], state: state, logger: Logger(label: "test")),
            sensors: [
                "gate": .init(isDerived: false, isOutput: true),
                "flow": .init(isDerived: false, isOutput: false, isRate: true),
            ], status: { ["state": "online"] }, reload: nil)
        let run = Task { await runner.run { _ in } }
        try await ProcessingTests.until("it was read once") { runner.counters[0].counters.reads > 0 }
        try await body(await CommandCenter(settings, world, state: state, logger: Logger(label: "test")))
        run.cancel()
        await run.value
    }

    static func set(_ value: Int, _ id: String?, deadline: Timestamp? = nil) -> CommandCenter.Request {
        var text = CommandText(.set(sensor: "gate", channel: nil, value: .number(Double(value))))
        (text.id, text.deadline) = (id, deadline)
        return CommandCenter.Request(text: text, asker: "main")
    }

    @Test func `What tells a rate has no offset`() async throws {
        try await withTemporaryDirectory { folder in
            try await Self.with(folder, Record(), #"commands = { allow = ["calibrate"] }"#) { center in
                func answer(_ target: Double?) async -> JSON {
                    let text = CommandText(.calibrate(sensor: "flow", channel: nil, to: target))
                    return await center.answer(CommandCenter.Request(text: text, asker: "main", time: .now))
                }
                #expect(await answer(5)["error"]?.string == "malformed")
                #expect(await answer(nil)["ok"] == true)
            }
        }
    }

    @Test func `Under one id a command is done once, also when many ask at once, and over a restart`() async throws {
        try await withTemporaryDirectory { folder in
            let sets = Record()
            try await Self.with(folder, sets) { center in
                await withDiscardingTaskGroup { tasks in
                    for _ in 0..<20 {
                        tasks.addTask { #expect(await center.answer(Self.set(1, "17"))["ok"] == true) }
                    }
                }
                #expect(sets.all == [1])
                #expect(await center.answer(Self.set(2, "17"))["error"] == "malformed")
                #expect(await center.answer(Self.set(2, nil))["ok"] == true)
            }
            // As if the power failed: who was answered is answered so again.
            try await Self.with(folder, sets) { center in
                #expect(await center.answer(Self.set(1, "17"))["ok"] == true)
                #expect(await center.answer(Self.set(3, "18"))["ok"] == true)
            }
            #expect(sets.all == [1, 2, 3])
        }
    }

    @Test func `What was under way when the power failed is not begun again`() async throws {
        try await withTemporaryDirectory { folder in
            let sets = Record()
            let state = Mutex("")
            try await Self.with(
                folder, sets, whenSet: { state.withLock { $0 = (try? folder.read("queue.state.json")) ?? "" } }
            ) { center in
                #expect(await center.answer(Self.set(1, "17"))["ok"] == true)
            }
            try folder.write(state.withLock { $0 }, to: "queue.state.json")
            try await Self.with(folder, sets) { center in
                let answer = await center.answer(Self.set(1, "17"))
                #expect(answer["ok"] == false)
                #expect(answer["message"]?.string?.contains("it may have been done") == true)
            }
            #expect(sets.all == [1])
        }
    }

    @Test func `What is refused leaves no trace, and may come again`() async throws {
        try await withTemporaryDirectory { folder in
            let sets = Record()
            try await Self.with(folder, sets, #"commands = { allow = ["status"] }"#) { center in
                #expect(await center.answer(Self.set(1, "17"))["error"] == "forbidden")
                #expect(!folder.exists("queue.state.json"))
            }
            try await Self.with(folder, sets) { center in
                let late = Timestamp.now() + .seconds(-1)
                #expect(await center.answer(Self.set(1, "17", deadline: late))["error"] == "timed out")
                #expect(!folder.exists("queue.state.json"))
                #expect(await center.answer(Self.set(1, "17"))["ok"] == true)
            }
            #expect(sets.all == [1])
        }
    }

    @Test func `What has waited for too long is not done`() async throws {
        try await withTemporaryDirectory { folder in
            let sets = Record()
            try await Self.with(folder, sets) { center in
                var request = Self.set(1, nil)
                request.time = .now - .seconds(11)
                #expect(await center.answer(request)["error"] == "timed out")
            }
            #expect(sets.all == [])
        }
    }

    @Test func `Answers do not go where the board speaks for itself, nor where commands come`() async throws {
        try await withTemporaryDirectory { folder in
            let commands = """
                [commands]
                allow = ["status"]
                [[commands.exchange]]
                requests = "gate/{id}"
                responses = "{id}/gate"
                [[alarm]]
                name = "hot"
                sensor = "cpu"
                raise_above = 80
                """
            let configuration = try Self.configuration(commands)
            let outbox = try await Outbox.open(path: folder.path("queue.db"))
            try await Self.with(folder, Record(), commands) { center in
                let desk = CommandDesk(
                    settings: try #require(configuration.commands), center: center, link: "main", outbox: outbox,
                    reserved: configuration.ownTopics, allowance: .init(), logger: Logger(label: "test"))
                let refused = [
                    "$SYS/x", "$share/a/b", "fieldpost/bin/status", "fieldpost/bin/cpu", "fieldpost/bin/alarm/hot",
                    "fieldpost/bin/command/status", "fieldpost/bin/command/set/request/1", "gate/gate",
                ]
                for topic in try refused.map({ try TopicName($0) }) { #expect(!desk.mayAnswer(to: topic), "\(topic)") }
                let good = [
                    "anna/answers", "fieldpost/bin/command/status/response", "17/gate",
                    "fieldpost/bin/command/set/response/1",
                ]
                for topic in try good.map({ try TopicName($0) }) { #expect(desk.mayAnswer(to: topic), "\(topic)") }
            }
            await outbox.close()
        }
    }
}

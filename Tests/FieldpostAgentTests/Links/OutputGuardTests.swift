import Logging
import Sensing
import Synchronization
import TestSupport
import Testing

@testable import FieldpostAgent

@Suite(.timeLimit(.minutes(2))) struct OutputGuardTests {
    struct NotNow: Error {}

    static func sensors(_ safeAfter: String) throws -> [AgentConfiguration.Sensor] {
        try AgentConfiguration.read(
            """
            broker.servers = "mqtt://127.0.0.1"
            [[sensor]]
            name = "gate"
            driver = "gpio"
            chip = "gpiochip0"
            line = "17"
            direction = "output"
            safe = false
            safe_after = "\(safeAfter)"
            """.utf8, path: "/srv/bin.toml", isPublic: false, environment: [:], hostName: "bin"
        ).configuration.sensors
    }

    @Test func `An output is made safe once for each time that the connection is gone`() async throws {
        let (reach, calls) = (Reach(), Record())
        let sensors = try Self.sensors("20ms")
        let guarding = Task {
            await OutputGuard(sensors, logger: Logger(label: "test")) { _ in calls.add(1) }.run(reach.changes)
        }
        try await ProcessingTests.until("nobody was there from the start") { calls.all.count == 1 }
        reach.set("main", true)
        reach.set("other", true)
        reach.set("main", false)
        try await Task.sleep(for: .milliseconds(100))
        #expect(calls.all.count == 1)
        reach.set("other", false)
        try await ProcessingTests.until("both are gone") { calls.all.count == 2 }
        try await Task.sleep(for: .milliseconds(100))
        #expect(calls.all.count == 2)
        guarding.cancel()
        await guarding.value
    }

    @Test func `Who is back in time changes nothing`() async throws {
        let (reach, calls) = (Reach(), Record())
        let sensors = try Self.sensors("5s")
        let guarding = Task {
            await OutputGuard(sensors, logger: Logger(label: "test")) { _ in calls.add(1) }.run(reach.changes)
        }
        for _ in 0..<100 {
            reach.set("main", true)
            await Task.yield()
            reach.set("main", false)
            await Task.yield()
        }
        reach.set("main", true)
        guarding.cancel()
        await guarding.value
        #expect(calls.all.isEmpty)
    }

    @Test func `What fails is tried again`() async throws {
        let (reach, calls) = (Reach(), Record())
        let sensors = try Self.sensors("0s")
        let guarding = Task {
            await OutputGuard(sensors, logger: Logger(label: "test")) { _ in
                calls.add(1)
                if calls.all.count == 1 { throw NotNow() }
            }.run(reach.changes)
        }
        try await ProcessingTests.until("it was tried twice") { calls.all.count == 2 }
        guarding.cancel()
        await guarding.value
    }
}

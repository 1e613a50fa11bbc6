import Glibc
import Logging
import StoreForward
import Synchronization
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

@Suite(.timeLimit(.minutes(3))) struct ServiceManagerTests {
    private let interval = Duration.milliseconds(900)

    private func start(_ listener: NotifyListener, watchdog: Duration?) throws -> ServiceManager {
        var variables = ["NOTIFY_SOCKET": listener.path]
        if let watchdog { variables["WATCHDOG_USEC"] = "\(watchdog.microseconds)" }
        let environment = ServiceEnvironment(variables, processIdentifier: getpid())
        return try #require(ServiceManager.start(environment, logger: Self.silent))
    }

    private static let silent = Logger(label: "x", factory: { _ in SwiftLogNoOpLogHandler() })

    @Test func stateAndStatusGoOut() async throws {
        let listener = try NotifyListener()
        let manager = try start(listener, watchdog: nil)
        await manager.update { $0.connection = .connected(to: "a:1") }
        await manager.ready([])
        await manager.reload()
        await manager.ready(refusing: "x.toml:1:1")
        await manager.stop(within: .seconds(4))
        await manager.stop(within: .seconds(4))
        try await listener.next("STOPPING=1\nEXTEND_TIMEOUT_USEC=4000000\nSTATUS=stopping; connected to a:1; new conf")
        let datagrams = await listener.datagrams.lines
        #expect(datagrams.count == 5, "\(datagrams)")
        #expect(datagrams[0] == "STATUS=starting; connected to a:1")
        #expect(datagrams[1] == "READY=1\nSTATUS=connected to a:1")
        #expect(datagrams[2].hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(datagrams[3].hasPrefix("READY=1\nSTATUS=connected to a:1; new configuration refused, going on"))
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let told = Int64(datagrams[2].split(separator: "\n")[1].split(separator: "=")[1]) ?? 0
        #expect((Int64(now.tv_sec) - 20) * 1_000_000 < told && told < (Int64(now.tv_sec) + 1) * 1_000_000)
    }

    @Test func withoutAWatchdogNobodyIsAsked() async throws {
        let listener = try NotifyListener()
        let manager = try start(listener, watchdog: nil)
        let asked = Atomic(0)
        await manager.ready([.init("x") { _ in asked.add(1, ordering: .relaxed) }])
        await manager.stop(within: .seconds(1))
        try await listener.next("STOPPING")
        #expect(asked.load(ordering: .relaxed) == 0)
        #expect(await !listener.datagrams.lines.contains { $0.contains("WATCHDOG") })
    }

    /// The queue's thread sits in a call that does not return, as in `fsync` on a disk that hangs; then it does return.
    @Test func aQueueThatHangsEndsTheSignsOfLifeUntilItIsBack() async throws {
        let listener = try NotifyListener()
        let manager = try start(listener, watchdog: interval)
        let directory = try TemporaryDirectory()
        let clock = StuckClock()
        let outbox = try await Outbox.open(path: directory.path("queue.db"), now: { clock.now() })
        let parts = [
            ServiceManager.VitalPart("event loop") { $0(true) },
            ServiceManager.VitalPart("queue") { answer in outbox.ask { answer(true) } },
        ]
        await manager.ready(parts)
        var seen = try await listener.next("WATCHDOG=1").count
        seen = try await listener.next("WATCHDOG=1", after: seen).count

        clock.stop()
        async let hanging: Void = outbox.flush()
        seen = try await listener.next("hanging: queue", after: seen).count
        // Nothing for a whole interval: it would have bitten.
        try await Task.sleep(for: interval)
        #expect(await !listener.datagrams.lines.dropFirst(seen).contains { $0.contains("WATCHDOG") })

        clock.goOn()
        try await hanging
        try await listener.next("WATCHDOG=1", after: seen)
        try await listener.next("STATUS=", after: seen)
        #expect(await listener.datagrams.lines.last { $0.contains("STATUS") }?.contains("hanging") == false)
        await outbox.close()
    }

    @Test func aPauseIsNotForEver() async throws {
        let listener = try NotifyListener()
        let manager = try start(listener, watchdog: interval)
        await manager.ready([.init("x") { $0(true) }])
        try await listener.next("WATCHDOG=1")
        await manager.pause()
        let seen = try await listener.next("hanging: restart of the agent").count
        await manager.ready([.init("x") { $0(true) }])
        try await listener.next("WATCHDOG=1", after: seen)
    }

    @Test func whereNobodyListensTheAgentGoesOn() async throws {
        let directory = try TemporaryDirectory()
        let environment = ServiceEnvironment(["NOTIFY_SOCKET": directory.path("gone")], processIdentifier: 1)
        let warnings = LineLog()
        let logger = Logger(label: "x") { _ in
            TextLogHandler(write: { line in Task { await warnings.append(line.text) } })
        }
        let manager = try #require(ServiceManager.start(environment, logger: logger))
        for _ in 0..<100 { await manager.reload() }
        try await warnings.line(containing: "the service manager cannot be told: reason=\"No such file or directory\"")
        await manager.ready()
        #expect(await warnings.lines.count == 1)
        #expect(
            ServiceManager.start(
                ServiceEnvironment(["NOTIFY_SOCKET": "vsock:2:1"], processIdentifier: 1), logger: Self.silent) == nil)
    }
}

/// A clock whose reader gets no answer while it is stopped.
private final class StuckClock: Sendable {
    private let isStopped = Atomic(false)

    func stop() { isStopped.store(true, ordering: .sequentiallyConsistent) }
    func goOn() { isStopped.store(false, ordering: .sequentiallyConsistent) }

    func now() -> Timestamp {
        while isStopped.load(ordering: .sequentiallyConsistent) { usleep(1000) }
        return .now()
    }
}

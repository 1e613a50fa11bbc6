internal import MQTT
internal import NIOCore
internal import NIOPosix
internal import Relay
internal import StoreForward
internal import Units
internal import UnixSignals

/// `fieldpost demo`: a board that loses its network and gets it back, played with everything real but the bins.
public struct Demonstration: Sendable {
    private let keepRunning: Bool
    private let print: @Sendable (String) -> Void
    private let start = ContinuousClock.now

    /// How long the parts take, apart from what is waited for.
    private enum Act {
        static let calm = Duration.seconds(5)
        static let darkness = Duration.seconds(4)
        static let afterwards = Duration.seconds(3)
    }

    public init(keepRunning: Bool, print: @escaping @Sendable (String) -> Void) {
        self.keepRunning = keepRunning
        self.print = print
    }

    /// - Returns: whether everything went as promised.
    /// - Throws: ``DemonstrationError``, or what else kept it from being played.
    public func run() async throws -> Bool {
        print("Three garbage bins and this machine's own sensors report to a broker, over a cable that will be cut.\n")
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await TemporaryFolder.with { folder in
            try await LocalBroker.with(folder: folder) { broker in
                try await play(broker, folder, signals)
            }
        }
    }

    private func play(_ broker: LocalBroker, _ folder: String, _ signals: UnixSignalsSequence) async throws -> Bool {
        let relay = try await TCPRelay.start(port: broker.port)
        let (configuration, _) = try AgentConfiguration.read(
            DemoConfiguration.text(port: relay.port).utf8, path: "\(folder)/demo.toml")
        say("broker", "fieldpost broker, a process of its own, on port \(broker.port)")
        say("agent", "\(configuration.sensors.count) sensors; reaches the broker through a relay on port \(relay.port)")

        let watcher = Watcher { status in
            let state = Watcher.member("state", of: status) ?? "?"
            let reason = Watcher.member("reason", of: status).map { ": \($0)" } ?? ""
            let will = reason == ": connection lost" ? "   <- the will, published by the broker" : ""
            let run =
                "boot \(Watcher.member("boot", of: status) ?? "?"), connection \(Watcher.member("connection", of: status) ?? "?")"
            say("status", "\(state)\(reason) (\(run))\(will)")
        }
        let client = MQTTClient(
            ClientConfiguration(
                endpoints: [Endpoint(host: "127.0.0.1", port: broker.port)], clientIdentifier: "watcher"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let (ending, end) = AsyncStream<StopReason>.makeStream()
        let agent = Agent(configuration, logger: Service.logger(configuration.log.level))

        async let connecting: Void = client.run()
        async let watching: Void = watcher.watch(client)
        // What is published before that reaches nobody, and would count as lost.
        try await until("somebody who watches at the broker") { await watcher.isWatching }
        async let running: Void = agent.run {
            for await reason in ending { return reason }
            return .stopped
        }

        let story = Task { try await tell(relay, watcher, configuration, broker) }
        let interrupting = Task {
            for await _ in signals {
                story.cancel()
                break
            }
        }
        var outcome: Story?
        var failure: (any Error)?
        do {
            outcome = try await story.value
        } catch {
            failure = error
        }
        interrupting.cancel()

        // The cable is mended for the goodbye, also when the story was left early.
        try? await relay.mend()
        end.yield(.stopped)
        try await running
        try? await until("the goodbye", within: .seconds(2)) {
            await watcher.status.includes("\"stopped\"") == true
        }
        let queue = try Outbox.inspect(path: configuration.queue.path).status
        await client.disconnect()
        _ = try? await (connecting, watching)
        await relay.stop()

        if let failure, !(failure is CancellationError) { throw failure }
        guard let outcome else {
            print("\nInterrupted: the agent said goodbye, and \(queue.queued) readings stay in its queue.")
            return true
        }
        return await summary(outcome, watcher, queue)
    }

    // MARK: The story

    private struct Story: Sendable {
        var willAfter = Duration.zero
        var darkness = Duration.zero
        var waited = 0
    }

    private func tell(
        _ relay: TCPRelay, _ watcher: Watcher, _ configuration: AgentConfiguration, _ broker: LocalBroker
    ) async throws -> Story {
        let queue = configuration.queue.path
        var story = Story()
        try await until("the board at the broker") { await watcher.status.includes("online") }
        try await showValues(watcher, for: Act.calm)

        let cut = ContinuousClock.now
        await relay.stall()
        say("CABLE", "cut: nothing passes any more, and neither side is told")
        let before = await watcher.statusCount
        let will = Task {
            try await until("the will") { await watcher.statusCount > before }
            return cut.duration(to: .now)
        }
        defer { will.cancel() }
        var light = cut.advanced(by: Act.darkness)
        var isKnown = false
        while .now < light || !isKnown {
            try await Task.sleep(for: .seconds(1))
            story.waited = max(story.waited, try Outbox.inspect(path: queue).status.queued)
            say("queue", "\(story.waited) readings wait in \(queue.split(separator: "/").last ?? "")")
            if !isKnown, await watcher.statusCount > before {
                isKnown = true
                light = .now.advanced(by: Act.darkness)
            }
            guard .now < cut.advanced(by: .seconds(30)) else { throw DemonstrationError.inVain("the will") }
        }
        story.willAfter = try await will.value

        try await relay.mend()
        story.darkness = cut.duration(to: .now)
        say("CABLE", "mended")
        let last = try Outbox.inspect(path: queue).status.nextSequence - 1
        try await until("the readings that waited") { await watcher.account(of: Int(last)).missing == 0 }
        say("queue", "all that waited has arrived, up to number \(last)")
        try await showValues(watcher, for: Act.afterwards)
        if keepRunning {
            say("agent", "goes on until Ctrl-C; watch it with: fieldpost sub -p \(broker.port) -v -t 'fieldpost/#'")
            try await showValues(watcher, for: nil)
        }
        return story
    }

    /// Once a second, what came; until cancelled if there is no end.
    private func showValues(_ watcher: Watcher, for time: Duration?) async throws {
        let end = time.map { ContinuousClock.now.advanced(by: $0) }
        while end.map({ .now < $0 }) ?? true {
            do {
                try await Task.sleep(for: .seconds(1))
            } catch {
                // In --keep-running this is the way to end: the story itself is told.
                if end == nil { return }
                throw error
            }
            let values = await watcher.takeLatest().sorted { $0.key < $1.key }
            if values.isEmpty { continue }
            say("values", values.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        }
    }

    private func summary(_ story: Story, _ watcher: Watcher, _ queue: OutboxStatus) async -> Bool {
        // What could not be sent any more when the agent was stopped stays in the queue, and is no loss.
        let last = Int(queue.nextSequence) - 1 - queue.queued
        let account = await watcher.account(of: last)
        let lost = queue.losses.byCause.reduce(0) { $0 + $1.count }
        let isGood = account.missing == 0 && account.outOfOrder == 0 && account.repeated == 0 && lost == 0
        print(
            """

            What the broker's side has seen, by the numbers in the payloads
              readings       \(account.arrived), numbered 1 to \(last)
              missing        \(account.missing)
              out of order   \(account.outOfOrder)
              twice          \(account.repeated)
              waited         up to \(story.waited) in SQLite, while the cable was out for \(Self.text(story.darkness))
              the will       came \(Self.text(story.willAfter)) after the cut (the broker grants 1.5 x keep-alive: 3 s)
            \(isGood ? "Nothing was lost." : "This is not what was promised: please report it.")
            """)
        return isGood
    }

    // MARK: Helpers

    private func until(
        _ what: String, within limit: Duration = .seconds(20), _ condition: @Sendable () async -> Bool
    ) async throws {
        let deadline = ContinuousClock.now.advanced(by: limit)
        while await !condition() {
            guard .now < deadline else { throw DemonstrationError.inVain(what) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func say(_ who: String, _ what: String) {
        let time = Self.text(start.duration(to: .now))
        let padding = String(repeating: " ", count: max(0, 7 - time.count))
        print("\(padding)\(time)  \(who)\(String(repeating: " ", count: max(1, 8 - who.count)))\(what)")
    }

    private static func text(_ duration: Duration) -> String {
        let tenths = (duration.milliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) s"
    }
}

internal import MQTT
internal import NIOCore
internal import NIOPosix
internal import Relay
internal import StoreForward
internal import Units
internal import UnixSignals

/// `fieldpost demo`: bins fill up and workers are sent, the board loses its network and gets it back; all real but the
/// bins and the workers.
///
///     bins ▶ agent ▶ relay, the cable ▶ broker ◀▶ dispatcher, workers
///                                         ▼
///                                      watcher: what is told
public struct Demonstration: Sendable {
    private let keepRunning: Bool
    private let print: @Sendable (String) -> Void
    private let start = ContinuousClock.now

    public init(keepRunning: Bool, print: @escaping @Sendable (String) -> Void) {
        self.keepRunning = keepRunning
        self.print = print
    }

    /// - Returns: whether everything went as promised.
    /// - Throws: ``DemonstrationError``, or what else kept it from being played.
    public func run() async throws -> Bool {
        print(
            "Three garbage bins and this machine's own sensors report to a broker, over a cable that will be cut; whoever is\n"
                + "best placed is sent to empty the bins. Bins and workers are simulated, all else is real.\n")
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        return try await TemporaryFolder.with { folder in
            try await LocalBroker.with(folder: folder) { broker in
                let dispatch = "\(folder)/dispatch.toml"
                try TemporaryFolder.put(DemoConfiguration.dispatch(port: broker.port, folder: folder), into: dispatch)
                return try await LocalProgram.with(["dispatch", "--config", dispatch], awaitsLine: false) { _ in
                    try await play(broker, folder, signals)
                }
            }
        }
    }

    private func play(_ broker: LocalBroker, _ folder: String, _ signals: UnixSignalsSequence) async throws -> Bool {
        let relay = try await TCPRelay.start(port: broker.port)
        let (configuration, _) = try AgentConfiguration.read(
            DemoConfiguration.agent(port: relay.port, folder: folder).utf8, path: "\(folder)/demo.toml")
        say("broker", "fieldpost broker, a process of its own, on port \(broker.port)")
        say("dispatch", "fieldpost dispatch, a process of its own: a worker has 3 s to answer, then the next is asked")
        say("agent", "\(configuration.sensors.count) sensors; reaches the broker through a relay on port \(relay.port)")
        say(
            "agent", "of each bin it measures the distance in m; 100 * (0.92 - distance) / 0.92 is how full it is in %,"
        )
        say("agent", "told when it has changed by 2; above 85 an alarm is raised, below 20 it is cleared")

        let watcher = Watcher { line in say(line.who, line.what) }
        let client = MQTTClient(
            ClientConfiguration(
                endpoints: [Endpoint(host: "127.0.0.1", port: broker.port)], clientIdentifier: "watcher"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let (ending, end) = AsyncStream<StopReason>.makeStream()
        let agent = Agent(configuration, logger: Service.logger(configuration.log.level))
        let park = try DemoPark(folder: folder)

        async let connecting: Void = client.run()
        async let watching: Void = watcher.watch(client)
        // What is published before that reaches nobody, and would count as lost.
        try await until("somebody who watches at the broker") { await watcher.isWatching }
        let working = DemoWorker.all.map { worker in Task { await worker.work(port: broker.port, in: park) } }
        async let running: Void = agent.run {
            for await reason in ending { return reason }
            return .stopped
        }

        let story = Story(
            demonstration: self, relay: relay, watcher: watcher, park: park, queue: configuration.queue.path)
        let telling = Task {
            try await withThrowingTaskGroup(of: Story.Outcome?.self) { tasks in
                tasks.addTask {
                    try await park.run()
                    return nil
                }
                tasks.addTask {
                    let outcome = try await story.tell()
                    if keepRunning { await goOn(broker, park) }
                    return outcome
                }
                defer { tasks.cancelAll() }
                for try await outcome in tasks where outcome != nil { return outcome }
                return nil
            }
        }
        let showing = Task { try await showValues(watcher) }
        let interrupting = Task {
            for await _ in signals {
                telling.cancel()
                break
            }
        }
        var outcome: Story.Outcome?
        var failure: (any Error)?
        do {
            outcome = try await telling.value
        } catch {
            failure = error
        }
        interrupting.cancel()
        showing.cancel()

        // The cable is mended for the goodbye, also when the story was left early. The board may have to connect again
        // first: the old connection is lost with what was swallowed of it.
        let wasCut = await relay.isBroken
        try? await relay.mend()
        if wasCut {
            let before = await watcher.signsOfLife
            try? await until("the board again", within: .seconds(5)) { await watcher.signsOfLife > before }
        }
        end.yield(.stopped)
        try await running
        try? await until("the goodbye", within: .seconds(5)) { await watcher.state.reason == "stopped" }
        let queue = try Outbox.inspect(path: configuration.queue.path).status
        for worker in working { worker.cancel() }
        for worker in working { await worker.value }
        await client.disconnect()
        _ = try? await (connecting, watching)
        await relay.stop()

        if let failure, !(failure is CancellationError) { throw failure }
        guard let outcome else {
            print("\nInterrupted: the agent said goodbye, and \(queue.queued) messages stay in its queue.")
            return true
        }
        return await summary(outcome, watcher, queue)
    }

    /// Until cancelled.
    private func goOn(_ broker: LocalBroker, _ park: DemoPark) async {
        await park.goOn()
        say("agent", "goes on until Ctrl-C; watch it with: fieldpost sub -p \(broker.port) -v -t 'fieldpost/#'")
        // This is the way to end: the story itself is told.
        while (try? await Task.sleep(for: .seconds(3600))) != nil {}
    }

    /// Once a second, what came; until cancelled.
    private func showValues(_ watcher: Watcher) async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            let values = await watcher.takeLatest().sorted { $0.key < $1.key }
            if values.isEmpty { continue }
            say("values", values.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        }
    }

    private func summary(_ outcome: Story.Outcome, _ watcher: Watcher, _ queue: OutboxStatus) async -> Bool {
        // What could not be sent any more when the agent was stopped stays in the queue, and is no loss.
        let last = Int(queue.nextSequence) - 1 - queue.queued
        let account = await watcher.account(of: last, answers: watcher.answers)
        let lost = queue.losses.byCause.reduce(0) { $0 + $1.count }
        let isGood = account.missing == 0 && account.outOfOrder == 0 && account.repeated == 0 && lost == 0
        let (raised, acknowledged, cleared) = Self.alarms(await watcher.events)
        // Who goes on until Ctrl-C may leave some in the middle.
        let good = raised == cleared ? "Nothing was lost, and every alarm was seen to." : "Nothing was lost."
        print(
            """

            What the broker's side has seen, by the numbers in the payloads
              messages       \(account.arrived), numbered 1 to \(last)
              missing        \(account.missing)
              out of order   \(account.outOfOrder)
              twice          \(account.repeated)
              waited         up to \(outcome.waited) in SQLite, while the cable was out for \(Self.text(outcome.darkness))
              the will       came \(Self.text(outcome.willAfter)) after the cut (the broker grants 1.5 x keep-alive: 3 s)
              alarms         \(raised) raised, \(acknowledged) acknowledged by whoever went, \(cleared) cleared
              the late one   came \(Self.text(outcome.alarmDelay)) after it was raised, with its own time
            \(isGood ? good : "This is not what was promised: please report it.")
            """)
        return isGood
    }

    private static func alarms(_ events: [Narrator.Event: Int]) -> (raised: Int, acknowledged: Int, cleared: Int) {
        events.reduce(into: (0, 0, 0)) { sums, entry in
            switch entry.key {
            case .raised: sums.0 += entry.value
            case .acknowledged: sums.1 += entry.value
            case .cleared: sums.2 += entry.value
            case .asked, .unanswered, .goes, .emptied, .withdrawn: break
            }
        }
    }

    // MARK: Helpers

    /// - Throws: ``DemonstrationError/inVain(_:)`` when it takes longer: slow machines are given time.
    func until(
        _ what: String, within limit: Duration = .seconds(60), _ condition: @Sendable () async -> Bool
    ) async throws {
        let deadline = ContinuousClock.now.advanced(by: limit)
        while await !condition() {
            guard .now < deadline else { throw DemonstrationError.inVain(what) }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    func say(_ who: String, _ what: String) {
        let time = Self.text(start.duration(to: .now))
        let padding = String(repeating: " ", count: max(0, 7 - time.count))
        print("\(padding)\(time)  \(who)\(String(repeating: " ", count: max(1, 10 - who.count)))\(what)")
    }

    static func text(_ duration: Duration) -> String {
        let tenths = (duration.milliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) s"
    }
}

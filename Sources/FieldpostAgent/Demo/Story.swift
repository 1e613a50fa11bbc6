internal import MQTT
internal import MQTTWire
internal import Pipeline
internal import Relay
internal import StoreForward
internal import Units

/// The story, act by act. It moves the park and the cable; whether anything came of it, the watcher says.
struct Story: Sendable {
    let demonstration: Demonstration
    let relay: TCPRelay
    let watcher: Watcher
    let park: DemoPark
    /// The agent's.
    let queue: String

    struct Outcome: Sendable {
        var willAfter = Duration.zero
        var darkness = Duration.zero
        /// Messages.
        var waited = 0
        var alarmDelay = Duration.zero
    }

    /// How long the parts take, apart from what is waited for.
    private enum Act {
        static let filling = Duration.seconds(5)
        static let darkness = Duration.seconds(3)
        static let afterwards = Duration.seconds(2)
    }

    private var lateBin: String { "bin-3" }

    func tell() async throws -> Outcome {
        var outcome = Outcome()
        try await demonstration.until("the board at the broker") { await watcher.state.name == "online" }
        try await demonstration.until("three workers at the broker") { await watcher.workers.count == 3 }
        await park.fill("bin-1", to: 60, within: .seconds(60))
        try await fillAndEmpty("bin-2")
        try await goDark(&outcome)
        try await seeTo(lateBin)
        try await Task.sleep(for: Act.afterwards)
        return outcome
    }

    // MARK: An alarm

    private func fillAndEmpty(_ bin: String) async throws {
        await park.fill(bin, to: 90, within: Act.filling)
        let alarm = DemoConfiguration.alarm(of: bin)
        try await hear("the alarm of \(bin)", .raised(alarm: alarm))
        try await hear("anna to be asked", .asked(alarm: alarm, worker: "anna"))
        try await hear("anna's time to be over", .unanswered(alarm: alarm, worker: "anna"))
        try await hear("bo to be asked", .asked(alarm: alarm, worker: "bo"))
        try await seeTo(bin)
    }

    /// Somebody goes, and empties it.
    private func seeTo(_ bin: String) async throws {
        let alarm = DemoConfiguration.alarm(of: bin)
        let worker = try await heard("somebody to go to \(bin)") { event in
            if case .goes(alarm, let worker) = event { worker } else { nil }
        }
        try await hear("\(worker)'s acknowledgement at the board", .acknowledged(alarm: alarm, by: worker))
        try await hear("\(bin) to be emptied", .emptied(bin: bin))
        try await hear("the alarm of \(bin) to be cleared", .cleared(alarm: alarm))
        try await hear("\(worker)'s task to be withdrawn", .withdrawn(alarm: alarm, worker: worker))
    }

    private func hear(_ what: String, _ event: Narrator.Event) async throws {
        try await demonstration.until(what) { await watcher.knows(event) }
    }

    private func heard(_ what: String, _ worker: @Sendable (Narrator.Event) -> String?) async throws -> String {
        try await demonstration.until(what) { await watcher.events.keys.contains { worker($0) != nil } }
        guard let name = await watcher.events.keys.lazy.compactMap(worker).first else {
            throw DemonstrationError.inVain(what)
        }
        return name
    }

    // MARK: The cable

    private func goDark(_ outcome: inout Outcome) async throws {
        let cut = ContinuousClock.now
        let (before, answers) = await (watcher.wills, watcher.answers)
        await relay.stall()
        demonstration.say("CABLE", "cut: nothing passes any more, and neither side is told")
        await park.fill(lateBin, to: 90, within: .seconds(2))
        let will = Task {
            try await demonstration.until("the will") { await watcher.wills > before }
            return cut.duration(to: .now)
        }
        defer { will.cancel() }
        var light = cut.advanced(by: Act.darkness)
        var (isKnown, hasAlarm) = (false, false)
        while .now < light || !isKnown || !hasAlarm {
            try await Task.sleep(for: .seconds(1))
            let (status, messages) = try Outbox.inspect(path: queue, limit: 20)
            outcome.waited = max(outcome.waited, status.queued)
            demonstration.say("queue", "\(status.queued) messages wait in \(queue.split(separator: "/").last ?? "")")
            if !hasAlarm, messages.contains(where: isLateAlarm) {
                hasAlarm = true
                demonstration.say("queue", "an alarm is among them: \(DemoConfiguration.alarm(of: lateBin))")
            }
            if !isKnown, await watcher.wills > before {
                isKnown = true
                light = .now.advanced(by: Act.darkness)
            }
            guard .now < cut.advanced(by: .seconds(90)) else {
                throw DemonstrationError.inVain(isKnown ? "an alarm in the queue" : "the will")
            }
        }
        outcome.willAfter = try await will.value

        let mended = Timestamp.now()
        try await relay.mend()
        outcome.darkness = cut.duration(to: .now)
        demonstration.say("CABLE", "mended")
        let last = try Outbox.inspect(path: queue).status.nextSequence - 1
        try await demonstration.until("what waited") {
            await watcher.account(of: Int(last), answers: answers).missing <= 0
        }
        demonstration.say("queue", "all that waited has arrived, up to number \(last)")
        let alarm = DemoConfiguration.alarm(of: lateBin)
        try await hear("the alarm of \(lateBin)", .raised(alarm: alarm))
        guard let times = await watcher.times(of: alarm), times.raised < mended else {
            throw DemonstrationError.inVain("an alarm that has its own time, from before the cable was mended")
        }
        outcome.alarmDelay = times.heard - times.raised
    }

    private func isLateAlarm(_ queued: QueuedMessage) -> Bool {
        queued.message.topic.string.hasSuffix("/alarm/\(DemoConfiguration.alarm(of: lateBin))")
    }
}

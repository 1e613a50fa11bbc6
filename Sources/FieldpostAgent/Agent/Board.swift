internal import MQTT
internal import MQTTWire
internal import Sensing
internal import StoreForward
internal import Units

/// The board's presence, shared by those who change it and those who tell it.
actor Board {
    private(set) var presence: Presence
    private let outbox: Outbox
    private let bridge: BridgeCounters?
    private let manager: ServiceManager?
    /// Whose counters the status tells.
    private var runner: SensorRunner?
    /// One element when there may be something to tell; what comes while nobody looks is told once.
    nonisolated let bell: AsyncStream<Void>
    private let ringing: AsyncStream<Void>.Continuation

    /// There is something that the fleet has not been told.
    private(set) var hasNews = false
    /// Messages beyond these, in a status, are a backlog.
    private let backlog: Int
    private var hasToldOfBacklog = false

    init(
        _ presence: Presence, outbox: Outbox, bridge: BridgeCounters?, sensors: Int, manager: ServiceManager?
    ) {
        self.presence = presence
        self.outbox = outbox
        self.bridge = bridge
        self.manager = manager
        backlog = 16 + 2 * sensors
        (bell, ringing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func watch(_ runner: SensorRunner) { self.runner = runner }

    /// Looks whether there is something to tell.
    nonisolated func ring() { ringing.yield() }

    func announce() {
        hasNews = true
        ring()
    }

    func set(_ sensor: String, failing reason: String?) async {
        guard presence.failing[sensor] != reason else { return }
        presence.failing[sensor] = reason
        announce()
        await manager?.update { status in
            status.failing.removeAll { $0 == sensor }
            if reason != nil { status.failing.append(sensor) }
        }
    }

    func set(possibleDuplicates count: Int) {
        guard presence.possibleDuplicates != count else { return }
        presence.possibleDuplicates = count
        announce()
    }

    /// Takes that it was another time than the clock has said, since the clock was not set then.
    func retime(_ corrected: (Timestamp) -> Timestamp) {
        let since = corrected(presence.since)
        guard presence.since != since else { return }
        presence.since = since
        announce()
    }

    /// A status did not reach the broker: its news are for the next one.
    func notTold() { hasNews = true }

    /// The status as it is now; everything it says counts as told. Whoever fails to tell it calls ``notTold()``.
    func online() async -> Message {
        hasNews = false
        let queue = try? await outbox.status()
        hasToldOfBacklog = (queue?.queued ?? 0) > backlog
        return present(queue)
    }

    /// The same for somebody who asks; the others have yet to be told.
    func answer() async -> Message { present(try? await outbox.status()) }

    private func present(_ queue: OutboxStatus?) -> Message {
        let overruns = (runner?.counters ?? []).map { (sensor: $0.sensor, count: $0.counters.overruns) }
        return presence.online(
            queue, bridge?.current, overruns: overruns.filter { $0.count > 0 }.sorted { $0.count > $1.count })
    }

    /// What the next connection says of us, first in its will and then in the status that makes it untrue.
    func introduce(connection: Int) async -> (will: Will, birth: Message) {
        presence.connection = connection
        presence.since = .now()
        return (presence.will, await online())
    }

    // MARK: The service manager

    /// The agent begins; nothing of another one's status counts any more.
    func begin() async {
        let (backlog, queue) = (backlog, await outbox.summary)
        await manager?.update { status in
            status.connection = .connecting(since: .now())
            status.failing = []
            status.clients = nil
            status.usualQueue = backlog
            (status.queued, status.queueFailure) = queue
        }
    }

    func tell(_ event: ClientEvent) async { await manager?.update { $0.apply(event, at: .now()) } }

    /// Goes on until cancelled.
    func tellOfQueue() async {
        guard let manager else { return }
        while (try? await Task.sleep(for: ServiceManager.inquiryInterval)) != nil {
            let queue = await outbox.summary
            await manager.update { ($0.queued, $0.queueFailure) = queue }
        }
    }

    // MARK: A backlog

    /// How long to wait before looking at the queue again.
    var patience: Duration { hasToldOfBacklog ? .seconds(1) : .seconds(5) }

    /// Whether this status, which stands in our topic, says that we are not there (P2). Our own last goodbye cannot be
    /// meant: whoever says goodbye has ceased to listen.
    nonisolated func isContradicted(by status: String) -> Bool { status.hasPrefix(#"{"state":"offline""#) }

    /// The fleet was told of a backlog that is gone now: it should not have to believe in it until the next status.
    func noticeEmptyQueue() async {
        guard hasToldOfBacklog, let queue = try? await outbox.status(), queue.queued <= backlog else { return }
        hasToldOfBacklog = false
        announce()
    }
}

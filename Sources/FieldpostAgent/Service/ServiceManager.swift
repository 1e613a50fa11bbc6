internal import Database
internal import Logging
internal import MQTTServer
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif
#if canImport(SwiftOverlayShims)
// Where the compiler believes timespec to be at home, see Timestamp.
internal import SwiftOverlayShims
#endif

/// The service manager that has started this process and wants to know how it fares (`Type=notify`, `WatchdogSec=`).
///
/// It runs on a thread of its own: what it has to say of the others must not wait for them.
///
/// **Ready** is a service when its configuration is read, its queue is open, its sensors are being read, and the broker
/// inside it, if there is one, listens. It does not wait for the broker upstream: a board without a network does all of
/// its work, and must neither hold up the start of others nor be given up as failed to start. How the connection fares
/// is in the status.
actor ServiceManager {
    nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private nonisolated let thread = DatabaseThread(name: "fieldpost-watch")
    private let socket: NotifySocket
    private let logger: Logger
    private var announcements = Announcements()
    private var status = ServiceStatus(activity: "starting")
    private var watchdog: Watchdog?
    private var questions: [Int: VitalPart.Question] = [:]
    private var nextTick: Duration?
    private var isStopping = false
    private var hasFailed = false

    /// A part of the service that can be asked whether it lives.
    struct VitalPart: Sendable {
        typealias Question = @Sendable (_ answer: @escaping @Sendable (_ isAlive: Bool) -> Void) -> Void

        var name: String
        var ask: Question

        /// - Parameter ask: must return at once; the answer comes from any thread, once, or never if the part hangs.
        init(_ name: String, ask: @escaping Question) {
            self.name = name
            self.ask = ask
        }

        /// Of a broker.
        init(_ part: (name: String, ask: @Sendable (_ answer: @escaping @Sendable () -> Void) -> Void)) {
            self.init(part.name) { answer in part.ask { answer(true) } }
        }
    }

    /// - Returns: nil if no service manager wants to be told anything, or it cannot be: the log says so then.
    static func start(_ environment: ServiceEnvironment? = .current, logger: Logger) -> ServiceManager? {
        guard let environment else { return nil }
        do {
            let manager = ServiceManager(
                try NotifySocket(environment.notifySocket), watchdog: environment.watchdog, logger)
            try manager.thread.start { [weak manager] in manager?.assumeIsolated { $0.work() } }
            return manager
        } catch {
            let reason =
                (error as? NotifySocket.Unusable)?.reason ?? (error as? DatabaseThread.NotStarted)?.reason ?? "\(error)"
            logger.warning("the service manager is told nothing", metadata: ["reason": "\(reason)"])
            return nil
        }
    }

    private init(_ socket: NotifySocket, watchdog interval: Duration?, _ logger: Logger) {
        self.socket = socket
        self.logger = logger
        watchdog = interval.map { Watchdog(interval: $0) }
    }

    deinit { thread.stop() }

    // MARK: What it is told

    /// The service is ready, for the first time or again after ``reload()``.
    ///
    /// - Parameter parts: all of those that must live; nil: those from before.
    func ready(_ parts: [VitalPart]? = nil) {
        if let parts { watch(parts) }
        status.activity = nil
        announce(.ready)
    }

    /// A new configuration was asked for.
    func reload() {
        status.activity = "reloading"
        status.refusal = nil
        announce(.reloading(microseconds: Self.now().microseconds))
    }

    /// As before, whatever came of ``reload()``.
    ///
    /// - Parameter refusal: where the new configuration is wrong.
    func ready(refusing refusal: String?) {
        status.refusal = refusal
        ready()
    }

    /// The present parts end, and others will be ``ready(_:)``.
    func pause() {
        questions = [:]
        watchdog?.pause("restart of the agent", at: Self.now())
    }

    /// It ends, within so long.
    func stop(within time: Duration) {
        guard !isStopping else { return }
        isStopping = true
        status.activity = "stopping"
        announce(.stopping(within: time))
    }

    /// Changes what the status says.
    func update(_ change: @Sendable (inout ServiceStatus) -> Void) {
        change(&status)
        work()
    }

    /// Keeps the status up to date with a broker, until cancelled.
    func follow(_ server: MQTTServer) async {
        repeat {
            let (clients, failure) = (await server.statistics.connectedClients, await server.storeFailure)
            update { ($0.clients, $0.storeFailure) = (clients, failure) }
        } while (try? await Task.sleep(for: Self.inquiryInterval)) != nil
    }

    /// How often those are asked that do not tell by themselves.
    static let inquiryInterval = Duration.seconds(5)

    // MARK: The watchdog

    private func watch(_ parts: [VitalPart]) {
        guard let ids = watchdog?.watch(parts.map(\.name)) else { return }
        questions = Dictionary(uniqueKeysWithValues: zip(ids, parts.map(\.ask)))
        nextTick = nextTick ?? Self.now()
    }

    private func tick(at now: Duration) {
        guard let result = watchdog?.tick(at: now), let period = watchdog?.period else { return }
        nextTick = now + period
        if result.isAlive { announcements.add(.watchdog, at: now) }
        for id in result.asks {
            questions[id]? { [weak self, thread] isAlive in
                thread.perform { [weak self] in self?.assumeIsolated { $0.answered(id, isAlive) } }
            }
        }
        guard !result.hanging.isEmpty else { return }
        showHanging()
        for silence in result.hanging {
            logger.error(
                "a part of the service hangs; the service manager will end it unless it comes back",
                metadata: ["part": "\(silence.name)", "silent-for": "\(silence.time.compact)"])
        }
    }

    private func answered(_ id: Int, _ isAlive: Bool) {
        guard let silence = watchdog?.answered(id, isAlive: isAlive, at: Self.now()) else { return }
        showHanging()
        logger.notice(
            "a part of the service is back",
            metadata: ["part": "\(silence.name)", "silent-for": "\(silence.time.compact)"])
        work()
    }

    private func showHanging() { status.hanging = watchdog?.hanging ?? [] }

    // MARK: Telling it

    private func announce(_ change: Announcements.Change) {
        announcements.set(status: status.text)
        announcements.add(change, at: Self.now())
        work()
    }

    /// Does all that is due, and sets the timer for what is not.
    private func work() {
        let now = Self.now()
        if let nextTick, nextTick <= now { tick(at: now) }
        announcements.set(status: status.text)
        while let datagram = announcements.next(at: now) {
            switch socket.send(datagram) {
            case .sent: announcements.sent(at: now)
            case .full: announcements.full(at: now)
            case .failed(let code):
                announcements.sent(at: now)
                if !hasFailed {
                    logger.warning(
                        "the service manager cannot be told", metadata: ["reason": "\(String(cString: strerror(code)))"]
                    )
                }
                hasFailed = true
            }
        }
        for due in [nextTick, announcements.due] { if let due { thread.setTimer(after: max(due - now, .zero)) } }
    }

    /// Of CLOCK_MONOTONIC, as the service manager counts.
    private static func now() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return .seconds(Int64(time.tv_sec)) + .nanoseconds(Int64(time.tv_nsec))
    }
}

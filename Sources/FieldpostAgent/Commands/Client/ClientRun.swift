internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import Units
internal import UnixSignals

/// Runs a client for a command, until the first of: the command's work is done, it failed, its time has passed, the
/// first connection failed, a signal came. Says goodbye to the broker in each case.
struct ClientRun: Sendable {
    enum Verdict: Sendable {
        case done
        case interrupted
        case failed(CommandFailure)
    }

    var settings: ClientSettings
    var store: any SessionStore = MemoryStore()
    /// From the first connection on.
    var timeout: Duration?
    /// Whether the work begins with the first connection, and not at once.
    var waitsForConnection = false
    /// Whether a broker that is lost is looked for until it is found, and not just once more.
    var isPatient: @Sendable () async -> Bool
    var work: @Sendable (MQTTClient) async throws -> Void

    func callAsFunction() async -> Verdict {
        // Not a group of our own, which would have to be shut down: the work may still be with its input, which cannot
        // be called back, and come to the client late. The process ends soon.
        NIOSingletons.groupLoopCountSuggestion = 1
        let client = MQTTClient(
            settings.configuration, store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next(),
            logger: settings.logger)
        let (verdicts, verdict) = AsyncStream<Verdict>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let (connections, connected) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))
        if !waitsForConnection { connected.yield() }
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
        let tasks = [
            Task { for await _ in signals { verdict.yield(.interrupted) } },
            Task { await watch(client, verdict) { connected.yield() } },
            Task {
                for await _ in connections { break }
                guard !Task.isCancelled else { return }
                do {
                    try await work(client)
                    verdict.yield(.done)
                } catch let failure as CommandFailure {
                    verdict.yield(.failed(failure))
                } catch {
                    verdict.yield(.failed(CommandFailure(.refused, "\(error)")))
                }
            },
        ]
        let running = Task { await client.run() }
        var result = Verdict.interrupted
        for await first in verdicts {
            result = first
            break
        }
        await client.disconnect()
        await running.value
        for task in tasks { task.cancel() }
        let repeated = await client.statistics.possibleDuplicates
        if repeated > 0 {
            settings.say(
                "the session was lost \(repeated == 1 ? "with a message" : "with \(repeated) messages") under way: sent anew, may arrive twice"
            )
        }
        return result
    }

    private static func text(_ delay: Duration) -> String { Duration.milliseconds(delay.milliseconds).compact }

    private func watch(
        _ client: MQTTClient, _ verdict: AsyncStream<Verdict>.Continuation, didConnect: () -> Void
    ) async {
        var timer: Task<Void, Never>?
        defer { timer?.cancel() }
        var hasConnected = false
        var completed = 0
        var futile = 0
        var redirects = 0
        for await event in client.events {
            switch event {
            case .connected:
                if !hasConnected, let timeout {
                    timer = Task {
                        guard (try? await Task.sleep(for: timeout)) != nil else { return }
                        verdict.yield(.failed(CommandFailure(.timedOut, "timed out after \(timeout.compact)")))
                    }
                }
                hasConnected = true
                redirects = 0
                didConnect()
            // The broker has named another one, which is asked soon; if not, the client waits for longer.
            case .connectFailed(let endpoint, let reason, let delay?)
            where reason.isRedirect && delay <= .seconds(1) && redirects < 4:
                redirects += 1
                settings.say("\(endpoint): \(reason); asking there")
            case .connectFailed(let endpoint, let reason, let delay):
                let failure = CommandFailure(endpoint, reason)
                guard hasConnected, await isPatient() else {
                    verdict.yield(.failed(failure))
                    return
                }
                settings.say("\(failure); trying again in \(Self.text(delay ?? .zero))")
            case .disconnected(let reason, let delay?):
                let now = await client.statistics.completed
                futile = now > completed ? 0 : futile + 1
                completed = now
                let lost = "the connection was lost: \(reason)"
                if futile >= 3, !(await isPatient()) {
                    verdict.yield(.failed(CommandFailure(.unavailable, lost)))
                    return
                }
                settings.say("\(lost); trying again in \(Self.text(delay))")
            case .disconnected(_, nil): break
            }
        }
    }
}

extension ConnectFailure {
    fileprivate var isRedirect: Bool { reasonCode == .useAnotherServer || reasonCode == .serverMoved }
}

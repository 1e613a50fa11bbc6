internal import MQTTServer
internal import MQTTWire
internal import Synchronization
internal import Units

/// What a bridge needs of the broker inside before there is a bridge: the broker's hooks, which stay while agents, and
/// with them rules, come and go.
///
/// - Nobody comes in before the bridge has subscribed: what was acknowledged before would not be carried (D1).
/// - Nobody else is the bridge: its session holds what others wait for.
/// - Messages that will be carried get their time when they are accepted (T1).
final class BridgeAdmission: Sendable {
    private struct State: Sendable {
        /// Of messages that are to have their time.
        var stamped: [TopicFilter] = []
        var isOpen = true
        var lastNumber = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    /// - Parameter isStarting: the broker is about to start.
    func prepare(_ rules: [BridgeRule], isStarting: Bool) {
        state.withLock { state in
            state.stamped = rules.filter { $0.goesOut && $0.stamp != .none }.flatMap { $0.outward?.filters ?? [] }
            if isStarting { state.isOpen = !rules.contains(where: \.goesOut) }
        }
    }

    /// The bridge has subscribed, or cannot.
    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume() }
    }

    func add(to hooks: inout ServerHooks) {
        let validate = hooks.validateConnection
        hooks.validateConnection = { [self] request in
            if request.client.identifier == Bridge.clientIdentifier { return .refuse(.clientIdentifierNotValid) }
            // What nobody lets in need not wait.
            if !request.verdict.isError || validate != nil { await untilOpen() }
            if let validate { return await validate(request) }
            return request.verdict.isError ? .refuse(request.verdict) : .accept
        }
        let intercept = hooks.interceptPublish
        hooks.interceptPublish = { [self] message, client in
            if let client, client.identifier != Bridge.clientIdentifier { stamp(&message) }
            return intercept?(&message, client) ?? .accept
        }
    }

    private func stamp(_ message: inout ServerMessage) {
        let isStamped = state.withLock { state in state.stamped.contains { $0.matches(message.topic) } }
        if isStamped { AcceptanceTime(.now()).write(to: &message.properties) }
    }

    /// The server has the last word on how long.
    private func untilOpen() async {
        let number = state.withLock { state -> Int? in
            guard !state.isOpen else { return nil }
            state.lastNumber += 1
            return state.lastNumber
        }
        guard let number else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    guard !state.isOpen, !Task.isCancelled else { return false }
                    state.waiting[number] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }
}

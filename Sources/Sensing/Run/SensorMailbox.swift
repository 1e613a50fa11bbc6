internal import Synchronization
internal import Units

/// Why a sensor that waits is woken.
enum Wake: Sendable {
    case due
    case readable
    case asked
    /// Its descriptor cannot be waited for.
    case deaf(SensorError)
}

/// What somebody wants of a sensor's driver, between its reads.
struct SensorRequest: Sendable {
    let perform: @Sendable (inout any SensorDriver, Timestamp) throws(SensorError) -> [Measurement]
    let outcome: Outcome<SensorResult>
}

/// Where requests to one sensor wait until its task takes them, which they wake.
final class SensorMailbox: Sendable {
    /// More than this is no conversation but a flood.
    private static let limit = 16

    private struct State {
        var requests: [SensorRequest] = []
        /// What the sensor's task waits for.
        var waiting: Outcome<Wake>?
        var isOpen = false
    }

    private let state = Mutex(State())

    func open() { state.withLock { $0.isOpen = true } }

    /// Nobody will take requests any more; those that wait are answered.
    func close() {
        let requests = state.withLock { state in
            state.isOpen = false
            defer { state.requests = [] }
            return state.requests
        }
        for request in requests { request.outcome.settle(.failure(CancellationError())) }
    }

    /// - Returns: false if it was not taken.
    func put(_ request: SensorRequest) -> Bool {
        let waiting: (isTaken: Bool, outcome: Outcome<Wake>?) = state.withLock { state in
            guard state.isOpen, state.requests.count < Self.limit else { return (false, nil) }
            state.requests.append(request)
            return (true, state.waiting)
        }
        waiting.outcome?.settle(.success(.asked))
        return waiting.isTaken
    }

    /// The oldest request.
    func take() -> SensorRequest? {
        state.withLock { $0.requests.isEmpty ? nil : $0.requests.removeFirst() }
    }

    /// Waits for a time, a descriptor or a request, whatever comes first. Nil when the task is cancelled.
    ///
    /// - Parameter hasBeenDue: the last wake was for the time: one that has passed again must not keep the others waiting.
    func wait(
        until time: ContinuousClock.Instant?, for descriptor: Int32?, of watch: DescriptorWatch,
        hasBeenDue: Bool = false
    ) async -> Wake? {
        if let time, time <= .now {
            if Task.isCancelled { return nil }
            guard hasBeenDue else { return .due }
            if state.withLock({ !$0.requests.isEmpty }) { return .asked }
            return descriptor.map(DescriptorWatch.isReadable) == true ? .readable : .due
        }
        let outcome = Outcome<Wake>()
        let isAsked = state.withLock { state in
            state.waiting = outcome
            return !state.requests.isEmpty
        }
        defer { state.withLock { $0.waiting = nil } }
        if isAsked { return Task.isCancelled ? nil : .asked }
        if let descriptor {
            do throws(SensorError) {
                try watch.wait(for: descriptor) { outcome.settle(.success(.readable)) }
            } catch {
                return .deaf(error)
            }
        }
        defer { if let descriptor { watch.forget(descriptor) } }
        let timer = time.map { time in
            Task {
                try await ContinuousClock().sleep(until: time)
                outcome.settle(.success(.due))
            }
        }
        defer { timer?.cancel() }
        return await withTaskCancellationHandler {
            try? await outcome.value()
        } onCancel: {
            outcome.settle(.failure(CancellationError()))
        }
    }
}

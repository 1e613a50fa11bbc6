import Synchronization

/// The one thread on which programs are started.
///
/// The kernel kills a child (`PR_SET_PDEATHSIG`) when the *thread* that started it ends. The threads of ``BlockingPool``
/// come and go; this one stays as long as the agent does, and is begun when the first program is started.
enum ProcessStarter {
    private struct State {
        var isRunning = false
        var jobs: [@Sendable () -> Void] = []
    }

    private static let state = Mutex(State())
    private static let jobWaits = Semaphore()

    private final class Slot<Value: Sendable>: Sendable {
        let value = Mutex<Value?>(nil)
        let isFilled = Semaphore()
    }

    /// Does `work` on that thread and waits for it; nil if the system gives no thread.
    static func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) -> Value? {
        let slot = Slot<Value>()
        let isAccepted = state.withLock { state in
            if !state.isRunning { state.isRunning = WorkerThread.start(serve) }
            guard state.isRunning else { return false }
            state.jobs.append {
                let value = work()
                slot.value.withLock { $0 = value }
                slot.isFilled.signal()
            }
            return true
        }
        guard isAccepted else { return nil }
        jobWaits.signal()
        // A start takes milliseconds; the wait's length is of no importance.
        while !slot.isFilled.wait(atMost: 60) {}
        return slot.value.withLock { $0 }
    }

    @Sendable private static func serve() {
        while true {
            guard jobWaits.wait(atMost: 3600) else { continue }
            let job = state.withLock { $0.jobs.isEmpty ? nil : $0.jobs.removeFirst() }
            job?()
        }
    }
}

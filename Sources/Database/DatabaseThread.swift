internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A thread that runs one actor's jobs in order, and beside them one timer.
///
/// SQLite blocks for as long as the disk takes. On this thread it holds up neither the event loop nor the tasks of
/// others, and all use of the connection is in one place.
///
/// `@unchecked Sendable`: every stored variable is read and written only between `lock` and `unlock`, apart from the
/// mutex, the condition and `hasErrands`, which exist to be shared, and `onTimer`, which is set once before the thread
/// is started.
package final class DatabaseThread: SerialExecutor, @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wakeUp: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [UnownedJob] = []
    private var errands: [@Sendable () -> Void] = []
    /// Whether it is worth the lock to look for errands.
    private let hasErrands = Atomic(false)
    /// Nanoseconds of CLOCK_MONOTONIC; nil: no timer is set.
    private var deadline: Int64?
    private var isStopping = false
    private var thread = pthread_t()
    private var onTimer: (@Sendable () -> Void)?
    private let name: StaticString

    /// - Parameter name: what `top -H` shows, at most 15 bytes.
    package init(name: StaticString) {
        self.name = name
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        wakeUp = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(wakeUp, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(wakeUp)
        wakeUp.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Starts the thread, which keeps this object alive until `stop`.
    ///
    /// - Parameter onTimer: is called on the thread when the timer is due.
    package func start(onTimer: @escaping @Sendable () -> Void = {}) throws(NotStarted) {
        lock()
        defer { unlock() }
        self.onTimer = onTimer
        let context = Unmanaged.passRetained(self)
        var started = pthread_t()
        let code = pthread_create(
            &started, nil,
            { context in
                if let context { Unmanaged<DatabaseThread>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw NotStarted(reason: String(cString: strerror(code)))
        }
        thread = started
        pthread_detach(started)
    }

    package struct NotStarted: Error {
        package var reason: String
    }

    /// Lets the thread end once its jobs are done.
    package func stop() {
        lock()
        isStopping = true
        pthread_cond_signal(wakeUp)
        unlock()
    }

    package func enqueue(_ job: UnownedJob) {
        // Once it is in the list, the job may run, end, and let go of the actor and of this object with it, while
        // `unlock` still looks at the mutex.
        let alive = Unmanaged.passRetained(self)
        defer { alive.release() }
        lock()
        jobs.append(job)
        pthread_cond_signal(wakeUp)
        unlock()
    }

    /// Calls `errand` on the thread as soon as its present job is done, however many wait: so a thread that is busy tells
    /// that it is not stuck. What comes when the thread has ended is not called.
    package func perform(_ errand: @escaping @Sendable () -> Void) {
        let alive = Unmanaged.passRetained(self)
        defer { alive.release() }
        lock()
        errands.append(errand)
        hasErrands.store(true, ordering: .relaxed)
        pthread_cond_signal(wakeUp)
        unlock()
    }

    package func checkIsolated() {
        lock()
        defer { unlock() }
        precondition(pthread_equal(thread, pthread_self()) != 0, "not on the database's thread")
    }

    /// Sets the timer, unless it is set to an earlier time already.
    package func setTimer(after delay: Duration) {
        let (seconds, attoseconds) = delay.components
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let due = overflow ? Int64.max : Self.now() &+ nanoseconds &+ attoseconds / 1_000_000_000
        lock()
        deadline = min(deadline ?? .max, max(due, 0))
        unlock()
    }

    package func clearTimer() {
        lock()
        deadline = nil
        unlock()
    }

    /// Jobs go before the timer: what has gathered while the disk was busy is then committed together.
    private func run() {
        showName()
        lock()
        while true {
            if !jobs.isEmpty {
                let batch = jobs
                jobs.removeAll()
                unlock()
                for job in batch {
                    job.runSynchronously(on: asUnownedSerialExecutor())
                    if hasErrands.load(ordering: .relaxed) { runErrands() }
                }
                lock()
                if !isTimerDue { continue }
            }
            if isTimerDue {
                deadline = nil
                let onTimer = onTimer
                unlock()
                onTimer?()
                lock()
            } else if !errands.isEmpty {
                unlock()
                runErrands()
                lock()
            } else if jobs.isEmpty {
                if isStopping { break }
                wait()
            }
        }
        unlock()
    }

    private func runErrands() {
        lock()
        let present = errands
        errands.removeAll()
        hasErrands.store(false, ordering: .relaxed)
        unlock()
        for errand in present { errand() }
    }

    private var isTimerDue: Bool { deadline.map { $0 <= Self.now() } ?? false }

    private func wait() {
        guard let deadline else {
            pthread_cond_wait(wakeUp, mutex)
            return
        }
        var time = timespec()
        time.tv_sec = time_t(clamping: deadline / 1_000_000_000)
        time.tv_nsec = Int(deadline % 1_000_000_000)
        pthread_cond_timedwait(wakeUp, mutex, &time)
    }

    private func lock() { pthread_mutex_lock(mutex) }
    private func unlock() { pthread_mutex_unlock(mutex) }

    /// Glibc hides pthread_setname_np from Swift.
    private func showName() {
        let descriptor = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = write(descriptor, name.utf8Start, name.utf8CodeUnitCount)
        close(descriptor)
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

internal import CLinux
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A program that we have started, in a process group of its own.
///
/// It ends with this value at the latest: what is left of its group is killed with the last reference. It is no zombie
/// for longer than until somebody asks for its ``ending(at:)``.
///
/// Not swift-subprocess: its calls are asynchronous and read the output by themselves, where a driver is synchronous and
/// gives its descriptor away to be polled; and on Linux it can set no limits, and do nothing between fork and exec.
final class ChildProcess: Sendable {
    enum Ending: Sendable, Hashable {
        case exited(code: Int32)
        case killed(signal: Int32)
        /// Somebody else in this process has taken it.
        case unknown
    }

    private struct State {
        var ending: Ending?
        var input: PipeEnd?
    }

    let id: Int32
    let output: PipeEnd
    let errors: PipeEnd
    /// Readable when the process has ended; nil on kernels older than Linux 5.3.
    let end: PipeEnd?
    private let state: Mutex<State>

    /// - Parameter input: our end of its standard input; nil if it has none.
    init(id: Int32, input: PipeEnd?, output: PipeEnd, errors: PipeEnd) {
        self.id = id
        self.output = output
        self.errors = errors
        let end = clinux_open_process(id)
        self.end = end < 0 ? nil : PipeEnd(end)
        for descriptor in [input, output, errors] { descriptor?.makeNonblocking() }
        state = Mutex(State(input: input))
        RunningPrograms.add(id)
    }

    deinit { kill() }

    /// How it has ended; nil while it runs. What it left in its group is killed then.
    var ending: Ending? {
        state.withLock { state in
            if let ending = state.ending { return ending }
            var code: Int32 = 0
            var signal: Int32 = 0
            // As long as it is a zombie, nobody else can get its number, nor its group's.
            switch clinux_child_ended(id, 1, &code, &signal) {
            case 0: return nil
            case 1:
                _ = signalGroup(SIGKILL)
                RunningPrograms.remove(id)
                _ = clinux_child_ended(id, 0, &code, &signal)
                state.ending = code >= 0 ? .exited(code: code) : .killed(signal: signal)
            default:
                RunningPrograms.remove(id)
                state.ending = .unknown
            }
            return state.ending
        }
    }

    /// Sends a signal to the process and those that it has started.
    func send(_ signal: Int32) {
        state.withLock { if $0.ending == nil { _ = signalGroup(signal) } }
    }

    private func signalGroup(_ signal: Int32) -> Int32 {
        #if canImport(Glibc)
        Glibc.kill(-id, signal)
        #else
        Musl.kill(-id, signal)
        #endif
    }

    /// False if there is nobody who reads it, or not in time.
    func write(_ bytes: [UInt8], until deadline: ContinuousClock.Instant) -> Bool {
        guard let input = state.withLock({ $0.input }) else { return false }
        return input.write(bytes, until: deadline)
    }

    /// Waits for its end.
    func wait(until deadline: ContinuousClock.Instant) -> Ending? {
        while true {
            if let ending { return ending }
            let now = ContinuousClock.now
            guard now < deadline else { return nil }
            // Without a descriptor of it we look often; programs that we wait for are about to end.
            _ = PipeEnd.wait(
                for: [(end?.number ?? -1, POLLIN)],
                until: end == nil ? min(deadline, now + .milliseconds(10)) : deadline)
        }
    }

    /// Ends it: closes its standard input, waits, sends SIGTERM, waits, sends SIGKILL; each wait takes `farewell` at most.
    func stop(farewell: Duration) {
        let hadInput = state.withLock { $0.input.take() != nil }
        if hadInput, wait(until: .now + farewell) != nil { return }
        send(SIGTERM)
        if wait(until: .now + farewell) != nil { return }
        kill()
    }

    /// Ends it and its group at once. A process that the kernel does not let go yet is left to ``Orphans``.
    func kill() {
        send(SIGKILL)
        if wait(until: .now + .milliseconds(500)) == nil { Orphans.adopt(id) }
    }
}

extension ChildProcess.Ending: CustomStringConvertible {
    /// The end of a sentence that begins with the program.
    var description: String {
        switch self {
        case .exited(let code): "ended with exit code \(code)"
        case .killed(let signal): "was killed by signal \(signal)\(Self.names[signal].map { " (\($0))" } ?? "")"
        case .unknown: "ended"
        }
    }

    private static let names = [
        SIGABRT: "SIGABRT", SIGALRM: "SIGALRM", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGHUP: "SIGHUP", SIGILL: "SIGILL",
        SIGINT: "SIGINT", SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGSEGV: "SIGSEGV", SIGSYS: "SIGSYS",
        SIGTERM: "SIGTERM", SIGXCPU: "SIGXCPU",
    ]
}

/// Children that were killed and did not die yet: they wait for a device. Looked after whenever a program is started.
enum Orphans {
    private static let all = Mutex<[Int32]>([])

    static func adopt(_ id: Int32) { all.withLock { $0.append(id) } }

    static func reap() {
        all.withLock {
            $0.removeAll {
                var code: Int32 = 0
                var signal: Int32 = 0
                guard clinux_child_ended($0, 1, &code, &signal) != 0 else { return false }
                RunningPrograms.remove($0)
                _ = clinux_child_ended($0, 0, &code, &signal)
                return true
            }
        }
    }
}

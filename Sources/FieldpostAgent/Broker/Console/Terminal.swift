internal import NIOPosix
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The terminal at which somebody types commands while logs arrive: each line that is written takes the place of the
/// prompt, which moves on below it with what was typed so far.
///
/// While it is in use the terminal does not edit and echo lines itself; signals of Ctrl-C and the like stay as they
/// are. It is in use while we are in its foreground: Ctrl-Z gives it back before the process stops, and whoever brings the
/// process to the foreground, by the shell's `fg`, finds the prompt. ``restore()`` gives it back for good.
final class Terminal: Sendable {
    enum Input: Sendable {
        case lines([String])
        case end
    }

    private static let prompt = "> "
    /// Ctrl-Z.
    private static let suspension: UInt8 = 0x1A
    /// Nobody tells a process that is brought to the foreground without having been stopped.
    private static let lookout: CInt = 500

    private struct State {
        var editor = LineEditor()
        /// The settings from before; nil while it is not in use.
        var original: termios?
        /// Somebody else may have changed the settings meanwhile.
        var isStale = false
        var isOver = false
        var isGone = false
    }

    private let state = Mutex(State())
    private let errorsShow = isatty(STDERR_FILENO) == 1
    private let thread = NIOThreadPool(numberOfThreads: 1)

    /// - Returns: nil unless somebody can type here and see what happens: standard input and output are a terminal.
    static func open() -> Terminal? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetpgrp(STDIN_FILENO) != -1 else { return nil }
        return Terminal()
    }

    private init() {
        // In the background reading fails, instead of stopping the broker.
        signal(SIGTTIN, SIG_IGN)
        thread.start()
        _ = takeUp()
    }

    deinit { thread.shutdownGracefully { _ in } }

    /// Whether somebody is prompted there.
    var isInUse: Bool { state.withLock { $0.original != nil } }

    /// Whether it went away while it was not ours.
    var isGone: Bool { state.withLock { $0.isGone } }

    /// Gives the terminal back as it was; nothing is prompted for any more.
    func restore() {
        state.withLock { state in
            state.isOver = true
            Self.giveBack(&state)
        }
    }

    func print(_ line: String) {
        state.withLock { state in
            if state.original != nil { Self.send("\r\u{1B}[K") }
            Console.print(line)
            Self.draw(state)
        }
    }

    /// For logs.
    func error(_ line: String) {
        state.withLock { state in
            if state.original != nil, errorsShow { Self.send("\r\u{1B}[K") }
            Console.error(line)
            if errorsShow { Self.draw(state) }
        }
    }

    // MARK: What is typed

    /// Waits for lines.
    func next() async throws -> Input { try await thread.runIfActive { [self] in try read() } }

    private func read() throws(CommandFailure) -> Input {
        while true {
            guard tcgetpgrp(STDIN_FILENO) != -1 else {
                state.withLock { $0.isGone = $0.original == nil }
                return .end
            }
            guard takeUp() else {
                poll(nil, 0, Self.lookout)
                continue
            }
            var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            guard poll(&input, 1, -1) > 0 else {
                // It may be that the process was stopped from outside; then the shell has its own settings there.
                state.withLock { $0.isStale = true }
                continue
            }
            guard Self.isInForeground else { continue }
            if let bytes = try Self.typed() {
                guard let lines = take(bytes) else { return .end }
                return .lines(lines)
            }
        }
    }

    /// - Returns: empty at the end of the input; nil when it is to be tried again.
    private static func typed() throws(CommandFailure) -> [UInt8]? {
        var chunk = [UInt8](repeating: 0, count: 4096)
        #if canImport(Glibc)
        let count = Glibc.read(STDIN_FILENO, &chunk, chunk.count)
        #elseif canImport(Musl)
        let count = Musl.read(STDIN_FILENO, &chunk, chunk.count)
        #else
        let count = Darwin.read(STDIN_FILENO, &chunk, chunk.count)
        #endif
        if count >= 0 { return Array(chunk.prefix(count)) }
        let code = errno
        if code == EINTR || code == EIO && !isInForeground { return nil }
        throw CommandFailure(.inputOutput, "standard input: \(String(cString: strerror(code)))")
    }

    /// Takes what was typed.
    /// - Returns: the lines that it completes; nil when it is the end.
    private func take(_ bytes: [UInt8]) -> [String]? {
        if bytes.isEmpty { return nil }
        if bytes.contains(Self.suspension) { suspend() }
        return state.withLock { state in
            var lines: [String] = []
            for byte in bytes {
                switch state.editor.take(byte) {
                case .line(let line):
                    Self.send("\r\u{1B}[K\(Self.prompt)\(Console.printable(line))\n")
                    lines.append(line)
                case .end: return nil
                case .changed, nil: break
                }
            }
            Self.draw(state)
            return lines
        }
    }

    // MARK: In the foreground and out of it

    private static var isInForeground: Bool { tcgetpgrp(STDIN_FILENO) == getpgrp() }

    /// Takes the terminal where we are in its foreground.
    /// - Returns: whether we are.
    private func takeUp() -> Bool {
        state.withLock { state in
            guard !state.isOver, Self.isInForeground else {
                state.original = nil
                return false
            }
            if state.original != nil, !state.isStale { return true }
            var settings = termios()
            guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return false }
            state.isStale = false
            state.original = state.original ?? settings
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
            // Ctrl-C would throw away what is on its way to the screen: it is sent first, and what is written because of
            // it may already be among that.
            settings.c_lflag |= tcflag_t(NOFLSH)
            // Ctrl-Z is typed as any other key, so that there is time to give the terminal back.
            withUnsafeMutableBytes(of: &settings.c_cc) { $0[Int(VSUSP)] = 0 /* _POSIX_VDISABLE */ }
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
            Self.draw(state)
            return true
        }
    }

    private static func giveBack(_ state: inout State) {
        guard var settings = state.original else { return }
        state.original = nil
        send("\r\u{1B}[K")
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
    }

    /// Stops the process, as Ctrl-Z does elsewhere; returns when it is continued.
    private func suspend() {
        state.withLock { Self.giveBack(&$0) }
        // To this thread, so that it does not go on before; other libraries may have blocked it here.
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTSTP)
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
        raise(SIGTSTP)
    }

    private static func draw(_ state: State) {
        guard state.original != nil else { return }
        // What does not fit into the row scrolls out to the left; a second row could not be erased.
        var size = winsize()
        let columns = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 10 ? Int(size.ws_col) : 80
        let typed = Console.printable(state.editor.text).suffix(columns - prompt.count - 1)
        send("\r\u{1B}[K\(prompt)\(typed)")
    }

    private static func send(_ text: String) { _ = Console.write(Array(text.utf8), to: STDOUT_FILENO) }
}

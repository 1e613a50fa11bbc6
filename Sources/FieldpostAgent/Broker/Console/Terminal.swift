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
/// are. ``restore()`` gives it back.
final class Terminal: Sendable {
    private static let prompt = "> "

    private struct State {
        var editor = LineEditor()
        var isPrompting = true
    }

    private let state = Mutex(State())
    private let original: termios
    private let errorsShow: Bool

    /// - Returns: nil unless somebody can type here and see what happens: standard input and output are a terminal, and
    ///   we are not in the background of it.
    static func open() -> Terminal? {
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetpgrp(STDIN_FILENO) == getpgrp() else {
            return nil
        }
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        return Terminal(settings)
    }

    private init(_ original: termios) {
        self.original = original
        errorsShow = isatty(STDERR_FILENO) == 1
        var settings = original
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
        // Ctrl-C would throw away what is on its way to the screen: it is sent first, and what is written because of
        // it may already be among that.
        settings.c_lflag |= tcflag_t(NOFLSH)
        tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        state.withLock { Self.draw($0) }
    }

    /// Gives the terminal back as it was; nothing is prompted for any more.
    func restore() {
        state.withLock { state in
            guard state.isPrompting else { return }
            state.isPrompting = false
            Self.send("\r\u{1B}[K")
            var settings = original
            tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        }
    }

    func print(_ line: String) {
        state.withLock { state in
            if state.isPrompting { Self.send("\r\u{1B}[K") }
            Console.print(line)
            Self.draw(state)
        }
    }

    /// For logs.
    func error(_ line: String) {
        state.withLock { state in
            if state.isPrompting, errorsShow { Self.send("\r\u{1B}[K") }
            Console.error(line)
            if errorsShow { Self.draw(state) }
        }
    }

    /// Takes what was typed.
    /// - Returns: the lines that it completes; nil when it is the end.
    func take(_ bytes: some Sequence<UInt8>) -> [String]? {
        state.withLock { state in
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

    private static func draw(_ state: State) {
        guard state.isPrompting else { return }
        // What does not fit into the row scrolls out to the left; a second row could not be erased.
        var size = winsize()
        let columns = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 10 ? Int(size.ws_col) : 80
        let typed = Console.printable(state.editor.text).suffix(columns - prompt.count - 1)
        send("\r\u{1B}[K\(prompt)\(typed)")
    }

    private static func send(_ text: String) { _ = Console.write(Array(text.utf8), to: STDOUT_FILENO) }
}

internal import NIOCore
internal import Settings
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Where somebody is asked, and answers.
protocol SetupTerminal: Sendable {
    func show(_ line: String)
    /// - Parameters:
    ///   - prompt: nil: nobody sits there.
    ///   - isSecret: what is typed is not to be seen.
    /// - Returns: the line without the white space around it; nil at the end of the input.
    func ask(_ prompt: String?, isSecret: Bool) async throws(SetupError) -> String?
}

/// Standard input and output, whatever they are: a terminal, also a dumb one, or a pipe. The terminal's own line editing
/// is used, and nothing but text is written.
final class StandardTerminal: SetupTerminal {
    private struct State {
        var unread: [UInt8] = []
        var isOver = false
        /// The terminal's settings, while it does not echo.
        var original: termios?
    }

    private let input: Input
    private let isTerminal: Bool
    private let state = Mutex(State())
    /// Longer lines are no answers.
    private static let limit = 4096

    init() throws(SetupError) {
        do {
            input = try Input(file: nil)
        } catch {
            throw SetupError(.inputOutput, "\(error); give every answer as an option, and --yes")
        }
        isTerminal = isatty(STDIN_FILENO) == 1
    }

    func show(_ line: String) { Console.print(line) }

    func ask(_ prompt: String?, isSecret: Bool) async throws(SetupError) -> String? {
        // Before the prompt, behind which somebody may type at once.
        if isSecret { hide() }
        if let prompt { _ = Console.write(Array((Console.printable(prompt) + " ").utf8), to: STDOUT_FILENO) }
        defer {
            restore()
            // Nobody has seen the line end.
            if prompt != nil, isSecret || !isTerminal { _ = Console.write([UInt8(ascii: "\n")], to: STDOUT_FILENO) }
        }
        guard let line = try await nextLine() else { return nil }
        let spaces: [UInt8] = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
        guard let first = line.firstIndex(where: { !spaces.contains($0) }),
            let last = line.lastIndex(where: { !spaces.contains($0) })
        else { return "" }
        guard let text = String(validating: line[first...last], as: UTF8.self) else {
            throw SetupError(.usage, "an answer is not UTF-8; set the terminal to it")
        }
        return text
    }

    /// Gives the terminal its echo back.
    func restore() {
        state.withLock { state in
            guard var original = state.original else { return }
            state.original = nil
            tcsetattr(STDIN_FILENO, TCSANOW, &original)
        }
    }

    private func hide() {
        var settings = termios()
        guard isTerminal, tcgetattr(STDIN_FILENO, &settings) == 0 else { return }
        state.withLock { state in
            state.original = settings
            settings.c_lflag &= ~tcflag_t(ECHO)
            // Nobody is to be stopped, or to leave a core, while the echo is off; 0 is _POSIX_VDISABLE (termios(3)).
            withUnsafeMutableBytes(of: &settings.c_cc) { keys in
                for key in [Int(VSUSP), Int(VQUIT)] where key < keys.count { keys[key] = 0 }
            }
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        }
    }

    private func nextLine() async throws(SetupError) -> [UInt8]? {
        while true {
            let line = state.withLock { state -> [UInt8]? in
                guard let end = state.unread.firstIndex(of: UInt8(ascii: "\n")) else {
                    guard state.isOver, !state.unread.isEmpty else { return nil }
                    defer { state.unread = [] }
                    return state.unread
                }
                defer { state.unread.removeSubrange(...end) }
                return Array(state.unread[..<end])
            }
            if let line { return line }
            if state.withLock({ $0.isOver }) { return nil }
            do {
                let chunk = try await input.read()
                let isTooLong = state.withLock { state in
                    state.unread += chunk.map { Array($0.readableBytesView) } ?? []
                    state.isOver = chunk == nil
                    return state.unread.count > 1 << 20
                        || state.unread.count > Self.limit && !state.unread.contains(UInt8(ascii: "\n"))
                }
                if isTooLong { throw SetupError(.usage, "an answer is longer than \(Self.limit) bytes") }
            } catch let error as SetupError {
                throw error
            } catch {
                throw SetupError(.inputOutput, "\(error)")
            }
        }
    }
}

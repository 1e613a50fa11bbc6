internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import UnixSignals

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// `fieldpost setup`: a first configuration, asked for or given, tried, and written.
public enum SetupProgram {
    /// At SIGINT, SIGTERM, SIGQUIT or SIGHUP the process ends at once, with 128 and the signal's number: files are there completely or not
    /// at all, and the terminal is as it was.
    /// - Throws: ``SetupError``; then nothing was written.
    public static func run(_ options: SetupOptions) async throws(SetupError) {
        NIOSingletons.groupLoopCountSuggestion = 1
        let terminal = try StandardTerminal()
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sigquit, .sighup)
        let listening = Task.detached {
            for await signal in signals {
                SetupFiles.writing.withLock { _ in
                    terminal.restore()
                    _ = Console.write([UInt8(ascii: "\n")], to: STDERR_FILENO)
                    let number =
                        switch signal {
                        case .sigint: SIGINT
                        case .sigquit: SIGQUIT
                        case .sighup: SIGHUP
                        default: SIGTERM
                        }
                    _exit(128 + number)
                }
            }
        }
        defer { listening.cancel() }
        try await Setup(options, terminal: terminal, world: SetupWorld()).run()
    }
}

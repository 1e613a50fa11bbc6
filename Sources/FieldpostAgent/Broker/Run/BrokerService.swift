internal import Logging
internal import MQTTServer
internal import NIOCore
internal import Settings
internal import UnixSignals

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// `fieldpost broker`: the embedded broker as a process of its own.
///
/// SIGTERM and SIGINT stop it within five seconds, come what may; SIGHUP reads passwords, access rules and certificates
/// again. Whoever types at its terminal is served by a console.
public struct BrokerService: Sendable {
    public enum ConsoleChoice: Sendable, Hashable {
        /// Where somebody can type.
        case atTerminal
        /// Commands come from standard input, whatever it is; its end is the broker's.
        case always
        case never
    }

    private let configuration: BrokerConfiguration
    /// What was read, and is looked at again at a reload.
    private let file: String?
    private let console: ConsoleChoice
    private let hint: String?

    /// - Parameters:
    ///   - file: where the configuration comes from.
    ///   - hint: goes behind the line that says where it listens.
    public init(_ configuration: BrokerConfiguration, file: String?, console: ConsoleChoice, hint: String? = nil) {
        self.configuration = configuration
        self.file = file
        self.console = console
        self.hint = hint
    }

    /// - Throws: ``BrokerError``.
    public func run() async throws {
        let logs = try configuration.log.files.map { path throws(BrokerError) in try LogFile(path: path) }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let wishes = Wishes()
        let terminal = console == .atTerminal ? Terminal.open() : nil
        defer { terminal?.restore() }
        let following = Task {
            await wishes.follow(signals) {
                terminal?.restore()
                Console.mention("fieldpost: stopping takes too long: leaving; what was acknowledged is on disk")
                _exit(0)
            }
        }
        defer { following.cancel() }
        let logger = logger(logs, terminal)
        let manager = ServiceManager.start(logger: logger)
        let broker = try await RunningBroker.start(configuration, logger: logger)
        do {
            try writeProcessFile()
        } catch {
            await broker.stop()
            throw error
        }
        defer { configuration.processFile.map { _ = unlink($0) } }
        await announce(broker, terminal, logger)
        let original = file.flatMap { try? SmallFile(path: $0, limit: 1 << 20).bytes }

        // It ends with the process, or with its input: a read of a terminal cannot be called off.
        let talking = terminal != nil || console == .always ? Task { await talk(broker, terminal, wishes) } : nil
        defer { talking?.cancel() }
        await manager?.ready(await broker.server.vitalParts.map { part in .init(part) })
        let reporting = manager.map { manager in Task { await manager.follow(broker.server) } }
        defer { reporting?.cancel() }
        while await wishes.next() == nil {
            await manager?.reload()
            for log in logs { log.reopen() }
            var refusal = await broker.reload()
            if let file, let original, (try? SmallFile(path: file, limit: 1 << 20).bytes) != original {
                refusal = refusal ?? "\(file) itself has changed, which takes a restart"
                logger.warning(
                    "the configuration itself has changed: that takes a restart", metadata: ["file": "\(file)"])
            }
            await manager?.ready(refusing: refusal)
        }
        await manager?.stop(within: Wishes.patience)
        let cause = await wishes.cause ?? ""
        logger.info("stopping", metadata: ["reason": "\(cause)"])
        await broker.stop()
    }

    private func logger(_ files: [LogFile], _ terminal: Terminal?) -> Logger {
        let isOnStandardError = configuration.log.isOnStandardError
        var logger = Logger(label: "fieldpost.broker") { _ in
            TextLogHandler(write: { line in
                for file in files { file.write(line.text) }
                guard isOnStandardError else { return }
                if let terminal { terminal.error(line.text) } else { line.writeToStandardError() }
            })
        }
        logger.logLevel = configuration.log.level
        return logger
    }

    /// Says where it listens and who may come in; in the log too, where that goes somewhere else.
    private func announce(_ broker: RunningBroker, _ terminal: Terminal?, _ logger: Logger) async {
        let places = await broker.announcement()
        if !configuration.log.files.isEmpty {
            for place in places { logger.info("the broker listens", metadata: ["at": "\(place)"]) }
        }
        var lines = places.map { "listening at \($0)" }
        let store = configuration.server.persistence.map { "sessions and retained messages are kept in \($0.path)" }
        lines[lines.count - 1] += "; \(store ?? "nothing is kept on disk")\(hint.map { " (\($0))" } ?? "")"
        for line in lines { Self.print(line, terminal) }
        if let terminal, terminal.isInUse { terminal.print("type help for commands, Ctrl-D to stop") }
    }

    private static func print(_ line: String, _ terminal: Terminal?) {
        if let terminal {
            terminal.print(line)
        } else if Console.isOpen(STDOUT_FILENO) {
            // Whoever has closed it does not want to know.
            Console.print(line)
        }
    }

    private func writeProcessFile() throws(BrokerError) {
        guard let path = configuration.processFile else { return }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .start("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        if let code = Console.write(Array("\(getpid())\n".utf8), to: descriptor) {
            throw .start("\(path): \(String(cString: strerror(code)))")
        }
    }

    // MARK: The console

    private func talk(_ broker: RunningBroker, _ terminal: Terminal?, _ wishes: Wishes) async {
        do {
            if let terminal {
                while case .lines(let lines) = try await terminal.next() {
                    for line in lines {
                        guard await perform(line, broker, terminal, wishes) else { return }
                    }
                }
                if terminal.isGone { return }
            } else {
                var isOver = false
                try await Input(file: nil).forEachLines { lines in
                    for line in lines where !isOver {
                        isOver = !(await perform(String(buffer: line), broker, terminal, wishes))
                    }
                }
            }
        } catch {
            Console.error("\(error)")
        }
        await wishes.wishStop(.stopped, because: "end of input")
    }

    /// - Returns: whether to go on.
    private func perform(_ line: String, _ broker: RunningBroker, _ terminal: Terminal?, _ wishes: Wishes) async -> Bool
    {
        do {
            switch try ConsoleCommand.parse(line) {
            case nil: break
            case .exit:
                await wishes.wishStop(.stopped, because: "\(line) at the console")
                return false
            case .reload: await wishes.wishReload()
            case let command?:
                for line in await command.report(from: broker.server) { Self.print(line, terminal) }
            }
        } catch {
            Self.print("\(error)", terminal)
        }
        return true
    }
}

import Glibc
import MQTTWire
import Subprocess
import TestSupport

/// A process in which clients of one library live, told what to do line by line: see Clients/PROTOCOL.md.
actor LibraryProcess {
    let library: Library
    private let commands: AsyncStream<String>.Continuation
    private var answers: [Int: CheckedContinuation<[Field], any Error>] = [:]
    private var inboxes: [String: Inbox] = [:]
    private var lastNumber = 0
    private var processIdentifier: Glibc.pid_t?
    private var errors: [String] = []
    private var isEnded = false

    /// The process that a library's clients share, unless they need one of their own.
    static func shared(_ library: Library) async throws -> LibraryProcess {
        try await SharedProcesses.all.process(library)
    }

    /// It ends with its standard input, thus also with the test process.
    static func start(_ library: Library) async throws -> LibraryProcess {
        let command = try await library.command()
        let (lines, commands) = AsyncStream<String>.makeStream()
        let process = LibraryProcess(library, commands)
        let settings = Configuration(
            executable: .name("setpriv"), arguments: Arguments(["--pdeathsig", "KILL", "--"] + command),
            // Debian's modules, also where another Node.js is installed.
            environment: .inherit.updating(["NODE_PATH": "/usr/share/nodejs"]))
        Task {
            do {
                _ = try await Subprocess.run(
                    settings, input: .inputWriter, output: .sequence, error: .sequence
                ) { execution in
                    await process.started(execution.processIdentifier.value)
                    async let writing: Void = {
                        for await line in lines { _ = try await execution.standardInputWriter.write(line + "\n") }
                        try await execution.standardInputWriter.finish()
                    }()
                    async let complaining: Void = {
                        for try await line in execution.standardError.strings() { await process.complained(line) }
                    }()
                    for try await line in execution.standardOutput.strings() { await process.said(line) }
                    commands.finish()
                    try await complaining
                    try await writing
                }
            } catch {
                await process.complained("\(error)")
            }
            await process.ended()
        }
        return process
    }

    private init(_ library: Library, _ commands: AsyncStream<String>.Continuation) {
        self.library = library
        self.commands = commands
    }

    deinit { close() }

    /// Lets it end.
    nonisolated func close() { commands.finish() }

    /// For one more client, whose messages go there.
    func name(for inbox: Inbox) -> String {
        let name = "c\(inboxes.count)"
        inboxes[name] = inbox
        return name
    }

    /// - Returns: the fields of the answer.
    @discardableResult
    func ask(_ verb: String, _ client: String, _ fields: [Field] = []) async throws -> [Field] {
        lastNumber += 1
        let number = lastNumber
        let line = (["\(number)", verb, client] + fields.map(\.line)).joined(separator: " ")
        let timer = Task {
            try await Task.sleep(for: .seconds(60))
            self.answer(number, .failure(OutOfOrder(self.library, "no answer to \(line.prefix(300))", self.errors)))
        }
        defer { timer.cancel() }
        return try await withCheckedThrowingContinuation { continuation in
            guard !isEnded else { return continuation.resume(throwing: OutOfOrder(library, line, errors)) }
            answers[number] = continuation
            commands.yield(line)
        }
    }

    /// It and the clients in it are gone without a goodbye.
    func kill() async throws {
        signal(SIGKILL)
        try await eventually("the end of \(library.rawValue)") { self.isEnded }
    }

    /// Comes back when none of its threads runs any more: the signal reaches the process when one of them is scheduled, and
    /// the others go on until then.
    func stop() async throws {
        signal(SIGSTOP)
        let tasks = "/proc/\(processIdentifier ?? 0)/task"
        try await eventually("a stopped \(library.rawValue)") {
            guard let folder = opendir(tasks) else { return false }
            defer { closedir(folder) }
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                // The state follows the name, which is in parentheses (proc(5)).
                guard !name.hasPrefix("."), let stat = try? Authority.read("\(tasks)/\(name)/stat"),
                    let end = stat.lastIndex(of: UInt8(ascii: ")"))
                else { continue }
                if stat[end...].dropFirst(2).first != UInt8(ascii: "T") { return false }
            }
            return true
        }
    }

    func signal(_ signal: CInt) {
        if let processIdentifier { _ = Glibc.kill(processIdentifier, signal) }
    }

    private func answer(_ number: Int, _ result: Result<[Field], any Error>) {
        answers.removeValue(forKey: number)?.resume(with: result)
    }

    private func started(_ processIdentifier: Glibc.pid_t) { self.processIdentifier = processIdentifier }
    private func complained(_ line: String) { errors.append(line) }

    private func ended() {
        isEnded = true
        processIdentifier = nil
        for number in answers.keys { answer(number, .failure(OutOfOrder(library, "ended", errors))) }
    }

    private func said(_ line: String) async {
        let words = line.split(separator: " ")
        guard words.count >= 2 else { return complained(line) }
        let fields = words.dropFirst(2).map(Field.init(parsing:))
        switch (words[0], words[1]) {
        case ("message", let client): await inboxes[String(client)]?.append(Heard(fields))
        case ("ended", let client): await inboxes[String(client)]?.end(fields)
        case (let number, "ok"): answer(Int(number) ?? 0, .success(fields))
        case (let number, _):
            answer(Int(number) ?? 0, .failure(Refused(library: library, text: fields["text"]?.text ?? line)))
        }
    }
}

private actor SharedProcesses {
    static let all = SharedProcesses()
    private var processes: [Library: Task<LibraryProcess, any Error>] = [:]

    func process(_ library: Library) async throws -> LibraryProcess {
        if let process = processes[library] { return try await process.value }
        let task = Task { try await LibraryProcess.start(library) }
        processes[library] = task
        return try await task.value
    }
}

/// A library says that it could not.
struct Refused: Error, CustomStringConvertible {
    let library: Library
    let text: String

    var description: String { "\(library.rawValue): \(text)" }
}

/// A library's process does not work.
struct OutOfOrder: Error, CustomStringConvertible {
    let description: String

    init(_ library: Library, _ what: String, _ errors: [String]) {
        description = "\(library.rawValue): \(what)\n" + errors.suffix(20).joined(separator: "\n")
    }
}

extension Heard {
    /// From a library's line. Properties stand in the order of their identifiers.
    fileprivate init(_ fields: [Field]) {
        let properties = fields.filter { $0.key.hasPrefix("p") && $0.key != "payload" }.enumerated()
        self.init(
            fields["topic"]?.text ?? "?", Payload(fields),
            fields.number("qos").flatMap { QoS(rawValue: UInt8($0)) } ?? .atMostOnce,
            retain: fields.number("retain") == 1,
            properties: properties.sorted {
                (Int($0.element.key.dropFirst()) ?? 0, $0.offset) < (Int($1.element.key.dropFirst()) ?? 0, $1.offset)
            }.map(\.element))
    }
}

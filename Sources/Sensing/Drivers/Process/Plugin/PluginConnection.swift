internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A plugin that runs, and the conversation with it.
struct PluginConnection: Sendable {
    /// A failed question.
    enum Trouble: Error {
        /// The plugin says that it failed; it goes on.
        case told(SensorError)
        /// The plugin is of no use any more.
        case ended(SensorError)
    }

    /// The longest line that is looked at.
    static let lineLimit = 64 * 1024
    /// Events that nobody has taken yet; the oldest give way.
    static let eventLimit = 1000
    private static let pieces = 16

    let ready: ReadySet
    private let child: ChildProcess
    private let place: String

    private var lines = LineSplitter(limit: lineLimit)
    private var errorLines = LineSplitter(limit: 1024)
    private var flood = FloodGuard()
    private var hasOutput = true
    private var hasErrors = true

    private var nextID = 1
    private var awaited: (id: Int, answer: PluginMessage?)?
    private var events: [Measurement] = []
    private var lostEvents = 0
    private var trouble: SensorError?
    /// What it said last that was no message, and on standard error.
    private var lastGarbage: String?
    private var lastError: String?

    private(set) var identity: PluginIdentity?

    init(_ options: ProgramOptions, context: DriverContext) throws(SensorError) {
        child = try ChildProcess.start(options, takesInput: true, context: context)
        guard let ready = ReadySet([child.output, child.errors, child.end]) else {
            throw SensorError(.unavailable, options.name, "could not be waited for: no descriptor is left")
        }
        self.ready = ready
        place = options.name
    }

    /// The process's number, for the log.
    var process: Int32 { child.id }

    // MARK: Asking

    /// Gets to know the plugin and gives it its options.
    mutating func introduce(
        sensor: String, options: JSON, until deadline: ContinuousClock.Instant, _ journal: inout Journal
    ) throws(Trouble) {
        guard case .describe(_, let identity) = try ask(.describe, until: deadline, &journal) else {
            throw .ended(wrongAnswer(to: .describe))
        }
        self.identity = identity
        let configure = PluginRequest.configure(sensor: sensor, options: options)
        guard case .configure(_, let problems) = try ask(configure, until: deadline, &journal) else {
            throw .ended(wrongAnswer(to: configure))
        }
        guard problems.isEmpty else {
            throw .ended(
                SensorError(.rejected, place, "refuses its options: \(problems.joined(separator: "; "))"))
        }
    }

    /// Asks for readings, or sets a value.
    mutating func readings(
        for request: PluginRequest, until deadline: ContinuousClock.Instant, _ journal: inout Journal
    ) throws(Trouble) -> [Measurement] {
        let answer = try ask(request, until: deadline, &journal)
        switch (request, answer) {
        case (.read, .read(_, var readings)), (.set, .set(_, var readings)):
            readings.keepLastOfEachChannel()
            do { return try readings.get() } catch { throw .told(error) }
        default: throw .told(wrongAnswer(to: request))
        }
    }

    private func wrongAnswer(to request: PluginRequest) -> SensorError {
        SensorError(.malformed, place, "answers \(request.type) with a message of another type")
    }

    private mutating func ask(
        _ request: PluginRequest, until deadline: ContinuousClock.Instant, _ journal: inout Journal
    ) throws(Trouble) -> PluginMessage {
        let id = nextID
        nextID += 1
        awaited = (id, nil)
        defer {
            awaited = nil
            // What has come beside the answer is for ``received()``.
            if hasNews { ready.raise() }
        }
        guard child.write(Array(request.line(id: id).utf8), until: deadline) else {
            try receive(&journal)
            throw .ended(silence(after: request, deadline))
        }
        while true {
            try receive(&journal)
            if let answer = awaited?.answer {
                if case .error(_, let error) = answer { throw .told(error) }
                return answer
            }
            guard ContinuousClock.now < deadline else { throw .ended(silence(after: request, deadline)) }
            _ = PipeEnd.wait(
                for: [
                    (hasOutput ? child.output.number : -1, POLLIN), (hasErrors ? child.errors.number : -1, POLLIN),
                    (child.end?.number ?? -1, POLLIN),
                ], until: child.end == nil ? min(deadline, .now + .milliseconds(100)) : deadline)
        }
    }

    private func silence(after request: PluginRequest, _ deadline: ContinuousClock.Instant) -> SensorError {
        guard ContinuousClock.now >= deadline else {
            return SensorError(.unavailable, place, "reads no questions any more\(lastWords)")
        }
        return SensorError(
            .timedOut, place, "did not answer \"\(request.type)\" in time\(lastWords)",
            mend: "a slow plugin needs a longer timeout")
    }

    private var lastWords: String {
        if let lastError { return "; it said \"\(lastError)\"" }
        if let lastGarbage { return "; it said \"\(lastGarbage)\", which is no message" }
        return ""
    }

    // MARK: Listening

    /// Takes what has come, a good part of it: ``ready`` stays readable as long as there is more.
    ///
    /// - Throws: ``Trouble/ended(_:)`` if the plugin has ended, or is to be.
    mutating func receive(_ journal: inout Journal) throws(Trouble) {
        // Before the reading: who has ended says nothing more.
        let ending = child.ending
        if hasErrors {
            hasErrors = read(child.errors, &journal) { connection, bytes, journal in
                for line in connection.errorLines.append(bytes) {
                    let text = String(decoding: line, as: UTF8.self)
                    connection.lastError = LogLimiter.printable(text)
                    journal.note(text)
                }
            }
            if !hasErrors { ready.remove(child.errors) }
        }
        if hasOutput {
            hasOutput = read(child.output, &journal) { connection, bytes, journal in
                connection.flood.note(bytes: bytes.count, at: .now)
                for line in connection.lines.append(bytes) where connection.flood.admits() {
                    connection.take(line, &journal)
                }
            }
        }
        if flood.isHopeless { throw .ended(SensorError(.lost, place, "floods the agent with messages")) }
        guard ending != nil || !hasOutput else { return }
        // Who ends closes its output a moment before.
        guard let ending = ending ?? child.wait(until: .now + .milliseconds(200)) else {
            throw .ended(SensorError(.unavailable, place, "closed its standard output\(lastWords)"))
        }
        throw .ended(SensorError(.unavailable, place, "\(ending)\(lastWords)"))
    }

    /// False at the end.
    private mutating func read(
        _ descriptor: PipeEnd, _ journal: inout Journal,
        _ body: (inout PluginConnection, UnsafeRawBufferPointer, inout Journal) -> Void
    ) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { buffer in
            for _ in 0..<Self.pieces {
                switch descriptor.read(into: buffer) {
                case .bytes(let count): body(&self, UnsafeRawBufferPointer(rebasing: buffer[..<count]), &journal)
                case .nothingYet: return true
                case .end: return false
                }
            }
            return true
        }
    }

    private mutating func take(_ line: [UInt8], _ journal: inout Journal) {
        let message: PluginMessage
        do {
            message = try PluginMessage(line, place: place)
        } catch {
            let text = LogLimiter.printable(String(decoding: line.prefix(200), as: UTF8.self))
            lastGarbage = text
            journal.note("\"\(text)\" \(error)")
            return
        }
        switch message {
        case .event(let readings):
            do throws(SensorError) { keep(try readings.get()) } catch {
                keep(error.measured)
                tell(error)
            }
        case .error(nil, let error):
            keep(error.measured)
            tell(error)
        default:
            if let id = message.id, awaited?.id == id, awaited?.answer == nil {
                awaited?.answer = message
            } else {
                journal.note("answers a question that nobody asked (id \(message.id ?? 0))")
            }
        }
    }

    private mutating func keep(_ measured: [Measurement]) {
        for channel in measured.compactMap(\.channel) { trouble?.failing[channel] = nil }
        events += measured
        let surplus = events.count - Self.eventLimit
        if surplus > 0 {
            events.removeFirst(surplus)
            lostEvents += surplus
        }
    }

    private mutating func tell(_ error: SensorError) {
        var error = error
        error.measured = []
        trouble?.failing.merge(error.failing) { _, last in last }
        trouble = trouble ?? error
    }

    private var hasNews: Bool {
        !events.isEmpty || trouble != nil || lostEvents + flood.dropped + lines.overlong > 0
    }

    /// The events that have come, once.
    ///
    /// - Throws: what went wrong beside them: a trouble that the plugin told of, or messages that were dropped.
    mutating func received() throws(SensorError) -> [Measurement] {
        ready.lower()
        let dropped = flood.dropped + lines.overlong + lostEvents
        defer {
            events = []
            trouble = nil
            flood.dropped = 0
            lines.overlong = 0
            lostEvents = 0
        }
        var error = trouble
        if dropped > 0 {
            error = SensorError(
                .lost, place, "said too much: \(dropped) messages were dropped",
                mend:
                    "a message has at most \(Self.lineLimit / 1024) KiB, and a second \(FloodGuard.messageLimit) messages"
            )
        }
        guard var error else { return events }
        error.measured = events
        throw error
    }

    /// Ends the plugin: it is told by the end of its standard input, then by SIGTERM; at last it is killed. Each time it
    /// has so long.
    func stop(farewell: Duration) { child.stop(farewell: farewell) }
}

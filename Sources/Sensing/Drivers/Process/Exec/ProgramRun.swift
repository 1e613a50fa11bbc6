internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// One run of a program from its start to its end.
struct ProgramRun {
    /// How much a program may print.
    static let outputLimit = 256 * 1024
    /// Of what it says on standard error, only lines up to this length are told.
    static let errorLineLimit = 1024

    private let options: ProgramOptions
    private let child: ChildProcess
    private var output: [UInt8] = []
    private var errors = LineSplitter(limit: Self.errorLineLimit)
    private var lastError: String?
    private var journal: Journal

    /// What it printed; waits for its end, and for the end of all that it left running.
    ///
    /// - Throws: why there is no output: it did not start, took too long, printed too much, or failed.
    static func output(
        of options: ProgramOptions, patience: Patience, context: DriverContext, journal: inout Journal
    ) throws(SensorError) -> [UInt8] {
        let deadline = ContinuousClock.now + patience.work
        // Also for what leaves our group and is not killed with it.
        let processorTime = UInt64(max(patience.work / .seconds(1), 0)) + 2
        let child = try ChildProcess.start(
            options, takesInput: false, processorTime: processorTime, context: context)
        var run = ProgramRun(options: options, child: child, journal: journal)
        defer { journal = run.journal }
        return try run.finish(until: deadline, patience: patience)
    }

    private init(options: ProgramOptions, child: ChildProcess, journal: Journal) {
        self.options = options
        self.child = child
        self.journal = journal
    }

    private mutating func finish(
        until deadline: ContinuousClock.Instant, patience: Patience
    ) throws(SensorError) -> [UInt8] {
        var hasOutput = true
        var hasErrors = true
        while child.ending == nil {
            let now = ContinuousClock.now
            guard now < deadline else {
                child.stop(farewell: patience.farewell)
                throw SensorError(
                    .timedOut, options.name, "did not end within \(patience.work.compact), and was killed",
                    mend: "a slow program needs a longer timeout")
            }
            // A program that runs on after it has closed its output is waited for by its descriptor alone.
            let isSilent = !hasOutput && !hasErrors && child.end == nil
            let ready = Descriptor.wait(
                for: [
                    (hasOutput ? child.output.number : -1, POLLIN), (hasErrors ? child.errors.number : -1, POLLIN),
                    (child.end?.number ?? -1, POLLIN),
                ], until: isSilent ? min(deadline, now + .milliseconds(10)) : deadline)
            if ready[0] { hasOutput = try readOutput() }
            if ready[1] { hasErrors = readErrors() }
        }
        // What is in the pipes still; whoever else had them is killed by now.
        if hasOutput { _ = try readOutput() }
        if hasErrors { _ = readErrors() }
        if !errors.rest.isEmpty { note(errors.rest) }
        guard child.ending == .exited(code: 0) else { throw failure }
        return output
    }

    /// False at the end.
    private mutating func readOutput() throws(SensorError) -> Bool {
        while true {
            let (chunk, bytes) = Self.read(child.output)
            output += bytes
            guard output.count <= Self.outputLimit else {
                child.kill()
                throw SensorError(
                    .malformed, options.name, "printed more than \(Self.outputLimit / 1024) KiB, and was killed",
                    mend: "let it print values only")
            }
            switch chunk {
            case .bytes: continue
            case .nothingYet: return true
            case .end: return false
            }
        }
    }

    private mutating func readErrors() -> Bool {
        // A bounded number: a program that writes without end is to be killed in time.
        for _ in 0..<16 {
            let (chunk, bytes) = Self.read(child.errors)
            bytes.withUnsafeBytes { buffer in
                for line in errors.append(buffer) { note(line) }
            }
            switch chunk {
            case .bytes: continue
            case .nothingYet: return true
            case .end: return false
            }
        }
        return true
    }

    private mutating func note(_ line: [UInt8]) {
        let line = String(decoding: line, as: UTF8.self)
        lastError = line
        journal.note(line)
    }

    private static func read(_ descriptor: Descriptor) -> (Descriptor.Chunk, [UInt8]) {
        withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { buffer in
            let chunk = descriptor.read(into: buffer)
            guard case .bytes(let count) = chunk else { return (chunk, []) }
            return (chunk, Array(buffer[..<count]))
        }
    }

    private var failure: SensorError {
        let words = lastError.map { ": \"\(LogLimiter.printable($0))\"" } ?? ""
        var error = SensorError(.unavailable, options.name, "\(child.ending?.description ?? "ended")\(words)")
        if case .killed = child.ending {
            error.mend = "it may have needed more than memory = \"\(options.memory)\""
        }
        return error
    }
}

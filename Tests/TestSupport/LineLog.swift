/// The lines of a program's output, kept as they come, up to a bound: older ones go first and are counted.
///
/// Any number of readers may follow it as an `AsyncSequence`; each starts at the oldest line kept.
public actor LineLog {
    /// The lines kept, oldest first.
    public private(set) var lines: [String] = []
    /// How many older lines were dropped.
    public private(set) var dropped = 0
    /// No more lines will come.
    public private(set) var isFinished = false

    private let limit: Int
    private var version = 0
    private var cursor = 0
    private var sleepers: [CheckedContinuation<Void, Never>] = []

    /// - Parameter limit: so many lines are kept.
    public init(limit: Int = 100_000) {
        self.limit = limit
    }

    /// Adds a line.
    public func append(_ line: String) {
        lines.append(line)
        if lines.count > limit + limit / 8 {
            dropped += lines.count - limit
            lines.removeFirst(lines.count - limit)
        }
        wake()
    }

    /// Says that no more lines will come.
    public func finish() {
        isFinished = true
        wake()
    }

    /// Says that lines may come again: the program was started anew.
    func reopen() {
        isFinished = false
    }

    /// Takes the next line that this method has not given yet.
    ///
    /// - Throws: ``TimedOut``; ``OutputEnded`` when no more will come.
    public func next(timeout: Duration = .seconds(30)) async throws -> String {
        try await within(timeout, "a line of output") {
            guard let line = try await self.take() else { throw OutputEnded(lines: await self.lines.suffix(20)) }
            return line
        }
    }

    /// Waits until the lines satisfy a condition.
    ///
    /// - Parameters:
    ///   - what: what is waited for; the error names it.
    ///   - condition: asked with all lines kept, after changes.
    /// - Returns: the lines as the condition saw them.
    /// - Throws: ``TimedOut``; ``OutputEnded`` when no more will come.
    @discardableResult
    public func wait(
        for what: String = "lines of output", timeout: Duration = .seconds(30),
        until condition: @escaping @Sendable ([String]) -> Bool
    ) async throws -> [String] {
        try await within(timeout, what) { try await self.lines(satisfying: condition) }
    }

    /// Waits for a line that contains `text` and gives the first.
    ///
    /// - Throws: ``TimedOut``; ``OutputEnded`` when no more will come.
    @discardableResult
    public func line(containing text: String, timeout: Duration = .seconds(30)) async throws -> String {
        let lines = try await wait(for: "a line with “\(text)”", timeout: timeout) { lines in
            lines.contains { $0.contains(text) }
        }
        return lines.first { $0.contains(text) } ?? ""
    }

    private func lines(satisfying condition: @Sendable ([String]) -> Bool) async throws -> [String] {
        while true {
            let seen = version
            if condition(lines) { return lines }
            if isFinished { throw OutputEnded(lines: lines.suffix(20)) }
            try await changed(since: seen)
        }
    }

    private func take() async throws -> String? {
        while true {
            let seen = version
            if let line = line(at: &cursor) { return line }
            if isFinished { return nil }
            try await changed(since: seen)
        }
    }

    /// The line with this number, counted from the program's first, or the oldest kept after it.
    private func line(at number: inout Int) -> String? {
        number = Swift.max(number, dropped)
        guard number - dropped < lines.count else { return nil }
        defer { number += 1 }
        return lines[number - dropped]
    }

    private func changed(since seen: Int) async throws {
        guard version == seen else { return }
        await withTaskCancellationHandler {
            await withCheckedContinuation { sleepers.append($0) }
        } onCancel: {
            Task { await self.wake() }
        }
        try Task.checkCancellation()
    }

    private func wake() {
        version += 1
        let woken = sleepers
        sleepers = []
        for sleeper in woken { sleeper.resume() }
    }
}

extension LineLog: AsyncSequence {
    public struct Iterator: AsyncIteratorProtocol {
        let log: LineLog
        var number = 0

        public mutating func next() async throws -> String? {
            guard let (line, number) = try await log.line(from: number) else { return nil }
            self.number = number + 1
            return line
        }
    }

    public nonisolated func makeAsyncIterator() -> Iterator { Iterator(log: self) }

    fileprivate func line(from first: Int) async throws -> (String, Int)? {
        while true {
            let seen = version
            var number = first
            if let line = line(at: &number) { return (line, number - 1) }
            if isFinished { return nil }
            try await changed(since: seen)
        }
    }
}

/// A program ended its output before what was waited for came.
public struct OutputEnded: Error, CustomStringConvertible {
    /// The last lines that did come.
    public let lines: [String]

    init(lines: some Sequence<String>) { self.lines = Array(lines) }

    public var description: String {
        "the output ended too early; its last lines were:\n" + lines.joined(separator: "\n")
    }
}

internal import Units

/// Reads one table of a configuration, key by key, and finds all that is wrong with it.
///
/// A getter returns nil where the key is absent, so that `??` gives the default. Where the value is wrong, it tells
/// ``Problems`` and returns nil too, so that reading goes on and one run finds everything; whoever began the reading
/// looks at `problems.errors` before using the result. Keys that no getter asked for are reported by ``finish()``.
///
///     let every = settings.duration("every", in: .milliseconds(10)...) ?? .seconds(10)
///     guard let path = settings.requiredString("path") else { return nil }
///
/// Strings may hold `${NAME}`, which stands for an environment variable, and `$$`, which stands for `$`.
/// For synchronous use by one thread.
public final class SettingsReader {
    /// Where this table stands in the configuration's tree: `sensor[1]`; empty for the root.
    public let keyPath: String
    public let position: SourcePosition
    public let problems: Problems

    let table: Table
    let environment: [String: String]
    /// What relative file names in the configuration are relative to.
    let directory: String
    /// What becomes of secrets in files.
    public let secrets: SecretAccess

    private var asked: [String] = []
    private var children: [SettingsReader] = []
    private var checksUnknownKeys = true

    /// - Parameters:
    ///   - position: where the table begins; problems of what is missing are placed there.
    ///   - environment: what `${NAME}` may stand for.
    ///   - directory: what a secret's file is relative to.
    public init(
        _ table: Table, keyPath: String, position: SourcePosition, problems: Problems,
        environment: [String: String] = [:], directory: String = ".", secrets: SecretAccess = .needed
    ) {
        self.table = table
        self.keyPath = keyPath
        self.position = position
        self.problems = problems
        self.environment = environment
        self.directory = directory
        self.secrets = secrets
    }

    /// Reports every key that was not asked for, here and in the readers that came from this one. To be called once,
    /// on the outermost reader.
    public func finish() {
        for child in children { child.finish() }
        guard checksUnknownKeys else { return }
        let absent = asked.filter { table[$0] == nil }
        let others = absent.isEmpty ? nil : "known here are also \(absent.sorted().joined(separator: ", "))"
        for entry in table.entries where !asked.contains(entry.key) {
            let mend = absent.nearest(to: entry.key).map { "did you mean \"\($0)\"?" }
            problems.add(
                Problem(
                    at: path(of: entry.key), position: entry.keyPosition,
                    message: "unknown key", mend: mend ?? others))
        }
    }

    /// Lets pass all keys that are not asked for: because their meaning hangs on something that is itself wrong.
    public func ignoreUnknownKeys() { checksUnknownKeys = false }

    // MARK: Problems that only the caller can see

    /// Reports `key`'s value, or the table if there is none, as wrong.
    public func problem(at key: String, message: String, mend: String? = nil) {
        add(.error, at: key, message: message, mend: mend)
    }

    /// Reports `key`'s value, or the table if there is none, as probably not meant so.
    public func warning(at key: String, message: String, mend: String? = nil) {
        add(.warning, at: key, message: message, mend: mend)
    }

    func add(
        _ severity: Problem.Severity = .error, at key: String, position: SourcePosition? = nil, message: String,
        mend: String? = nil
    ) {
        let position = position ?? table[key]?.value.position ?? self.position
        problems.add(Problem(severity, at: path(of: key), position: position, message: message, mend: mend))
    }

    // MARK: Access

    /// Whether the table has `key`; counts as asking for it.
    public func has(_ key: String) -> Bool { lookUp(key) != nil }

    /// Whether a getter has asked for `key` already: it belongs to somebody else then. Does not count as asking.
    public func isAsked(_ key: String) -> Bool { asked.contains(key) }

    /// Reports `key` as missing if it is.
    public func require(_ key: String, mend: String? = nil) {
        if !has(key) { problem(at: key, message: "is missing", mend: mend) }
    }

    /// Whether a string stands under `key` in the file itself, and does not come from the environment.
    public func holdsLiterally(_ key: String) -> Bool {
        guard case .string(let text)? = table[key]?.value.kind else { return false }
        return !text.includes("${")
    }

    func lookUp(_ key: String) -> Value? {
        if !asked.contains(key) { asked.append(key) }
        return table[key]?.value
    }

    /// `key`'s value as `read` takes it; nil, and a problem, if `read` does not.
    func typed<T>(_ key: String, expected: String, _ read: (Value.Kind) -> T?) -> T? {
        guard let value = lookUp(key) else { return nil }
        if let result = read(value.kind) { return result }
        wrongType(value, at: key, expected: expected)
        return nil
    }

    func wrongType(_ value: Value, at key: String, expected: String) {
        add(at: key, position: value.position, message: "is \(value.kind.name)", mend: "expected is \(expected)")
    }

    func child(_ table: Table, keyPath: String, position: SourcePosition) -> SettingsReader {
        let child = SettingsReader(
            table, keyPath: keyPath, position: position, problems: problems, environment: environment,
            directory: directory, secrets: secrets)
        children.append(child)
        return child
    }

    func path(of key: String) -> String { keyPath.isEmpty ? key : "\(keyPath).\(key)" }
}

extension Value.Kind {
    /// What it is, with its article; never the content, which may be a secret.
    var name: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .number: "a number"
        case .boolean: "a boolean"
        case .array: "an array"
        case .table: "a table"
        case .date: "a date"
        }
    }
}

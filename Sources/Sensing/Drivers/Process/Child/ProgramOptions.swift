internal import Settings
internal import Units

/// What the tables of `exec` and `plugin` say of their program.
///
/// - `command`: the program and its arguments, an array. The program is an absolute path, or a name that is looked for
///   in PATH. There is no shell: `["/bin/sh", "-c", "…"]` asks for one. As in all texts of a configuration, `${NAME}` is
///   a variable of the agent's own, and `$$` one `$`.
/// - `environment`: a table of variables. Beside them there are only PATH and LANG, the agent's own; neither its HOME nor
///   its secrets.
/// - `user`: whom the program runs as, with all of its groups; needs an agent that runs as root. Default: the agent's.
/// - `directory`: where it works; default "/".
/// - `memory`: how much private writable memory each of its processes may have (RLIMIT_DATA; 1 MB and more; default
///   256MB). What is beyond is refused to it, and most programs end then.
/// - `open_files`: how many descriptors each of its processes may have (8 to 65536); default the agent's own limit.
/// - `processes`: how many processes and threads its user may have in all, the agent's own counted if it is the same
///   (1 to 65536; not for root); default the agent's own limit.
struct ProgramOptions: Sendable {
    var command: [String]
    var environment: [(name: String, value: String)]
    var user: String?
    var directory: String
    var memory: ByteCount
    var openFiles: Int?
    var processes: Int?

    init?(_ settings: SettingsReader) {
        environment = Self.environment(settings)
        user = settings.string("user")
        directory = settings.string("directory") ?? "/"
        memory =
            settings.byteCount("memory", in: ByteCount(bytes: 1_000_000)...) ?? ByteCount(bytes: 256_000_000)
        openFiles = settings.integer("open_files", in: 8...65536)
        processes = settings.integer("processes", in: 1...65536)
        if user == "" { settings.problem(at: "user", message: "is empty", mend: "name a user, or remove it") }
        if !directory.hasPrefix("/") {
            settings.problem(at: "directory", message: "\"\(directory)\" is not absolute", mend: "begin it with /")
        }
        if directory.utf8.contains(0) {
            settings.problem(at: "directory", message: "holds a NUL")
        }
        guard let command = Self.command(settings) else { return nil }
        self.command = command
    }

    private static func command(_ settings: SettingsReader) -> [String]? {
        settings.require("command", mend: #"write one like ["/usr/local/bin/program", "argument"]"#)
        if settings.holdsLiterally("command"), let text = settings.string("command") {
            let words = text.split(separator: " ").map { $0.debugDescription }.joined(separator: ", ")
            settings.problem(
                at: "command", message: "is a string",
                mend: "write each word by itself: [\(words)]; or, if it needs a shell, [\"/bin/sh\", \"-c\", \"…\"]")
            return nil
        }
        guard let command = settings.strings("command") else { return nil }
        guard let program = command.first, !program.isEmpty else {
            settings.problem(at: "command", message: "names no program")
            return nil
        }
        if program.utf8.contains(UInt8(ascii: "/")), !program.hasPrefix("/") {
            settings.problem(
                at: "command", message: "\"\(program)\" is not absolute",
                mend: "begin it with /, or write a name that is looked for in PATH")
            return nil
        }
        if command.contains(where: { $0.utf8.contains(0) }) {
            settings.problem(at: "command", message: "holds a NUL")
            return nil
        }
        return command
    }

    private static func environment(_ settings: SettingsReader) -> [(name: String, value: String)] {
        (settings.dictionary("environment") ?? []).compactMap { entry in
            let value: String
            switch entry.value.kind {
            case .string(let text): value = text
            case .integer(let number): value = "\(number)"
            case .number(let number): value = "\(number)"
            case .boolean(let boolean): value = "\(boolean)"
            case .array, .table, .date: return nil
            }
            guard !entry.key.isEmpty, !entry.key.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "=") }),
                !value.utf8.contains(0)
            else {
                settings.problem(at: "environment.\(entry.key)", message: "is no variable's name and value")
                return nil
            }
            return (entry.key, value)
        }
    }

    /// For messages: the program, and the script if it is an interpreter. Other arguments may be secrets.
    var name: String {
        guard command.count > 1, command[1].hasPrefix("/") else { return command[0] }
        return "\(command[0]) \(command[1])"
    }
}

/// How long a program may take, so that its end, if it must be killed, still falls into the sensor's timeout.
struct Patience: Sendable {
    /// How long it has for its work.
    var work: Duration
    /// How long it has to end by itself after SIGTERM.
    var farewell: Duration

    /// A fifth of the sensor's timeout, at most a second, is kept for killing.
    init(timeout: Duration) {
        let reserve = min(timeout / 5, .seconds(1))
        work = timeout - reserve
        farewell = reserve / 2
    }

    /// From the sensor's table, which its owner reads too and tells what is wrong with.
    init(_ settings: SettingsReader) {
        self.init(timeout: settings.sensorTimeout)
    }
}

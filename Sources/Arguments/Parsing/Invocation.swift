/// What a program was asked for.
public enum Invocation {
    /// To run this, whose properties have their values.
    case command(any ParsableCommand)
    /// To print this and be done: help, the version, a completion script, the manual.
    case text(String)
    /// Something that cannot be.
    case misuse(Misuse)
}

/// Why arguments were not understood.
public struct Misuse: Error, Sendable, Equatable {
    /// Names what is wrong, and the mend if it is known.
    public let message: String
    /// How the command is used.
    public let usage: String
    /// The command whose help says more.
    public let command: String

    /// All of it, as it goes to standard error.
    public var text: String { "Error: \(message)\n\(usage)\n  See '\(command) --help' for more information." }
}

extension ParsableCommand {
    /// Reads what stands behind the program's name. Neither prints nor ends anything.
    ///
    /// - Parameter width: how wide help may be, in letters.
    public static func invocation(of arguments: [String], width: Int = 80) -> Invocation {
        let (command, rest) = Command(root: Self.self).resolve(arguments)
        return command.invocation(of: rest, width: width)
    }
}

extension Command {
    /// The command that is named, and what is left for it.
    func resolve(_ arguments: [String], withDefaults: Bool = true) -> (command: Command, rest: ArraySlice<String>) {
        var command = self
        var rest = arguments[...]
        while true {
            if let subcommand = command.subcommands.first(where: { $0.name == rest.first }) {
                rest = rest.dropFirst()
                command = subcommand
            } else if withDefaults, let standIn = command.defaultSubcommand, !command.knows(rest.first) {
                command = standIn
            } else {
                return (command, rest)
            }
        }
    }

    private func knows(_ argument: String?) -> Bool {
        declarations.contains { $0.allNames.contains { $0.description == argument } }
    }

    /// What `arguments`, from which the commands are gone, ask of this one.
    func invocation(of arguments: ArraySlice<String>, width: Int) -> Invocation {
        var instance = type.init()
        var parser = ArgumentReader(withCommonOnes(Arguments.declarations(of: instance)), arguments)
        do {
            switch try parser.read() {
            case .help: return .text(help(width: width))
            case .version: return .text(version)
            case .completionScript(let shell): return .text(completionScript(for: shell))
            case nil: break
            }
            if let problem = parser.problem { throw problem }
            if isFolder {
                if let word = parser.words.first { throw unknownCommand(word) }
                return .text(help(width: width))
            }
            try parser.place()
            try Arguments.validate(&instance)
            if let help = instance as? HelpCommand { return try .text(answer(help, width: width)) }
            return .command(instance)
        } catch {
            return .misuse(misuse("\(error)", width: width))
        }
    }

    private func answer(_ help: HelpCommand, width: Int) throws -> String {
        let root = Command(root: root)
        if help.manual { return root.manualPage() }
        let (command, rest) = root.resolve(help.command, withDefaults: false)
        if let word = rest.first { throw command.unknownCommand(word) }
        return command.help(width: width)
    }

    /// A folder of commands does nothing itself.
    private var isFolder: Bool { !configuration.subcommands.isEmpty }

    func misuse(_ message: String, width: Int) -> Misuse {
        Misuse(message: message, usage: usage("Usage: ", width: width), command: fullName)
    }

    private func unknownCommand(_ word: String) -> ReadingProblem {
        .unknownCommand(word, of: fullName, known: visibleSubcommands.map(\.name))
    }
}

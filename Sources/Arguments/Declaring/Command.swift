/// A command in its place in the tree.
struct Command {
    let type: any ParsableCommand.Type
    /// From the program on, as in "fieldpost queue status".
    let path: [String]
    let version: String
    /// The program itself.
    let root: any ParsableCommand.Type
    private let helpNames: NameSpecification

    init(root type: any ParsableCommand.Type) {
        self.type = type
        self.root = type
        path = [type.commandName]
        version = type.configuration.version
        helpNames = type.configuration.helpNames ?? .shortAndLong
    }

    private init(_ type: any ParsableCommand.Type, in parent: Command) {
        self.type = type
        root = parent.root
        path = parent.path + [type.commandName]
        version = type.configuration.version.isEmpty ? parent.version : type.configuration.version
        helpNames = type.configuration.helpNames ?? parent.helpNames
    }

    var name: String { path.last ?? "" }
    var fullName: String { path.joined(separator: " ") }
    var configuration: CommandConfiguration { type.configuration }
    var isRoot: Bool { path.count == 1 }

    /// With what shows help, where there are commands to show it of.
    var subcommands: [Command] {
        var types = configuration.subcommands
        if isRoot, !types.isEmpty { types.append(HelpCommand.self) }
        return types.map { Command($0, in: self) }
    }

    var visibleSubcommands: [Command] { subcommands.filter(\.configuration.shouldDisplay) }

    var defaultSubcommand: Command? { configuration.defaultSubcommand.map { Command($0, in: self) } }

    /// Itself, and all below that are shown.
    var visibleTree: [Command] { [self] + visibleSubcommands.flatMap(\.visibleTree) }

    /// What it declares; nobody will see values that are put there.
    var declarations: [Declaration] { withCommonOnes(Arguments.declarations(of: type.init())) }

    /// With what every command has, as far as it uses no such name itself.
    func withCommonOnes(_ own: [Declaration]) -> [Declaration] {
        let taken = Set(own.flatMap(\.allNames))
        var common: [Declaration] = []
        func add(_ kind: Declaration.Kind, _ names: [Name], _ help: ArgumentHelp, values: [String] = []) {
            let names = names.filter { !taken.contains($0) }
            if names.isEmpty { return }
            common.append(
                Declaration(
                    kind: kind, names: names, help: help, property: "", values: values,
                    completion: values.isEmpty ? .default : .list(values)))
        }
        if !version.isEmpty { add(.version, [.long("version")], "Show the version.") }
        add(.help, helpNames.names(of: "help"), "Show help information.")
        if isRoot {
            add(
                .completionScript, [.long("generate-completion-script")],
                ArgumentHelp(
                    "Print what makes a shell complete the commands and options.", valueName: "shell",
                    visibility: .hidden), values: Shell.allValueStrings)
        }
        return own + common
    }
}

/// `help COMMAND`; the parser answers it.
struct HelpCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "help", abstract: "Shows the help of a command.")

    @Flag(help: "Print the manual page of the whole program, for man(1).")
    var manual = false

    @Argument(help: "The command.")
    var command: [String] = []
}

enum Shell: String, CaseIterable, ExpressibleByArgument {
    case bash, zsh, fish
}

/// What a shell can complete in one command.
struct Completable {
    /// From the program on.
    let path: [String]
    let abstract: String
    let options: [Declaration]
    let arguments: [Declaration]
    let subcommands: [Completable]

    var name: String { path.last ?? "" }

    init(_ command: Command) {
        path = command.path
        abstract = command.configuration.abstract
        let visible = command.declarations.filter(\.isVisible)
        options = visible.filter { !$0.isArgument }
        if command.type == HelpCommand.self {
            let program = Command(root: command.root)
            arguments = []
            subcommands = program.visibleSubcommands.filter { $0.type != HelpCommand.self }
                .map { Completable(namesOf: $0, below: command.path) }
        } else {
            arguments = visible.filter(\.isArgument)
            subcommands = command.visibleSubcommands.map { Completable($0) }
        }
    }

    /// The names alone, as `help` takes them.
    private init(namesOf command: Command, below parent: [String]) {
        let path = parent + [command.name]
        self.path = path
        abstract = command.configuration.abstract
        options = []
        arguments = []
        subcommands = command.visibleSubcommands.map { Completable(namesOf: $0, below: path) }
    }

    /// Itself and all below.
    var tree: [Completable] { [self] + subcommands.flatMap(\.tree) }
}

extension Command {
    /// What makes a shell complete the program's arguments: for bash and fish to be sourced, for zsh to be a file
    /// `_fieldpost` in one of the folders of `fpath`.
    func completionScript(for shell: Shell) -> String {
        let program = Completable(self)
        return switch shell {
        case .bash: BashScript(program).text
        case .zsh: ZshScript(program).text
        case .fish: FishScript(program).text
        }
    }
}

extension Declaration {
    /// What is offered as its value.
    var candidates: CompletionKind { completion == .default && !values.isEmpty ? .list(values) : completion }
}

/// A word that a shell takes as it stands.
func quoted(_ text: String) -> String {
    "'\(text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
}

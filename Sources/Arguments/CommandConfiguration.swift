/// What a command is called, what its help says, and which commands it holds.
public struct CommandConfiguration: Sendable {
    /// By default the type's name, as in `queue-status`.
    public var commandName: String?
    /// One sentence.
    public var abstract: String
    /// Paragraphs with an empty line between them. A line that begins with a space is shown as it stands.
    public var discussion: String
    /// Printed for `--version`; holds for subcommands too.
    public var version: String
    /// Whether the command is listed; it can be used in any case.
    public var shouldDisplay: Bool
    public var subcommands: [any ParsableCommand.Type]
    /// Stands in when no subcommand is named.
    public var defaultSubcommand: (any ParsableCommand.Type)?
    /// How help is asked for; by default as in the command above, in the end `-h` and `--help`.
    public var helpNames: NameSpecification?

    public init(
        commandName: String? = nil, abstract: String = "", discussion: String = "", version: String = "",
        shouldDisplay: Bool = true, subcommands: [any ParsableCommand.Type] = [],
        defaultSubcommand: (any ParsableCommand.Type)? = nil, helpNames: NameSpecification? = nil
    ) {
        self.commandName = commandName
        self.abstract = abstract
        self.discussion = discussion
        self.version = version
        self.shouldDisplay = shouldDisplay
        self.subcommands = subcommands
        self.defaultSubcommand = defaultSubcommand
        self.helpNames = helpNames
    }
}

/// A program, or one of its commands.
///
/// One that has subcommands is their folder: it does nothing itself, and shows its help when none is named and none is
/// the default.
public protocol ParsableCommand: ParsableArguments {
    static var configuration: CommandConfiguration { get }

    /// What stands in the manual besides the commands; asked of the program itself only.
    static var manual: Manual { get }

    /// Does what the command is for.
    ///
    /// - Throws: ``ExitCode`` when all is said already; ``ValidationError`` for what turns out to be wrongly used.
    mutating func run() throws
}

extension ParsableCommand {
    public static var configuration: CommandConfiguration { CommandConfiguration() }
    public static var manual: Manual { Manual() }
    public mutating func run() throws {}

    static var commandName: String {
        configuration.commandName ?? hyphenated(String(describing: Self.self))
    }
}

/// A command that waits for something.
public protocol AsyncParsableCommand: ParsableCommand {
    /// As ``ParsableCommand/run()``, in the place of it.
    mutating func run() async throws
}

import Arguments

/// A program with one of everything.
struct Example: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "example", abstract: "Shows what can be declared.",
        discussion: """
            Begin with `example list`. This paragraph is long enough that it has to be broken into several lines.

                example list --limit 3

            The end.
            """,
        version: "1.2.3", subcommands: [List.self, Send.self, Store.self, Secret.self])

    static let manual = Manual(
        date: "2026-01-02", exitCodes: [.init("0", "Done.")], environment: [.init("HOME", "Where one lives.")],
        files: [.init("/etc/example.conf", "Says 'what' and -how.")], seeAlso: ["ls(1)", "cat(1)"])
}

enum Colour: String, CaseIterable, ExpressibleByArgument {
    case red, green, blue
}

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists things.")

    @Option(name: .shortAndLong, help: "At most so many.") var limit = 10
    @Option(help: "Of this colour.") var colour: Colour?
    @Option(help: "Painted like this.") var paint = Colour.green
    @Option(name: [.customShort("r"), .long], help: "How far.") var ratio: Double?
    @Option(help: "A port.") var port: UInt16?
    @Option(name: [.short, .customLong("tag")], help: "May be repeated.") var tags: [String] = []
    @Option(help: "Read by a function.", transform: { try halved($0) }) var half: Int?
    @Flag(name: .shortAndLong, help: "Say more.") var verbose: Int
    @Flag(name: .shortAndLong, help: "As JSON.") var json = false
    @Flag(inversion: .prefixedNo, help: "Sort them.") var sort = true
    @Flag(inversion: .prefixedNo, help: "In pages.") var paged: Bool?
    @Flag(inversion: .prefixedEnableDisable, help: "Cache them.") var cache = false
    @Argument(help: "Where to look.", completion: .file(extensions: ["toml", "conf"])) var place: String?
    @Argument(help: "What else.") var others: [String] = []
}

struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Sends something.", helpNames: .long)

    @Option(name: .shortAndLong, help: "To whom.") var host: String
    @Option(name: .shortAndLong, parsing: .unconditional, help: "The text; may begin with a dash.") var message: String?
    @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "Words.") var word: [String] = []
    @Option(help: .hidden) var unseen: String?
    @OptionGroup(title: "Security") var security: Security
    @Argument(help: "How often.") var count = 1

    mutating func run() async throws {}
}

struct Security: ParsableArguments {
    @Option(help: "Whom to trust.", completion: .file()) var cafile: String?
    @Option(help: "The same as a folder.", completion: .directory) var capath: String?
    @Flag(help: "Trust everybody.") var insecure = false

    func validate() throws {
        if insecure, cafile != nil { throw ValidationError("--insecure and --cafile exclude each other") }
    }
}

struct Store: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks into the store.", subcommands: [Status.self, Purge.self], defaultSubcommand: Status.self)

    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What is there.")
        @OptionGroup(title: "Security") var checks: Checks
        @Flag(help: "As JSON.") var json = false
    }

    struct Checks: ParsableArguments {
        @Flag(help: "Check what is signed.") var signed = false
    }

    struct Purge: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Throws things away.")
        @OptionGroup(title: "Security") var security: Security
        @Flag(inversion: .prefixedNo, help: "Whether to keep some.") var keep: Bool
        @Argument(help: "What to throw away.") var names: [String]

        func validate() throws {
            if names.contains("all") { throw ValidationError("not all of them") }
        }
    }
}

struct Secret: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Is not listed.", shouldDisplay: false)
}

struct Odd: Error, CustomStringConvertible {
    var description: String { "it is odd" }
}

private func halved(_ text: String) throws -> Int {
    guard let number = Int(text), number.isMultiple(of: 2) else { throw Odd() }
    return number / 2
}

/// The command that `arguments` make, if it is of this type.
func command<C: ParsableCommand>(_ type: C.Type = C.self, _ arguments: String...) -> C? {
    guard case .command(let command) = Example.invocation(of: arguments) else { return nil }
    return command as? C
}

/// What is said about arguments that cannot be.
func problem(_ arguments: [String]) -> Misuse? {
    guard case .misuse(let misuse) = Example.invocation(of: arguments) else { return nil }
    return misuse
}

/// What is printed in the place of running anything.
func text(_ arguments: [String], width: Int = 80) -> String? {
    guard case .text(let text) = Example.invocation(of: arguments, width: width) else { return nil }
    return text
}

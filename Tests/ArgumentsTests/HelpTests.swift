import Arguments
import Testing

@Suite struct HelpTests {
    @Test func `The help of a program`() {
        let help = """
            OVERVIEW: Shows what can be declared.

            Begin with `example list`. This paragraph is long enough that
            it has to be broken into several lines.

                example list --limit 3

            The end.

            USAGE: example <command>

            OPTIONS:
              --version               Show the version.
              -h, --help              Show help information.

            COMMANDS:
              list                    Lists things.
              send                    Sends something.
              store                   Looks into the store.
              help                    Shows the help of a command.

            See 'example help <command>' for more.
            """
        for arguments in [[], ["--help"], ["-h"], ["help"], ["--nonsense", "--help"]] {
            #expect(text(arguments, width: 62) == help)
        }
    }

    @Test func `The help of a command`() {
        let help = """
            OVERVIEW: Lists things.

            USAGE: example list [<options>] [<place>] [<others>]...

            ARGUMENTS:
              <place>                 Where to look.
              <others>                What else.

            OPTIONS:
              -l, --limit <limit>     At most so many. (default: 10)
              --colour <colour>       Of this colour. (values: red, green,
                                      blue)
              --paint <paint>         Painted like this. (values: red,
                                      green, blue; default: green)
              -r, --ratio <ratio>     How far.
              --port <port>           A port.
              -t, --tag <tag>         May be repeated.
              --half <half>           Read by a function.
              -v, --verbose           Say more.
              -j, --json              As JSON.
              --sort/--no-sort        Sort them. (default: --sort)
              --paged/--no-paged      In pages.
              --enable-cache/--disable-cache
                                      Cache them. (default: --disable-cache)
              --version               Show the version.
              -h, --help              Show help information.
            """
        for arguments in [["list", "-h"], ["help", "list"], ["list", "a", "--limit", "x", "--nonsense", "--help"]] {
            #expect(text(arguments, width: 64) == help)
        }
    }

    @Test func `Groups have headings, hidden options none, and help the names that are left`() throws {
        let help = try #require(text(["send", "--help"]))
        #expect(help.split(separator: "\n").map(String.init).contains("SECURITY:"))
        #expect(!help.split(separator: " ").contains("--unseen"))
        #expect(help.split(separator: "\n").contains("  -h, --host <host>       To whom."))
        #expect(help.split(separator: "\n").contains("  --help                  Show help information."))
        #expect(problem(["send", "-h"])?.message.hasPrefix("Missing value for '-h <host>'") == true)
    }

    @Test(arguments: ["run", "--version", "list --version", "store purge --version"])
    func `The version is the same at every command`(line: String) {
        let arguments = line.split(separator: " ").map(String.init)
        #expect((text(arguments) == "1.2.3") == (arguments.last == "--version"))
    }

    @Test(arguments: [
        [], ["list"], ["send"], ["store"], ["store", "purge"], ["store", "status"], ["help"], ["secret"],
    ])
    func `No line is wider than the terminal, unless a name is`(command: [String]) throws {
        for width in [1, 40, 41, 57, 80, 200] {
            let help = try #require(text(command + ["--help"], width: width))
            for line in help.split(separator: "\n") where line.count > max(width, 40) {
                #expect(!line.drop { $0 == " " }.contains(" ") || line.hasPrefix("  -"), "\(width): \(line)")
            }
            #expect(!help.split(separator: "\n", omittingEmptySubsequences: false).contains { $0.last == " " })
        }
    }

    @Test func `A folder with a command that stands in says so`() {
        #expect(text(["store", "--help"])?.split(separator: "\n").contains("USAGE: example store [<command>]") == true)
    }
}

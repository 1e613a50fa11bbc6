import Arguments
import Testing

@Suite struct MisuseTests {
    @Test(arguments: [
        (["lst"], "Unknown command 'lst'. Did you mean 'example list'?"),
        (["frobnicate"], "Unknown command 'frobnicate'; there are list, send, store and help"),
        (["store", "prge"], "Unexpected argument 'prge'"),
        (["help", "store", "prge"], "Unknown command 'prge'. Did you mean 'example store purge'?"),
        (["help", "list", "x"], "Unknown command 'x'; 'example list' has none"),
        (["--hlep"], "Unknown option '--hlep'. Did you mean '--help'?"),
        (["list", "--limt", "3"], "Unknown option '--limt'. Did you mean '--limit'?"),
        (["list", "--verb"], "Unknown option '--verb'. Did you mean '--verbose'?"),
        (["list", "--no-srt"], "Unknown option '--no-srt'. Did you mean '--no-sort'?"),
        (["list", "-limit", "3"], "The value 'imit' is invalid for '-l <limit>': it takes a whole number"),
        (["list", "-json"], "Unknown option '-s' in '-json'. Did you mean '--json'?"),
        (["list", "-x"], "Unknown option '-x'"),
        (["list", "-vx"], "Unknown option '-x' in '-vx'"),
        (["list", "--x=y"], "Unknown option '--x'"),
        (["list", "--limit"], "Missing value for '--limit <limit>': At most so many."),
        (
            ["list", "--limit", "--json"],
            "Missing value for '--limit <limit>'; to give it '--json', write --limit=--json"
        ),
        (["list", "-t", "-5x"], "Missing value for '-t <tag>'; to give it '-5x', write -t=-5x"),
        (["list", "--limit", "ten"], "The value 'ten' is invalid for '--limit <limit>': it takes a whole number"),
        (
            ["list", "--port", "65536"],
            "The value '65536' is invalid for '--port <port>': it takes a whole number, 0 to 65535"
        ),
        (["list", "-r", "x"], "The value 'x' is invalid for '-r <ratio>': it takes a number"),
        (
            ["list", "--colour", "gren"],
            "The value 'gren' is invalid for '--colour <colour>': it takes red, green or blue. Did you mean 'green'?"
        ),
        (["list", "--half", "7"], "The value '7' is invalid for '--half <half>': it is odd"),
        (["list", "--json=yes"], "The option '--json' takes no value, and was given 'yes'"),
        (["list", "-j=yes"], "The option '-j' takes no value, and was given 'yes'"),
        (["send"], "Missing '--host <host>': To whom."),
        (["send", "-h", "a", "1", "2"], "Unexpected argument '2'"),
        (["send", "-h", "a", "x"], "The value 'x' is invalid for '<count>': it takes a whole number"),
        (["send", "-h", "a", "--insecure", "--cafile", "x"], "--insecure and --cafile exclude each other"),
        (["store", "purge", "--keep"], "Missing '<names>': What to throw away."),
        (["store", "purge", "a"], "Missing '--keep' or '--no-keep': Whether to keep some."),
        (["store", "purge", "--keep", "all"], "not all of them"),
        (
            ["--generate-completion-script", "tcsh"],
            "The value 'tcsh' is invalid for '--generate-completion-script <shell>': it takes bash, zsh or fish"
        ),
    ])
    func `What is wrong is named, and the mend`(arguments: [String], message: String) {
        #expect(problem(arguments)?.message == message)
    }

    @Test func `The first of several problems is told`() {
        #expect(problem(["list", "--one", "--two", "--limit", "x"])?.message == "Unknown option '--one'")
    }

    @Test func `Hidden names are not suggested`() {
        #expect(problem(["send", "--unsen", "x"])?.message == "Unknown option '--unsen'")
        #expect(problem(["secrt"])?.message.hasSuffix("there are list, send, store and help") == true)
    }

    @Test func `Usage comes with it, and where there is more`() {
        #expect(
            problem(["send", "-x"])?.text == """
                Error: Unknown option '-x'
                Usage: example send --host <host> [--message <message>] [--word <word>]...
                       [--cafile <cafile>] [--capath <capath>] [--insecure] [<count>]
                  See 'example send --help' for more information.
                """)
        #expect(problem(["store", "purge"])?.usage.hasPrefix("Usage: example store purge (--keep|--no-keep)") == true)
    }
}

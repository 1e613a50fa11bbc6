import Arguments
import FieldpostAgent

struct Version: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "This program's version, what it is linked with, and which files it knows.",
        discussion: """
            An updater that compares "queue" and "store" of two programs knows whether the one can go on where the other \
            stops: it can if its "writes" is not below the other's "readable_from".
            """)

    @Flag(help: "As a JSON object.")
    var json = false

    func run() { for line in VersionReport().lines(asJSON: json) { Console.print(line) } }
}

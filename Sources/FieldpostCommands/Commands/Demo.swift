import Arguments
import FieldpostAgent

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Three garbage bins and this machine's own sensors, a cut cable, the will, the recovery.",
        discussion: """
            Needs nothing: it starts a broker (fieldpost broker, a process of its own) on a free port, an agent that \
            reaches it through a relay, and somebody who watches at the broker. After some seconds the cable is cut. Takes \
            some 20 seconds.
            """)

    @Flag(help: "Go on until Ctrl-C.")
    var keepRunning = false

    func run() async throws {
        do {
            guard try await FieldpostAgent.Demonstration(keepRunning: keepRunning, print: Console.print).run() else {
                throw ExitCode.negative
            }
        } catch let error where !(error is ExitCode) {
            throw fail(error, .unavailable)
        }
    }
}

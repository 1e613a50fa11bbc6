import Arguments
import FieldpostAgent

struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Garbage bins that workers are sent to empty, a cut cable, the will, the recovery: the whole story.",
        discussion: """
            Needs nothing: it starts a broker and a dispatcher (fieldpost broker and fieldpost dispatch, processes of their \
            own), an agent that reaches the broker through a relay, three workers, and somebody who watches at the broker. \
            Three simulated bins fill; one raises its alarm, a worker is sent and empties it; then the cable is cut while \
            another one fills. Takes some 30 seconds.
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

import Arguments
import FieldpostAgent

struct Request: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a device and prints its answer, with mosquitto_rr's options.",
        discussion: """
            fieldpost request -t gate/7/request -m open

            The device answers to the Response Topic of the request, with its Correlation Data (5.0); where the broker \
            speaks only 3.1.1, and with --by-topics, the request goes to gate/7/request/ID and the answer comes to \
            gate/7/response/ID. With -e the first message that comes to that topic is the answer.

            Exit code 0: there was an answer; 27: none in time; 1: nobody listens (5.0), or the broker refused.
            """,
        helpNames: .long)

    @Option(name: .shortAndLong, parsing: .unconditional, help: "Where to ask.")
    var topic: String?

    @OptionGroup var content: ContentArguments

    @Option(
        name: .customShort("e"), parsing: .unconditional,
        help: ArgumentHelp("Where the answer is to come. (default: a topic of our own)", valueName: "topic"))
    var responseTopic: String?

    @Flag(help: "Tell by topics where the answer is to come, for devices that speak 3.1.1.")
    var byTopics = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The quality of service: 0, 1 or 2.")
    var qos = 1

    @Option(
        name: .customShort("W"), parsing: .unconditional,
        help: ArgumentHelp("How many seconds to wait for the answer.", valueName: "seconds"))
    var timeout = 10

    // What is retained is never taken for an answer.
    @Flag(name: .customShort("R"), help: .hidden)
    var noRetained = false

    @OptionGroup var output: OutputArguments

    @OptionGroup(title: "Connection") var client: ClientArguments

    @OptionGroup(title: "TLS") var tls: TLSArguments

    private var requester: Requester {
        get throws {
            var options = Requester.Options()
            options.client = client.options(tls)
            options.topic = topic
            options.contents = content.contents
            options.responseTopic = responseTopic
            options.asksByTopics = byTopics
            options.qos = qos
            options.timeout = timeout
            options.output = output.options
            return try Requester(options)
        }
    }

    func validate() throws { try ClientArguments.check { try requester } }

    func run() async throws {
        let requester = try requester
        try await client.report { try await requester.run() }
    }
}

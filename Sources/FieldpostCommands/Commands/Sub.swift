import Arguments
import FieldpostAgent

struct Sub: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints messages as they arrive, with mosquitto_sub's options.",
        discussion: """
            Goes on until Ctrl-C, or as -C, -E, -W and --retained-only say; -W ends with exit code 27. A broker that \
            cannot be reached at first, or refuses the connection, is not asked again; one that is lost later is.
            """,
        helpNames: .long)

    @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "What to subscribe to; may be repeated.")
    var topic: [String] = []

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The highest quality of service: 0, 1 or 2.")
    var qos = 0

    @OptionGroup var output: OutputArguments

    @Option(
        name: .customShort("C"), parsing: .unconditional,
        help: ArgumentHelp("End after so many messages.", valueName: "count"))
    var count: Int?

    @Option(
        name: .customShort("W"), parsing: .unconditional,
        help: ArgumentHelp("End after so many seconds.", valueName: "seconds"))
    var timeout: Int?

    @Flag(name: .customShort("E"), help: "End when the broker has answered the subscriptions.")
    var exitWhenSubscribed = false

    @Flag(name: .customShort("R"), help: "Print no retained messages.")
    var noRetained = false

    @Flag(help: "Print only retained messages, and end with the first other one.")
    var retainedOnly = false

    @Flag(help: "Delete at the broker what comes retained and is not filtered out by -T, also with -R.")
    var removeRetained = false

    @Flag(help: "Take the retain flag as it was published, not as the mark of an old message (5.0).")
    var retainAsPublished = false

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Print so many of a hundred messages, 0.1 to 100.", valueName: "percentage"))
    var randomFilter: Double?

    @Option(
        name: [.customShort("T"), .customLong("filter-out")], parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Print no messages of these topics; may be repeated.", valueName: "filter"))
    var filteredOut: [String] = []

    @Option(
        name: [.customShort("U"), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp("What to unsubscribe from, after subscribing; may be repeated.", valueName: "filter"))
    var unsubscribe: [String] = []

    @OptionGroup(title: "Connection") var client: ClientArguments

    @OptionGroup(title: "TLS") var tls: TLSArguments

    private var subscriber: Subscriber {
        get throws {
            var options = Subscriber.Options()
            options.client = client.options(tls)
            options.topics = topic
            options.qos = qos
            options.filteredOut = filteredOut
            options.unsubscribed = unsubscribe
            options.count = count
            options.timeout = timeout
            options.output = output.options
            options.removesRetained = removeRetained
            options.retainsAsPublished = retainAsPublished
            options.share = randomFilter
            options.skipsRetained = noRetained
            options.onlyRetained = retainedOnly
            options.exitsWhenSubscribed = exitWhenSubscribed
            return try Subscriber(options)
        }
    }

    func validate() throws { try ClientArguments.check { try subscriber } }

    func run() async throws {
        let subscriber = try subscriber
        try await client.report { try await subscriber.run() }
    }
}

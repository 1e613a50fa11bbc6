import Arguments
import FieldpostAgent

struct Pub: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publishes messages, with mosquitto_pub's options.",
        discussion: """
            Ends when the broker has acknowledged everything (at QoS 0: when everything is sent). A broker that cannot \
            be reached, or refuses the connection, is not asked again; while --stdin-line reads, one that is lost is.
            """,
        helpNames: .long)

    @Option(name: .shortAndLong, parsing: .unconditional, help: "Where to publish.")
    var topic: String?

    @OptionGroup var content: ContentArguments

    @Flag(name: [.customShort("l"), .long], help: "Each line of standard input is a message.")
    var stdinLine = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The quality of service: 0, 1 or 2.")
    var qos = 0

    @Flag(name: .shortAndLong, help: "The broker keeps the message for later subscribers.")
    var retain = false

    @Option(
        name: .customLong("repeat"), parsing: .unconditional, help: "How often to publish the message. (default: 1)")
    var count: Int?

    @Option(parsing: .unconditional, help: "Seconds between repetitions. (default: 0)")
    var repeatDelay: Double?

    @OptionGroup(title: "Connection") var client: ClientArguments

    @OptionGroup(title: "TLS") var tls: TLSArguments

    private var publisher: Publisher {
        get throws {
            var options = Publisher.Options()
            options.client = client.options(tls)
            options.topic = topic
            options.contents = content.contents + (stdinLine ? [.lines] : [])
            options.qos = qos
            options.retain = retain
            options.count = count
            options.delay = repeatDelay
            return try Publisher(options)
        }
    }

    func validate() throws { try ClientArguments.check { try publisher } }

    func run() async throws {
        let publisher = try publisher
        try await client.report { try await publisher.run() }
    }
}

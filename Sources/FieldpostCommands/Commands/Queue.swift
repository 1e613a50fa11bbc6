import Arguments
import FieldpostAgent
import Settings

struct Queue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks into the offline queue: status and list also while the agent runs.",
        discussion: """
            Shows the queue of the agent's own connection; that of an uplink which has a connection of its own, under \
            [uplink.broker], with --uplink.
            """,
        subcommands: [QueueStatus.self, QueueList.self, QueuePurge.self])
}

/// Which of an agent's queues is meant.
struct QueueOptions: ParsableArguments {
    @OptionGroup var options: ConfigurationOption
    @Option(help: ArgumentHelp("The queue of this uplink, which has a connection of its own.", valueName: "name"))
    var uplink: String?

    /// Runs what looks into a queue, and says why if it cannot.
    func look<Result>(_ body: (AgentConfiguration) async throws -> Result) async throws -> Result {
        let configuration = try options.load(secrets: .ignored)
        do {
            return try await body(configuration)
        } catch let error as UplinkWithoutQueue {
            throw fail("--uplink: \(error)", .validationFailure)
        } catch {
            throw fail(error, .inputOutput)
        }
    }
}

struct QueueStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How many messages wait, since when, and what was lost to which cause.",
        discussion: "Shows what is on disk; what the agent holds in memory while its disk fails is in its status.")

    @OptionGroup var queue: QueueOptions
    @Flag(help: "As a JSON object.") var json = false

    func run() async throws {
        let lines = try await queue.look { try $0.queueReport(of: queue.uplink, asJSON: json) }
        for line in lines { Console.print(line) }
    }
}

struct QueueList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The messages that wait, in the order in which they will be sent.")

    @OptionGroup var queue: QueueOptions
    @Flag(help: "One JSON object for each message.") var json = false
    @Option(name: [.customShort("n"), .long], help: "At most so many.") var limit = 100

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is \(limit); 1 is the least") }
    }

    func run() async throws {
        let lines = try await queue.look {
            try $0.queuedMessages(of: queue.uplink, limit: limit, asJSON: json)
        }
        for line in lines { Console.print(line) }
    }
}

struct QueuePurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Throws waiting messages away, for good; they are counted as lost.",
        discussion: "While an agent uses the queue this is refused: stop it first.")

    @OptionGroup var queue: QueueOptions

    @Flag(help: "Yes, all of them.") var all = false
    @Option(help: "Only those that have waited longer, such as \"2d\".") var olderThan: String?

    func validate() throws {
        guard all || olderThan != nil else {
            throw ValidationError("say what to throw away: --all, or --older-than with a duration such as \"2d\"")
        }
        guard !all || olderThan == nil else {
            throw ValidationError("--all and --older-than exclude each other")
        }
        if let olderThan, let problem = AgentConfiguration.problem(ofDuration: olderThan) {
            throw ValidationError("--older-than: \(problem)")
        }
    }

    func run() async throws {
        let count = try await queue.look {
            try await $0.purgeQueue(of: queue.uplink, olderThan: olderThan)
        }
        Console.print("\(count) message\(count == 1 ? "" : "s") thrown away")
    }
}

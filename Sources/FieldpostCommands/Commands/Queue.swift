import Arguments
import FieldpostAgent
import Settings

struct Queue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks into the offline queue: status and list also while the agent runs.",
        subcommands: [QueueStatus.self, QueueList.self, QueuePurge.self])
}

struct QueueStatus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How many messages wait, since when, and what was lost to which cause.",
        discussion: "Shows what is on disk; what the agent holds in memory while its disk fails is in its status.")

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "As a JSON object.") var json = false

    func run() async throws {
        let configuration = try options.load(secrets: .ignored)
        do {
            for line in try configuration.queueReport(asJSON: json) { Console.print(line) }
        } catch {
            throw fail(error, .inputOutput)
        }
    }
}

struct QueueList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "The messages that wait, in the order in which they will be sent.")

    @OptionGroup var options: ConfigurationOption
    @Flag(help: "One JSON object for each message.") var json = false
    @Option(name: [.customShort("n"), .long], help: "At most so many.") var limit = 100

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is \(limit); 1 is the least") }
    }

    func run() async throws {
        let configuration = try options.load(secrets: .ignored)
        do {
            for line in try configuration.queuedMessages(limit: limit, asJSON: json) { Console.print(line) }
        } catch {
            throw fail(error, .inputOutput)
        }
    }
}

struct QueuePurge: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Throws waiting messages away, for good; they are counted as lost.",
        discussion: "While an agent uses the queue this is refused: stop it first.")

    @OptionGroup var options: ConfigurationOption

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
        let configuration = try options.load(secrets: .ignored)
        do {
            let count = try await configuration.purgeQueue(olderThan: olderThan)
            Console.print("\(count) message\(count == 1 ? "" : "s") thrown away")
        } catch {
            throw fail(error, .inputOutput)
        }
    }
}

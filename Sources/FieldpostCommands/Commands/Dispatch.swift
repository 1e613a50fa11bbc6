import Arguments
import FieldpostAgent
import Settings

struct Dispatch: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends each alarm to the worker who is best placed.",
        discussion: """
            Subscribes to the alarms of all boards and to what workers tell of themselves (position, load, on duty), asks \
            the one with the shortest way and the least to do, asks the next one when he does not answer, and takes the \
            task back when the alarm is over: the bin was emptied. A worker who accepts acknowledges the board's alarm. \
            What is under way is kept on disk, and goes on after a restart.
            """)

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The configuration file, with [broker] and [dispatch].", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "The broker, as mqtt://host:1883, where nothing else need be said; tasks are kept in dispatch.db here.",
            valueName: "url"))
    var broker: String?

    func validate() throws {
        if (config == nil) == (broker == nil) { throw ValidationError("name one: --config FILE or --broker URL") }
    }

    func run() async throws {
        let configuration: DispatchConfiguration
        if let config {
            do {
                let (read, warnings) = try DispatchConfiguration.read(file: config)
                for warning in warnings { Console.warning(warning) }
                configuration = read
            } catch {
                throw fail(error, error.cause == .unreadable ? .inputOutput : .configuration)
            }
        } else {
            do {
                configuration = try DispatchConfiguration.plain(broker: broker ?? "")
            } catch {
                throw ValidationError("--broker: \(error)")
            }
        }
        do {
            try await DispatchService(configuration).run()
        } catch {
            throw fail(error, .inputOutput)
        }
    }
}

import Arguments
import FieldpostAgent
import Settings

struct Read: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Reads sensors once and prints what they say; publishes nothing.",
        discussion: """
            Values are those that alarms and uplinks see: behind scale, units, ranges and expressions, and before windows \
            and reports by exception keep back what is no news. What a sensor is derived from is read for it too. A rate \
            of change has none at one read. Exit code 1 if a sensor failed.
            """)

    @OptionGroup var options: ConfigurationOption

    @Flag(help: "One JSON object for each reading or failure.")
    var json = false

    @Argument(help: "The sensors to read. Default: all.")
    var sensors: [String] = []

    func run() async throws {
        let configuration = try options.load(secrets: .ignored)
        let known = configuration.sensorNames
        for name in sensors where !known.contains(name) {
            throw fail(
                "sensor \"\(name)\" is not in \(options.config); there are \(known.joined(separator: ", "))", .negative)
        }
        let report = await configuration.readOnce(sensors.isEmpty ? known : sensors)
        for line in report.lines(asJSON: json) { Console.print(line) }
        if !report.isComplete { throw ExitCode.negative }
    }
}

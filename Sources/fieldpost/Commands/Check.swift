import ArgumentParser
import FieldpostAgent

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds all that is wrong with a configuration, each with its place and the mend.",
        discussion: "Touches neither sensors nor broker. Exit code 0 if the configuration can be used, 1 if not.")

    @Argument(help: "The configuration file.", completion: .file(extensions: ["toml"]))
    var file: String

    func run() throws {
        do {
            let (configuration, warnings) = try AgentConfiguration.read(file: file)
            for warning in warnings { Console.print(warning) }
            let sensors = configuration.sensorNames.count
            Console.print(
                "\(file): good: device \"\(configuration.device.id)\", \(sensors) sensor\(sensors == 1 ? "" : "s")")
        } catch {
            Console.print("\(error)")
            throw ExitCode.negative
        }
    }
}

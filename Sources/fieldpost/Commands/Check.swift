import ArgumentParser
import FieldpostAgent

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds all that is wrong with a configuration, each with its place and the mend.",
        discussion:
            "Touches neither sensors nor broker, but the files that it names. Exit code 0 if the configuration can be used, 1 if not."
    )

    @Argument(help: "The configuration file.", completion: .file(extensions: ["toml"]))
    var file: String

    func run() throws {
        do {
            let (configuration, warnings) = try AgentConfiguration.read(file: file)
            for warning in warnings { Console.print(warning) }
            if let problem = configuration.trustProblem() {
                Console.print("\(file): \(problem)")
                throw ExitCode.negative
            }
            let sensors = configuration.sensorNames.count
            Console.print(
                "\(file): good: device \"\(configuration.device.id)\", \(sensors) sensor\(sensors == 1 ? "" : "s")")
        } catch let exit as ExitCode {
            throw exit
        } catch {
            Console.print("\(error)")
            throw ExitCode.negative
        }
    }
}

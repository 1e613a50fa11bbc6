import Arguments
import FieldpostAgent
import Settings

extension ExitCode {
    /// Checked, and it was not well.
    static let negative = ExitCode(1)
    // sysexits.h
    static let unavailable = ExitCode(69)
    static let inputOutput = ExitCode(74)
    static let configuration = ExitCode(78)
}

/// Says to standard error why nothing more is done.
func fail(_ message: Any, _ code: ExitCode) -> ExitCode {
    Console.error("\(message)")
    return code
}

/// The `--config FILE` of every command that needs one.
struct ConfigurationOption: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long], help: "The configuration file.", completion: .file(extensions: ["toml"]))
    var config: String

    /// Reads the file; warnings and errors go to standard error.
    ///
    /// - Parameter secrets: `ignored` for who connects to nobody, and may be a user who cannot see them.
    func load(secrets: SecretAccess = .needed) throws -> AgentConfiguration {
        do {
            let (configuration, warnings) = try AgentConfiguration.read(file: config, secrets: secrets)
            for warning in warnings { Console.warning(warning) }
            return configuration
        } catch {
            throw fail(error, .configuration)
        }
    }
}

internal import Sensing
public import Settings

extension AgentConfiguration {
    /// As ``load(path:environment:hostName:registry:secrets:)``, with the warnings as lines to be printed.
    public static func read(
        file path: String, secrets: SecretAccess = .needed
    ) throws(ConfigurationErrors) -> (AgentConfiguration, warnings: [String]) {
        let (configuration, warnings) = try load(path: path, secrets: secrets)
        return (configuration, warnings.map { $0.line(file: path) })
    }

    /// The sensors' names, in the file's order.
    public var sensorNames: [String] { sensors.map(\.name) }
}

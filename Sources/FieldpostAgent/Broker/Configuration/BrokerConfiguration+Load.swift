internal import Logging
internal import MQTTServer
public import Settings

extension BrokerConfiguration {
    /// What stands in an agent's configuration beside the broker's own tables.
    private static let agentTables = [
        "device", "broker", "queue", "status", "uplink", "sensor", "bridge", "alarm", "commands",
    ]

    /// - Returns: nil if the file says nothing of a broker.
    init?(_ root: SettingsReader, stateDirectory: String) {
        guard root.has("server") || root.has("listener") else { return nil }
        self.init()
        let settings = root.table("server")
        if let settings { ServerSettings.read(settings, stateDirectory: stateDirectory, into: &self) }
        for listener in root.tables("listener") { ListenerSettings.read(listener, into: &self) }
        if !root.has("listener") {
            server.listeners = [Listener(address: .tcp(host: "127.0.0.1", port: 1883))]
        }
        settle(allowsAnonymous: settings?.boolean("allow_anonymous"))
    }

    /// Reads a configuration file: `[server]`, `[[listener]]` and `[log]`. It may be an agent's, whose other tables are
    /// passed over.
    ///
    /// - Returns: the configuration, and what its owner should look at all the same, as lines.
    /// - Throws: ``ConfigurationErrors`` with everything that is wrong, each with its place and its mend.
    public static func read(
        file path: String, secrets: SecretAccess = .needed
    ) throws(ConfigurationErrors) -> (BrokerConfiguration, warnings: [String]) {
        let (document, _) = try ConfigurationDocument.open(
            path, environment: AgentConfiguration.currentEnvironment, secrets: secrets)
        let (configuration, warnings) = try read(document)
        return (configuration, warnings.map { $0.line(file: path) })
    }

    static func read(
        _ document: ConfigurationDocument
    ) throws(ConfigurationErrors) -> (configuration: BrokerConfiguration, warnings: [Problem]) {
        let root = document.root
        var configuration = BrokerConfiguration(root, stateDirectory: document.stateDirectory)
        configuration?.log.level = AgentConfiguration.Log(root.table("log")).level
        for table in agentTables { _ = root.has(table) }
        if configuration == nil {
            root.require("server", mend: "write [server], which may be empty, or a [[listener]]")
        }
        return try document.finish(configuration)
    }

    /// Whether the file is a broker's alone: it has a broker's tables, and none that only an agent has.
    public static func isAlone(inFile path: String) -> Bool {
        guard let (document, _) = try? ConfigurationDocument.open(path, environment: [:]) else { return false }
        return ["server", "listener"].contains(where: document.root.has)
            && !agentTables.contains(where: document.root.has)
    }
}

public import Dispatching
internal import MQTT
public import Settings
public import Units

/// The configuration of `fieldpost dispatch`: `[dispatch]`, `[[place]]`, `[broker]` and `[log]`.
public struct DispatchConfiguration: Sendable {
    public var dispatch: DispatchSettings
    /// As an agent's. Its client identifier is "dispatch" if it says none.
    public var broker: AgentConfiguration.Broker
    public var log: AgentConfiguration.Log
    /// Where the tasks are kept.
    public var path: String

    /// - Returns: the configuration, and what its owner should look at all the same, as lines.
    /// - Throws: ``ConfigurationErrors`` with everything that is wrong, each with its place and its mend.
    public static func read(
        file path: String, secrets: SecretAccess = .needed
    ) throws(ConfigurationErrors) -> (DispatchConfiguration, warnings: [String]) {
        let (document, isPublic) = try ConfigurationDocument.open(
            path, environment: AgentConfiguration.currentEnvironment, secrets: secrets)
        let (configuration, warnings) = try document.finish(DispatchConfiguration(document, isPublic: isPublic))
        return (configuration, warnings.map { $0.line(file: path) })
    }

    /// For a broker that is named on the command line; everything else is as if nothing were said.
    ///
    /// - Throws: ``InvalidText`` if it is no broker's address.
    public static func plain(broker url: String, path: String = "dispatch.db") throws(InvalidText) -> Self {
        var broker = AgentConfiguration.Broker(nil, device: Self.clientID, isPublic: false)
        broker.servers = [try Endpoint(parsing: url)]
        return Self(dispatch: DispatchSettings(), broker: broker, log: AgentConfiguration.Log(), path: path)
    }

    private static let clientID = "dispatch"

    /// Whether the file is for `fieldpost dispatch`.
    public static func isMeant(byFile path: String) -> Bool {
        guard let (document, _) = try? ConfigurationDocument.open(path, environment: [:]) else { return false }
        return document.root.has("dispatch") || document.root.has("place")
    }

    /// For whom it is, in a few words.
    public var summary: String {
        let places = dispatch.places.count
        return "dispatch for prefix \"\(dispatch.topics.prefix)\", \(places) place\(places == 1 ? "" : "s")"
    }

    private init(
        dispatch: DispatchSettings, broker: AgentConfiguration.Broker, log: AgentConfiguration.Log, path: String
    ) {
        (self.dispatch, self.broker, self.log, self.path) = (dispatch, broker, log, path)
    }

    private init?(_ document: ConfigurationDocument, isPublic: Bool) {
        let root = document.root
        root.require("broker", mend: #"write [broker], and under it servers = ["mqtt://host:1883"]"#)
        broker = AgentConfiguration.Broker(root.table("broker"), device: Self.clientID, isPublic: isPublic)
        log = AgentConfiguration.Log(root.table("log"))
        guard let dispatch = DispatchSettings(root) else { return nil }
        self.dispatch = dispatch
        let path = dispatch.path ?? "dispatch.db"
        self.path = path.hasPrefix("/") ? path : "\(document.stateDirectory)/\(path)"
    }
}

internal import Sensing
internal import Settings
internal import Units

/// A configuration file that is being read: its root, and what was found wrong so far.
struct ConfigurationDocument {
    let path: String
    let root: SettingsReader
    /// What belongs to the configuration and is no file of its owner's: queues, stores.
    let stateDirectory: String
    private let problems: Problems

    /// - Throws: ``ConfigurationErrors`` if the file cannot be read, or is no TOML.
    static func open(
        _ path: String, environment: [String: String], secrets: SecretAccess = .needed
    ) throws(ConfigurationErrors) -> (document: ConfigurationDocument, isPublic: Bool) {
        let file: SmallFile
        do {
            file = try SmallFile(path: path, limit: 1 << 20)
        } catch {
            // The path stands in front of every problem already.
            let message =
                error.message.hasPrefix("\(path) ") ? String(error.message.dropFirst(path.count + 1)) : error.message
            throw ConfigurationErrors(
                cause: .unreadable, file: path,
                problems: [Problem(at: "", position: nil, message: message, mend: error.mend)])
        }
        let document = try ConfigurationDocument(file.bytes, path: path, environment: environment, secrets: secrets)
        return (document, file.isPublic)
    }

    init(
        _ text: some Sequence<UInt8>, path: String, environment: [String: String], secrets: SecretAccess = .needed
    ) throws(ConfigurationErrors) {
        let table: Table
        do {
            table = try parseTOML(text)
        } catch {
            throw ConfigurationErrors(
                cause: .malformed, file: path,
                problems: [Problem(at: "", position: error.position, message: error.message, mend: error.mend)])
        }
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        self.path = path
        problems = Problems()
        root = SettingsReader(
            table, keyPath: "", position: SourcePosition(line: 1, column: 1), problems: problems,
            environment: Self.environment(environment, secrets), directory: directory, secrets: secrets)
        stateDirectory = Self.stateDirectory(configuration: directory, environment: environment)
    }

    /// Whoever is not the service has no `CREDENTIALS_DIRECTORY`; systemd has made it where root can look into it.
    private static func environment(_ environment: [String: String], _ secrets: SecretAccess) -> [String: String] {
        guard secrets != .needed else { return environment }
        return environment.merging(["CREDENTIALS_DIRECTORY": "/run/credentials/fieldpost.service"]) { given, _ in given
        }
    }

    /// - Parameter configuration: nil only after an error.
    /// - Throws: ``ConfigurationErrors`` if anything is wrong, unknown keys among it.
    func finish<Configuration>(
        _ configuration: Configuration?
    ) throws(ConfigurationErrors) -> (configuration: Configuration, warnings: [Problem]) {
        root.finish()
        guard let configuration, problems.errors.isEmpty else {
            throw ConfigurationErrors(cause: .invalid, file: path, problems: problems.all, omitted: problems.omitted)
        }
        return (configuration, problems.warnings)
    }

    /// A shell that looks at the service's queue has no `STATE_DIRECTORY`, and must find the same place; so what belongs
    /// to a configuration under /etc is where systemd would have it.
    private static func stateDirectory(configuration directory: String, environment: [String: String]) -> String {
        if let first = environment["STATE_DIRECTORY"]?.split(separator: ":").first { return String(first) }
        return directory == "/etc" || directory.hasPrefix("/etc/") ? "/var/lib/fieldpost" : directory
    }
}

public import Sensing
public import Settings
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension AgentConfiguration {
    /// Reads the configuration file at `path`, up to 1 MiB of it.
    ///
    /// - Parameters:
    ///   - environment: what `${NAME}` stands for, and systemd's `STATE_DIRECTORY`.
    ///   - hostName: the device's id where the file gives none.
    ///   - registry: the sensors' drivers.
    /// - Returns: the configuration, and what its owner should look at all the same.
    /// - Throws: ``ConfigurationErrors`` with everything that is wrong, each with its place and its mend.
    public static func load(
        path: String, environment: [String: String] = currentEnvironment, hostName: String = currentHostName,
        registry: DriverRegistry = .builtIn
    ) throws(ConfigurationErrors) -> (configuration: AgentConfiguration, warnings: [Problem]) {
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
        return try read(
            file.bytes, path: path, isPublic: file.isPublic, environment: environment, hostName: hostName,
            registry: registry)
    }

    /// Reads a configuration's text as if it stood in the file at `path`, which need not be there.
    /// - Parameter isPublic: whether every user can read it; a password in it is worth a warning then.
    public static func read(
        _ text: some Sequence<UInt8>, path: String, isPublic: Bool = false,
        environment: [String: String] = currentEnvironment, hostName: String = currentHostName,
        registry: DriverRegistry = .builtIn
    ) throws(ConfigurationErrors) -> (configuration: AgentConfiguration, warnings: [Problem]) {
        let table: Table
        do {
            table = try parseTOML(text)
        } catch {
            throw ConfigurationErrors(
                cause: .malformed, file: path,
                problems: [Problem(at: "", position: error.position, message: error.message, mend: error.mend)])
        }
        let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let problems = Problems()
        let root = SettingsReader(
            table, keyPath: "", position: SourcePosition(line: 1, column: 1), problems: problems,
            environment: environment, directory: directory)
        let surroundings = Surroundings(
            hostName: hostName, isPublic: isPublic,
            stateDirectory: stateDirectory(configuration: directory, environment: environment), registry: registry)
        let configuration = AgentConfiguration(root, surroundings)
        root.finish()
        guard let configuration, problems.errors.isEmpty else {
            throw ConfigurationErrors(cause: .invalid, file: path, problems: problems.all, omitted: problems.omitted)
        }
        return (configuration, problems.warnings)
    }

    /// What a configuration does not say itself.
    struct Surroundings {
        var hostName: String
        var isPublic: Bool
        var stateDirectory: String
        var registry: DriverRegistry
    }

    /// A shell that looks at the service's queue has no `STATE_DIRECTORY`, and must find the same place; so what belongs
    /// to a configuration under /etc is where systemd would have it.
    private static func stateDirectory(configuration directory: String, environment: [String: String]) -> String {
        if let first = environment["STATE_DIRECTORY"]?.split(separator: ":").first { return String(first) }
        return directory == "/etc" || directory.hasPrefix("/etc/") ? "/var/lib/fieldpost" : directory
    }

    /// The environment that this process was started with.
    public static var currentEnvironment: [String: String] {
        // Not `environ`, which Swift cannot know to be safe to read.
        guard let bytes = try? SmallFile(path: "/proc/self/environ", limit: 1 << 22).bytes else { return [:] }
        var environment: [String: String] = [:]
        for entry in bytes.split(separator: 0) {
            guard let equals = entry.firstIndex(of: UInt8(ascii: "=")) else { continue }
            environment[String(decoding: entry[..<equals], as: UTF8.self)] =
                String(decoding: entry[(equals + 1)...], as: UTF8.self)
        }
        return environment
    }

    /// This board's name.
    public static var currentHostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        return buffer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }
}

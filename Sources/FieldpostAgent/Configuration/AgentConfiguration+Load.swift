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
    ///   - secrets: what becomes of those that cannot be read; with stand-ins for them no connection can be made.
    /// - Returns: the configuration, and what its owner should look at all the same.
    /// - Throws: ``ConfigurationErrors`` with everything that is wrong, each with its place and its mend.
    public static func load(
        path: String, environment: [String: String] = currentEnvironment, hostName: String = currentHostName,
        registry: DriverRegistry = AgentDrivers.registry, secrets: SecretAccess = .needed
    ) throws(ConfigurationErrors) -> (configuration: AgentConfiguration, warnings: [Problem]) {
        let (document, isPublic) = try ConfigurationDocument.open(path, environment: environment, secrets: secrets)
        return try read(document, isPublic: isPublic, hostName: hostName, registry: registry)
    }

    /// Reads a configuration's text as if it stood in the file at `path`, which need not be there.
    /// - Parameter isPublic: whether every user can read it; a password in it is worth a warning then.
    public static func read(
        _ text: some Sequence<UInt8>, path: String, isPublic: Bool = false,
        environment: [String: String] = currentEnvironment, hostName: String = currentHostName,
        registry: DriverRegistry = AgentDrivers.registry
    ) throws(ConfigurationErrors) -> (configuration: AgentConfiguration, warnings: [Problem]) {
        try read(
            ConfigurationDocument(text, path: path, environment: environment), isPublic: isPublic, hostName: hostName,
            registry: registry)
    }

    private static func read(
        _ document: ConfigurationDocument, isPublic: Bool, hostName: String, registry: DriverRegistry
    ) throws(ConfigurationErrors) -> (configuration: AgentConfiguration, warnings: [Problem]) {
        let surroundings = Surroundings(
            hostName: hostName, isPublic: isPublic, stateDirectory: document.stateDirectory, registry: registry)
        return try document.finish(AgentConfiguration(document.root, surroundings))
    }

    /// What a configuration does not say itself.
    struct Surroundings {
        var hostName: String
        var isPublic: Bool
        var stateDirectory: String
        var registry: DriverRegistry
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

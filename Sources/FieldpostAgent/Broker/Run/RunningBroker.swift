internal import Logging
internal import MQTTServer
internal import NIOCore
internal import NIOPosix
internal import OpenSSLTransport
internal import Settings

/// A broker at work, and the files that its rules come from.
actor RunningBroker {
    nonisolated let configuration: BrokerConfiguration
    nonisolated let server: MQTTServer
    private let group: MultiThreadedEventLoopGroup
    private let logger: Logger
    /// What the files held when they were read last, so that a reload can tell what has changed.
    private var contents: [String: Int]

    /// - Throws: ``BrokerError``.
    static func start(_ configuration: BrokerConfiguration, logger: Logger) async throws(BrokerError) -> RunningBroker {
        let (problems, warnings) = configuration.check(folders: false)
        if !problems.isEmpty { throw .configuration(problems) }
        for warning in warnings { logger.warning("\(warning)") }
        let contents = configuration.fileContents
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            var settings = try configuration.loaded()
            settings.logger = logger
            let server = MQTTServer(settings, eventLoop: group.next())
            try await server.start()
            return RunningBroker(configuration, server, group, logger, contents)
        } catch {
            try? await group.shutdownGracefully()
            throw .start("\(error)")
        }
    }

    private init(
        _ configuration: BrokerConfiguration, _ server: MQTTServer, _ group: MultiThreadedEventLoopGroup,
        _ logger: Logger, _ contents: [String: Int]
    ) {
        self.configuration = configuration
        self.server = server
        self.group = group
        self.logger = logger
        self.contents = contents
    }

    /// Where it listens, and who may come in there.
    func announcement() async -> [String] {
        var ports: [String: Int] = [:]
        for (listener, address) in await server.addresses { ports[listener] = address.port }
        return configuration.announcement(ports: ports)
    }

    /// The port of a listener, by its name.
    func port(of listener: String) async -> Int? {
        await server.addresses.first { $0.listener == listener }?.address.port
    }

    /// Reads passwords, access rules, certificates and keys again. What is broken leaves everything as it was.
    ///
    /// - Returns: what is broken.
    @discardableResult
    func reload() async -> String? {
        let present = configuration.fileContents
        let changed = present.keys.filter { contents[$0] != present[$0] }.sorted()
        let (problems, warnings) = configuration.check(folders: false)
        do {
            if !problems.isEmpty { throw BrokerError.configuration(problems) }
            try await server.reload(try configuration.loaded())
        } catch {
            logger.error(
                "not reloaded: the rules and certificates from before stay in force", metadata: ["reason": "\(error)"])
            return "\(error)"
        }
        for warning in warnings { logger.warning("\(warning)") }
        contents = present
        logger.notice(
            "reloaded", metadata: ["changed": "\(changed.isEmpty ? "nothing" : changed.joined(separator: ", "))"])
        return nil
    }

    func stop(within timeout: Duration = .seconds(2)) async {
        await server.stop(timeout: timeout)
        try? await group.shutdownGracefully()
    }
}

/// Why a broker does not start.
public enum BrokerError: Error, Sendable, CustomStringConvertible {
    /// What its configuration names cannot be used.
    case configuration([String])
    /// It cannot listen, or its store cannot be opened.
    case start(String)

    public var description: String {
        switch self {
        case .configuration(let problems): problems.joined(separator: "\n")
        case .start(let why): why
        }
    }
}

extension BrokerConfiguration {
    /// What a server is told, with the rules that stand in files.
    fileprivate func loaded() throws -> ServerConfiguration {
        var settings = server
        settings.hooks = hooks
        // Also while they are not there: what waits for them is not for others, nor is what they may do.
        settings.reservedIdentifiers = [Bridge.clientIdentifier, SensorSubscriptions.clientIdentifier]
        // In Mosquitto's manner.
        settings.version = "fieldpost version \(FieldpostVersion.string)"
        settings.access = try access.load()
        for (index, listener) in settings.listeners.enumerated() {
            settings.listeners[index].access = try listenerAccess[listener.name]?.load() ?? listener.access
            if let path = listenerPSKFiles[listener.name] {
                settings.listeners[index].tls?.preSharedKeys = try PreSharedKeyFile.read(path)
            }
        }
        return settings
    }

    /// The files that a reload reads again, and something that changes with what they hold.
    fileprivate var fileContents: [String: Int] {
        var paths: [String?] = []
        for files in [access] + listenerAccess.values { paths += [files.passwordPath, files.accessControlPath] }
        for listener in server.listeners {
            paths.append(listenerPSKFiles[listener.name])
            paths += listener.tls?.files ?? []
        }
        var contents: [String: Int] = [:]
        for path in paths {
            if let path { contents[path] = (try? SmallFile(path: path, limit: 1 << 26).bytes)?.hashValue ?? 0 }
        }
        return contents
    }
}

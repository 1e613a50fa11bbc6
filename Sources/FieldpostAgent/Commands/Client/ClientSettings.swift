internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What ``ClientOptions`` mean, checked.
struct ClientSettings: Sendable {
    var configuration: ClientConfiguration
    /// The one in the URL.
    var topic: String?
    var publishProperties: Properties
    var logger: Logger
    var isQuiet: Bool

    /// - Parameter commands: the packets that may be given properties.
    init(_ options: ClientOptions, properties commands: Set<GivenProperties.Command>) throws(InvalidText) {
        let url = try options.url.map { text throws(InvalidText) in try BrokerURL(parsing: text) }
        if url != nil, options.host != nil || options.port != nil {
            throw InvalidText("--url says where the broker is", mend: "leave out --host and --port")
        }
        let tls = try Self.tls(options)
        let transport = url?.address.transport ?? (tls == nil ? Endpoint.Transport.tcp : .tls)
        if tls != nil, !transport.isSecure {
            throw InvalidText(
                "--url begins with \(transport.scheme)://, which has no TLS", mend: "write mqtts:// or wss://")
        }
        let port = options.port ?? url?.address.port ?? transport.defaultPort
        guard (1...65_535).contains(port) else { throw InvalidText("--port \(port)", mend: "a port is 1 to 65535") }
        let host = options.host ?? url?.address.host ?? "localhost"
        let given = try GivenProperties(parsing: options.properties, for: commands)
        let version = try Self.version(options)

        let username = options.username ?? url?.username
        let password = options.password ?? url?.password
        if password != nil, username == nil, version == .v3_1_1 {
            throw InvalidText("MQTT 3.1.1 has no password without a user", mend: "add --username")
        }
        configuration = ClientConfiguration(
            endpoints: [Endpoint(transport: transport, host: host, port: port)], version: version,
            clientIdentifier: try Self.identifier(options, version))
        if let tls { configuration.tls = tls }
        guard (0...65_535).contains(options.keepAlive) else {
            throw InvalidText("--keepalive \(options.keepAlive)", mend: "it is 0 (none) to 65535 seconds")
        }
        configuration.keepAlive = .seconds(options.keepAlive)
        // Zero, never and what lies between; under 3.1.1 only whether there is any.
        configuration.sessionExpiry = .seconds(try Self.sessionExpiry(options))
        configuration.resumesEarlierSession = options.keepsSession
        if configuration.sessionExpiry > .zero, options.identifier == nil, options.identifierPrefix == nil {
            throw InvalidText("a session that is kept needs a name to be found by", mend: "add --id")
        }
        configuration.maximumPacketSize = given.maximumPacketSize ?? Self.largestPacket
        if let receiveMaximum = given.receiveMaximum { configuration.receiveMaximum = receiveMaximum }
        configuration.backoff = Backoff(cap: .seconds(10))
        let parameters = ConnectParameters(
            username: username, password: password.map { ByteBuffer(string: $0) },
            will: try Self.will(options, given.will), properties: given.connect)
        configuration.parameters = { _ in parameters }

        topic = url?.topic
        publishProperties = given.publish
        logger = Logger(label: "mqtt", factory: { _ in SwiftLogNoOpLogHandler() })
        if options.isDebugging { logger = Service.logger(.debug) }
        isQuiet = options.isQuiet
    }

    /// Says something about the run to standard error.
    func say(_ line: String) {
        if !isQuiet { Console.error(line) }
    }

    /// What the remaining length can say (5.0 §2.1.4), with the fixed header.
    static let largestPacket = 268_435_455 + 5

    static func qos(_ number: Int, _ option: String) throws(InvalidText) -> QoS {
        guard let qos = UInt8(exactly: number).flatMap(QoS.init) else {
            throw InvalidText("\(option) \(number)", mend: "it is 0, 1 or 2")
        }
        return qos
    }

    static func topic<Topic>(
        _ text: String, _ option: String, _ make: (String) throws(TopicError) -> Topic
    ) throws(InvalidText) -> Topic {
        do {
            return try make(text)
        } catch {
            throw InvalidText("\(option) \"\(text)\": \(error)")
        }
    }

    /// - Returns: nil when no option asks for TLS.
    private static func tls(_ options: ClientOptions) throws(InvalidText) -> TLSClientConfiguration? {
        let files = [options.caFile, options.caFolder, options.certificateFile, options.keyFile]
        guard options.isInsecure || files.contains(where: { $0 != nil }) else { return nil }
        if options.caFile != nil, options.caFolder != nil {
            throw InvalidText("--cafile and --capath exclude each other", mend: "leave one of them out")
        }
        var tls = TLSClientConfiguration()
        if let file = options.caFile { tls.trustRoots = .file(file) }
        if let folder = options.caFolder { tls.trustRoots = .folder(folder) }
        switch (options.certificateFile, options.keyFile) {
        case (let chain?, let key?): tls.certificate = TLSCertificate(chainFile: chain, privateKeyFile: key)
        case (nil, nil): break
        default: throw InvalidText("--cert and --key go together", mend: "give both")
        }
        if options.isInsecure { tls.verification = .withoutHostName }
        return tls
    }

    private static func version(_ options: ClientOptions) throws(InvalidText) -> ProtocolVersion {
        let onlyIn5 = options.properties.isEmpty ? options.sessionExpiry.map { _ in "-x" } : "--property"
        switch options.version?.lowercased() {
        case nil: return onlyIn5 == nil ? .v3_1_1 : .v5
        case "5", "mqttv5", "5.0": return .v5
        case "311", "mqttv311", "3.1.1":
            guard let onlyIn5 else { return .v3_1_1 }
            throw InvalidText("\(onlyIn5) has no meaning in MQTT 3.1.1", mend: "leave it out, or use -V 5")
        case let other?:
            throw InvalidText("--protocol-version \"\(other)\" is not spoken", mend: "it is 5 or 311")
        }
    }

    private static func identifier(
        _ options: ClientOptions, _ version: ProtocolVersion
    ) throws(InvalidText) -> String {
        switch (options.identifier, options.identifierPrefix) {
        case (_?, _?): throw InvalidText("--id and --id-prefix exclude each other", mend: "leave one out")
        case (let identifier?, nil): return identifier
        case (nil, let prefix?): return "\(prefix)\(getpid())"
        // Not every server of 3.1.1 invents one, and 23 letters and digits are what each of them takes.
        case (nil, nil) where version == .v3_1_1:
            return "fieldpost"
                + String((0..<14).compactMap { _ in "0123456789abcdefghijklmnopqrstuvwxyz".randomElement() })
        case (nil, nil): return ""
        }
    }

    private static func sessionExpiry(_ options: ClientOptions) throws(InvalidText) -> Int64 {
        switch options.sessionExpiry {
        case nil: return options.keepsSession ? Int64(UInt32.max) : 0
        case "-1", "∞": return Int64(UInt32.max)
        case let text?:
            guard let seconds = UInt32(text) else {
                throw InvalidText(
                    "-x \"\(text)\"", mend: "it is 0 to 4294967294 seconds, or -1 for a session without end")
            }
            return Int64(seconds)
        }
    }

    private static func will(_ options: ClientOptions, _ properties: Properties) throws(InvalidText) -> Will? {
        guard let name = options.willTopic else {
            if options.willPayload != nil || options.willQoS != nil || options.willRetain || !properties.isEmpty {
                throw InvalidText("a will needs a topic", mend: "add --will-topic")
            }
            return nil
        }
        return Will(
            topic: try topic(name, "--will-topic", TopicName.init),
            payload: ByteBuffer(string: options.willPayload ?? ""),
            qos: try qos(options.willQoS ?? 0, "--will-qos"), retain: options.willRetain, properties: properties)
    }
}

internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
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
    let properties: GivenProperties
    var logger: Logger
    var isQuiet: Bool

    /// - Parameters:
    ///   - commands: the packets that may be given properties.
    ///   - onlyIn5: another option that has a meaning under 5.0 only.
    init(
        _ options: ClientOptions, properties commands: Set<GivenProperties.Command>, onlyIn5: String? = nil
    ) throws(InvalidText) {
        let url = try options.url.map { text throws(InvalidText) in try BrokerURL(parsing: text) }
        if url != nil, options.host != nil || options.port != nil {
            throw InvalidText("--url says where the broker is", mend: "leave out --host and --port")
        }
        let tls = try options.tls.configuration()
        // As mosquitto_pub does: the port that is meant for TLS is not spoken to in the clear by accident.
        let isSecure = tls != nil || options.port == Endpoint.Transport.tls.defaultPort
        let transport = url?.address.transport ?? (isSecure ? Endpoint.Transport.tls : .tcp)
        if tls != nil, !transport.isSecure {
            throw InvalidText(
                "--url begins with \(transport.scheme)://, which has no TLS", mend: "write mqtts:// or wss://")
        }
        let port = options.port ?? url?.address.port ?? transport.defaultPort
        guard (1...65_535).contains(port) else { throw InvalidText("--port \(port)", mend: "a port is 1 to 65535") }
        let host = options.host ?? url?.address.host ?? "localhost"
        let given = try GivenProperties(parsing: options.properties, for: commands)
        let version = try Self.version(options, onlyIn5: onlyIn5)

        let username = options.username ?? url?.username
        let password =
            try TLSOptions.secret(options.password, "--pw", file: options.passwordFile, "--pw-file")
            ?? url?.password.map { Array($0.utf8) }
        if password != nil, username == nil, version != .v5 {
            throw InvalidText("MQTT 3.1.1 has no password without a user", mend: "add --username, or use -V 5")
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
        let sessionExpiry = try Self.sessionExpiry(options) ?? given.sessionExpiry ?? (options.keepsSession ? .max : 0)
        configuration.sessionExpiry = .seconds(Int64(sessionExpiry))
        configuration.resumesEarlierSession = options.keepsSession
        let isNamed = options.identifier?.isEmpty == false || options.identifierPrefix != nil
        if options.keepsSession || sessionExpiry == .max, !isNamed {
            throw InvalidText("a session that is kept needs a name to be found by", mend: "add --id")
        }
        configuration.maximumPacketSize = given.maximumPacketSize ?? Self.largestPacket
        if let receiveMaximum = given.receiveMaximum { configuration.receiveMaximum = receiveMaximum }
        if let count = options.maximumInFlight {
            guard (0...32_768).contains(count) else {
                throw InvalidText("--max-inflight \(count)", mend: "it is 0 (as many as can be) to 32768")
            }
            configuration.maximumInFlight = count == 0 ? 32_768 : count
        }
        configuration.backoff = Backoff(cap: .seconds(10))
        let parameters = ConnectParameters(
            username: username, password: password.map { ByteBuffer(bytes: $0) },
            will: try Self.will(options, given[.will]), properties: given[.connect])
        configuration.parameters = { _ in parameters }

        topic = url?.topic
        properties = given
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

    /// - Returns: nil when the broker is to show what it speaks.
    private static func version(_ options: ClientOptions, onlyIn5: String?) throws(InvalidText) -> ProtocolVersion? {
        let onlyIn5 = options.properties.isEmpty ? options.sessionExpiry.map { _ in "-x" } ?? onlyIn5 : "--property"
        switch options.version?.lowercased() {
        case nil, "auto": return onlyIn5.map { _ in .v5 }
        case "5", "mqttv5", "5.0": return .v5
        case "311", "mqttv311", "3.1.1":
            guard let onlyIn5 else { return .v3_1_1 }
            throw InvalidText("\(onlyIn5) has no meaning in MQTT 3.1.1", mend: "leave it out, or use -V 5")
        case "31", "mqttv31", "3.1": throw InvalidText("MQTT 3.1 is not spoken", mend: "use -V 5 or -V 311")
        case let other?:
            throw InvalidText("--protocol-version \"\(other)\" is not spoken", mend: "it is auto, 5 or 311")
        }
    }

    /// What is to be published, as yet without its payload.
    ///
    /// - Parameter name: the topic; nil: that in the URL.
    func message(to name: String?, qos: Int, retain: Bool = false) throws(InvalidText) -> Message {
        guard let name = name ?? topic else {
            throw InvalidText("there is no topic to publish to", mend: "add --topic")
        }
        return Message(
            topic: try Self.topic(name, "--topic", TopicName.init), payload: ByteBuffer(),
            qos: try Self.qos(qos, "--qos"), retain: retain, properties: properties[.publish])
    }

    private static func identifier(
        _ options: ClientOptions, _ version: ProtocolVersion?
    ) throws(InvalidText) -> String {
        switch (options.identifier, options.identifierPrefix) {
        case (_?, _?): throw InvalidText("--id and --id-prefix exclude each other", mend: "leave one out")
        case (let identifier?, nil): return identifier
        case (nil, let prefix?): return "\(prefix)\(getpid())"
        case (nil, nil) where version == .v5: return ""
        // Not every server of 3.1.1 invents one, and 23 letters and digits are what each of them takes.
        case (nil, nil):
            return "fieldpost"
                + String((0..<14).compactMap { _ in "0123456789abcdefghijklmnopqrstuvwxyz".randomElement() })
        }
    }

    private static func sessionExpiry(_ options: ClientOptions) throws(InvalidText) -> UInt32? {
        switch options.sessionExpiry {
        case nil: return nil
        case "-1", "∞": return .max
        case let text?:
            if let seconds = UInt32(text) { return seconds }
            throw InvalidText("-x \"\(text)\"", mend: "it is 0 to 4294967294 seconds, or -1 for a session without end")
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

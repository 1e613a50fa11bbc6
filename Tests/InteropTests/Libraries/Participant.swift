import MQTTWire
import TestSupport
import Testing

/// How a client connects.
struct Login: Sendable {
    var variant: Variant
    var identifier: String
    var cleanStart = true
    /// Seconds.
    var keepAlive = 60
    var username: String?
    var password: String?
    /// Whether it shows a certificate of its own, over TLS.
    var showsCertificate = false
    var will: Post?
    /// Of CONNECT.
    var properties: Properties = []

    init(_ variant: Variant, _ identifier: String) {
        self.variant = variant
        self.identifier = identifier
    }
}

/// What is to be published.
struct Post: Sendable {
    var topic: String
    var bytes: [UInt8]
    var qos: QoS
    var retain = false
    var properties: Properties = []

    init(_ topic: String, _ bytes: some Sequence<UInt8>, _ qos: QoS, retain: Bool = false, properties: Properties = [])
    {
        self.topic = topic
        self.bytes = Array(bytes)
        self.qos = qos
        self.retain = retain
        self.properties = properties
    }

    init(_ topic: String, _ text: String, _ qos: QoS, retain: Bool = false, properties: Properties = []) {
        self.init(topic, text.utf8, qos, retain: retain, properties: properties)
    }

    /// What somebody who speaks this version should hear of it.
    func heard(at granted: QoS, version: ProtocolVersion, retain: Bool = false) -> Heard {
        Heard(
            topic, Payload(bytes), min(qos, granted), retain: retain,
            properties: version == .v5 ? properties.fields() : [])
    }
}

/// Whose client, what it speaks, and over what.
struct Variant: Hashable, Sendable, CustomTestStringConvertible {
    enum Transport: String, Sendable, CaseIterable { case tcp, tls, ws, wss, unix }

    var library: Library
    var version: ProtocolVersion
    var transport: Transport

    init(_ library: Library, _ version: ProtocolVersion, _ transport: Transport = .tcp) {
        self.library = library
        self.version = version
        self.transport = transport
    }

    var testDescription: String { "\(library.rawValue), \(version), \(transport.rawValue)" }
    /// For topics and client identifiers.
    var name: String {
        "\(library)-\(version.rawValue)-\(transport.rawValue)"
    }

    /// CONNACK of 3.1 does not tell.
    var seesSession: Bool { version != .v3_1 }

    /// Paho's C library has one place for the pieces of a WebSocket message, which its clients spoil for each other.
    var needsProcess: Bool { library == .pahoC && (transport == .ws || transport == .wss) }

    /// Each library with all its versions over TCP, and everything else that it can be reached over with one of them.
    static let all: [Variant] = [
        Variant(.pahoPython, .v3_1), Variant(.pahoPython, .v3_1_1), Variant(.pahoPython, .v5),
        Variant(.pahoPython, .v3_1_1, .ws), Variant(.pahoPython, .v5, .tls), Variant(.pahoPython, .v5, .wss),
        Variant(.pahoC, .v3_1), Variant(.pahoC, .v3_1_1), Variant(.pahoC, .v5),
        Variant(.pahoC, .v3_1_1, .tls), Variant(.pahoC, .v5, .ws), Variant(.pahoC, .v5, .wss),
        Variant(.mqttJS, .v3_1), Variant(.mqttJS, .v3_1_1), Variant(.mqttJS, .v5),
        Variant(.mqttJS, .v3_1, .ws), Variant(.mqttJS, .v3_1_1, .ws), Variant(.mqttJS, .v5, .ws),
        Variant(.mqttJS, .v5, .tls), Variant(.mqttJS, .v3_1_1, .wss),
        Variant(.libmosquitto, .v3_1), Variant(.libmosquitto, .v3_1_1), Variant(.libmosquitto, .v5),
        Variant(.libmosquitto, .v3_1_1, .tls), Variant(.libmosquitto, .v5, .unix),
        Variant(.own, .v3_1_1), Variant(.own, .v5), Variant(.own, .v5, .tls), Variant(.own, .v3_1_1, .ws),
    ]

    /// Each library with all its versions, over TCP.
    static let plain = all.filter { $0.transport == .tcp }
    static let foreign = plain.filter { $0.library != .own }
}

/// A connected client, whoever made it.
protocol Participant: Sendable {
    var variant: Variant { get }
    var inbox: Inbox { get }
    /// CONNACK's Session Present.
    var isSessionPresent: Bool { get }
    /// CONNACK's properties, where the library shows them.
    var properties: [Field] { get }

    /// - Returns: SUBACK's code.
    func subscribe(_ subscription: Subscription, _ properties: Properties) async throws -> Int
    func unsubscribe(_ filter: String) async throws
    /// Comes back when it is acknowledged to the end.
    func publish(_ post: Post) async throws
    /// Publishes many at once: 0, 1, …
    func publish(count: Int, _ topic: String, _ qos: QoS) async throws
    func disconnect(_ reason: ReasonCode) async throws
}

extension Participant {
    @discardableResult
    func subscribe(_ filter: String, _ qos: QoS) async throws -> Int {
        try await subscribe(Subscription(filter: TopicFilter(filter), qos: qos), [])
    }

    func disconnect() async throws { try await disconnect(.normalDisconnection) }

    /// What the server had for us before it answers this has come now.
    func settle() async throws { try await subscribe("settled/by/\(variant.name)", .atMostOnce) }
}

/// A client of somebody else's library.
struct ForeignClient: Participant {
    let variant: Variant
    let inbox: Inbox
    let isSessionPresent: Bool
    let properties: [Field]
    let process: LibraryProcess
    let name: String
    private var lease: Lease?

    /// - Parameter process: a process of its own, to be killed; by default it shares one.
    init(_ login: Login, _ addresses: Addresses, process: LibraryProcess? = nil) async throws {
        variant = login.variant
        inbox = Inbox(variant)
        if let process {
            self.process = process
        } else if variant.needsProcess {
            self.process = try await LibraryProcess.start(variant.library)
            lease = Lease(process: self.process)
        } else {
            self.process = try await LibraryProcess.shared(variant.library)
        }
        name = await self.process.name(for: inbox)
        let answer = try await self.process.ask("connect", name, addresses.fields(for: login) + login.fields)
        isSessionPresent = answer.number("present") == 1
        properties = answer.filter { $0.key.hasPrefix("p") && $0.key != "present" }
    }

    /// Ends the process with its only client.
    private final class Lease: Sendable {
        let process: LibraryProcess

        init(process: LibraryProcess) { self.process = process }

        deinit { process.close() }
    }

    func subscribe(_ subscription: Subscription, _ properties: Properties) async throws -> Int {
        let answer = try await process.ask(
            "subscribe", name,
            [
                Field("filter", subscription.filter.string), Field("qos", subscription.qos.rawValue),
                Field("nl", subscription.noLocal), Field("rap", subscription.retainAsPublished),
                Field("rh", subscription.retainHandling.rawValue),
            ] + properties.fields())
        return answer.number("code") ?? -1
    }

    func unsubscribe(_ filter: String) async throws {
        try await process.ask("unsubscribe", name, [Field("filter", filter)])
    }

    func publish(_ post: Post) async throws {
        let fields = [
            Field("topic", post.topic), Field("qos", post.qos.rawValue), Field("retain", post.retain),
        ]
        try await Payloads.withFile(post.bytes) { payload in
            _ = try await process.ask("publish", name, fields + [payload] + post.properties.fields())
        }
    }

    func publish(count: Int, _ topic: String, _ qos: QoS) async throws {
        try await process.ask(
            "publish", name, [Field("topic", topic), Field("qos", qos.rawValue), Field("count", count)])
    }

    func disconnect(_ reason: ReasonCode) async throws {
        let fields = reason == .normalDisconnection ? [] : [Field("reason", reason.rawValue)]
        try await process.ask("disconnect", name, fields)
    }
}

extension Login {
    fileprivate var fields: [Field] {
        var fields = [
            Field("version", variant.version.rawValue), Field("id", identifier), Field("clean", cleanStart),
            Field("keepalive", keepAlive),
        ]
        if let username { fields.append(Field("user", username)) }
        if let password { fields.append(Field("password", password)) }
        if let will {
            fields += [
                Field("willtopic", will.topic), Field("willpayload", will.bytes), Field("willqos", will.qos.rawValue),
                Field("willretain", will.retain),
            ]
            if variant.version == .v5 { fields += will.properties.fields("w") }
        }
        if variant.version == .v5 { fields += properties.fields() }
        return fields
    }
}

/// Large payloads go into files.
private enum Payloads {
    static func withFile(_ bytes: [UInt8], _ body: (Field) async throws -> Void) async throws {
        guard bytes.count > 4_096 else { return try await body(Field("payload", bytes)) }
        let directory = try TemporaryDirectory()
        try await body(Field("file", try directory.write(bytes, to: "payload")))
        withExtendedLifetime(directory) {}
    }
}

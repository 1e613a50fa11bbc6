public import MQTT
public import MQTTWire
internal import NIOCore
public import Settings
public import Units

/// What an `[[uplink]]` to OneNET (China Mobile) is told:
///
///     [[uplink]]
///     profile = "onenet"
///     product = "123456"                      # the product's id
///     device = "bin-0427"                     # the device's name there; default: the board's id
///     key_file = "/etc/fieldpost/onenet.key"  # the device's access key, Base64; or key = "…"
///     method = "sha256"                       # of the token: md5, sha1 or sha256
///     token_lifetime = "1d"                   # signed anew at each connect
///     model = "thing"                         # or "datapoints"
///     identifiers = { fill = "FillLevel", full = "BinFull" }  # sensors and alarms, as the thing model has them
///     outputs = { Lamp = "lamp", Fan = "fan/speed" }  # what the platform may set: identifier = "sensor/channel"
///     services = { Empty = "empty" }          # what it may invoke: identifier = "program"
///     desired = true                          # asks for desired values of the outputs after each connect
///     qos = 1                                 # of posts, 0 or 1
///     keep_alive = "60s"                      # 10s to 30m
///     answer_within = "10s"                   # a post without a reply is sent again after so long …
///     retry = "5s"                            # … and this, which doubles each time
///     attempts = 10                           # for what the platform refuses or leaves while it takes others
///     window = 64                             # posts that may wait for their replies
///     add_sub_devices = true                  # binds them to this gateway at each connect
///
///     [[uplink.sub_devices]]
///     device = "lid-1"
///     product = "654321"
///     key_file = "/etc/fieldpost/lid-1.key"   # only for add_sub_devices
///     sensors = ["lid1", "lid1-battery"]
///     outputs = { Lock = "lock1" }
///
///     [uplink.broker]                         # or [broker], where nothing else goes over that connection
///     servers = ["mqtts://mqttstls.heclouds.com:8883"]
///     tls = { ca_file = "/etc/fieldpost/onenet.pem" }  # the platform's own authority
public struct OneNETSettings: Sendable {
    public enum Model: String, Sendable, Hashable, CaseIterable {
        /// Properties, events and services (OneJSON).
        case thing
        /// Streams of data points.
        case dataPoints = "datapoints"
    }

    /// A device behind this gateway.
    public struct SubDevice: Sendable, Hashable {
        public var product: String
        public var device: String
        /// What proves to the platform that it may be bound to this gateway.
        public var credentials: OneNETCredentials?
        public var sensors: Set<String>
        public var outputs: [String: Output]
    }

    /// What the platform may set.
    public struct Output: Sendable, Hashable {
        public var sensor: String
        public var channel: String?
    }

    public var credentials: OneNETCredentials
    public var model = Model.thing
    /// By name of a sensor, `sensor/channel` or alarm.
    public var identifiers: [String: String] = [:]
    public var outputs: [String: Output] = [:]
    /// Programs, by the service's identifier.
    public var services: [String: String] = [:]
    public var asksForDesired = false
    public var qos = QoS.atLeastOnce
    public var keepAlive = Duration.seconds(60)
    public var answerWithin = Duration.seconds(10)
    public var retry = Duration.seconds(5)
    public var attempts = 10
    public var window = 64
    public var addsSubDevices = false
    public var subDevices: [SubDevice] = []

    public init(credentials: OneNETCredentials) { self.credentials = credentials }

    /// What the platform closes a connection for that is silent for longer than 1.5 times.
    public static let keepAliveRange = Duration.seconds(10) ... .seconds(1800)

    /// - Parameter device: the board's id, where the table names no device.
    public init?(_ settings: SettingsReader, device: String) {
        let product = Self.name("product", settings, default: nil)
        let name = Self.name("device", settings, default: device)
        let method = settings.choice("method", of: OneNETCredentials.Method.self) ?? .sha256
        let lifetime = settings.duration("token_lifetime", in: .seconds(60) ... .seconds(366 * 86_400))
        let key = Self.key(settings, isRequired: true)
        model = settings.choice("model", of: Model.self) ?? .thing
        identifiers = Self.words("identifiers", settings, check: Self.checkIdentifier)
        outputs = Self.outputs(settings)
        services = Self.words("services", settings) { _ in nil }
        asksForDesired = settings.boolean("desired") ?? false
        qos = settings.integer("qos", in: 0...1) == 0 ? .atMostOnce : .atLeastOnce
        keepAlive = settings.duration("keep_alive", in: Self.keepAliveRange) ?? keepAlive
        answerWithin = settings.duration("answer_within", in: .seconds(1) ... .seconds(600)) ?? answerWithin
        retry = settings.duration("retry", in: .milliseconds(100) ... .seconds(600)) ?? retry
        attempts = settings.integer("attempts", in: 1...1000) ?? attempts
        window = settings.integer("window", in: 1...1000) ?? window
        addsSubDevices = settings.boolean("add_sub_devices") ?? false
        guard let product, let name, let key else {
            settings.ignoreUnknownKeys()
            return nil
        }
        credentials = OneNETCredentials(
            product: product, device: name, key: key, method: method, lifetime: lifetime ?? .seconds(86_400))
        readSubDevices(settings)
        if model == .dataPoints {
            for key in ["outputs", "services", "desired", "sub_devices"] where settings.has(key) {
                settings.problem(
                    at: key, message: "is not for data points", mend: #"leave it out, or write model = "thing""#)
            }
        }
    }

    private mutating func readSubDevices(_ settings: SettingsReader) {
        var names: Set<[String]> = []
        var owners: Set<String> = []
        for table in settings.tables("sub_devices") {
            let product = Self.name("product", table, default: credentials.product)
            let device = Self.name("device", table, default: nil)
            let key = Self.key(table, isRequired: addsSubDevices)
            let sensors = table.strings("sensors") ?? []
            table.require("sensors", mend: #"name what belongs to it, as in sensors = ["lid1"]"#)
            for sensor in sensors where !owners.insert(sensor).inserted {
                table.problem(at: "sensors", message: "\"\(sensor)\" belongs to another sub-device already")
            }
            let outputs = Self.outputs(table)
            guard let product, let device else { continue }
            if !names.insert([product, device]).inserted {
                table.problem(at: "device", message: "\"\(device)\" is there already", mend: "give each its own table")
            }
            subDevices.append(
                SubDevice(
                    product: product, device: device,
                    credentials: key.map {
                        OneNETCredentials(
                            product: product, device: device, key: $0, method: credentials.method,
                            lifetime: credentials.lifetime)
                    }, sensors: Set(sensors), outputs: outputs))
        }
        if subDevices.count > 1500 {
            settings.problem(at: "sub_devices", message: "a gateway may have 1500 sub-devices at most")
        }
    }

    // MARK: Reading

    /// A level of the topics, and part of the token.
    private static func name(_ key: String, _ settings: SettingsReader, default name: String?) -> String? {
        if name == nil { settings.require(key) }
        guard let text = settings.has(key) ? settings.string(key) : name else { return nil }
        if !text.isEmpty, text.utf8.count <= 64,
            !text.unicodeScalars.contains(where: { "/+# \n&".unicodeScalars.contains($0) || $0.value < 0x20 })
        {
            return text
        }
        settings.problem(
            at: key, message: "\"\(text)\" is no name on OneNET",
            mend: "up to 64 letters, digits, - and _, as the console shows it")
        return nil
    }

    private static func key(_ settings: SettingsReader, isRequired: Bool) -> Secret? {
        guard let key = settings.secret("key") else {
            if isRequired, !settings.has("key"), !settings.has("key_file") {
                settings.problem(at: "key", message: "is missing", mend: "or name its file: key_file")
            }
            return nil
        }
        // What stands in for a secret that nobody has looked at is not judged.
        let isStandIn = settings.secrets != .needed && key.bytes == Array("00".utf8)
        if !isStandIn, OneNETText.bytes(base64: key.bytes)?.isEmpty ?? true {
            settings.problem(
                at: settings.has("key") ? "key" : "key_file", message: "is not Base64",
                mend: "copy the access key from the device's page in OneNET's console")
        }
        return key
    }

    private static func checkIdentifier(_ text: String) -> String? {
        !text.isEmpty && OneNETText.identifier(text) == text
            ? nil : "\"\(text)\" is no identifier: letters, digits and _ only"
    }

    private static func words(
        _ key: String, _ settings: SettingsReader, check: (String) -> String?
    ) -> [String: String] {
        var words: [String: String] = [:]
        for entry in settings.dictionary(key) ?? [] {
            guard case .string(let text) = entry.value.kind else {
                settings.problem(at: key, message: "\"\(entry.key)\" stands for no string")
                continue
            }
            if let problem = check(text) { settings.problem(at: key, message: problem) }
            words[entry.key] = text
        }
        return words
    }

    private static func outputs(_ settings: SettingsReader) -> [String: Output] {
        words("outputs", settings) { $0.isEmpty || $0.hasPrefix("/") ? "\"\($0)\" names no sensor" : nil }
            .mapValues { text in
                let parts = text.split(separator: "/", maxSplits: 1)
                return Output(sensor: String(parts.first ?? ""), channel: parts.count > 1 ? String(parts[1]) : nil)
            }
    }

    // MARK: Connecting

    /// Makes a client's configuration one for OneNET: MQTT 3.1.1, a clean session, the device's name, and a token that is
    /// signed at each attempt.
    ///
    /// - Parameter now: the wall clock. While it was never set, the attempt fails with ``OneNETTokenError/clockNotSet(_:)``
    ///   and is repeated, as long as `stopsWhenRefused` is off.
    public func configure(
        _ configuration: inout ClientConfiguration, now: @escaping @Sendable () -> Timestamp = { Timestamp.now() }
    ) {
        configuration.version = .v3_1_1
        configuration.clientIdentifier = credentials.device
        configuration.sessionExpiry = .zero
        configuration.resumesEarlierSession = false
        configuration.maximumQoS = .atLeastOnce
        configuration.keepAlive = min(
            max(keepAlive, Self.keepAliveRange.lowerBound), Self.keepAliveRange.upperBound)
        configuration.parameters = { [credentials] _ in
            ConnectParameters(
                username: credentials.product, password: ByteBuffer(string: try credentials.token(at: now())))
        }
    }
}

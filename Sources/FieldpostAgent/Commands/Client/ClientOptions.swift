/// The options that `fieldpost pub`, `fieldpost sub` and `fieldpost request` have in common, as they were written.
public struct ClientOptions: Sendable {
    public var host: String?
    public var port: Int?
    /// In place of `host` and `port`, see ``BrokerURL``.
    public var url: String?
    /// `5`, `311` and the like; without one, or with `auto`, 5.0, and 3.1.1 where a broker speaks nothing else; but 5.0
    /// only when another option has no meaning under 3.1.1.
    public var version: String?
    public var tls = TLSOptions()
    public var identifier: String?
    public var identifierPrefix: String?
    public var username: String?
    public var password: String?
    /// Its first line is the password.
    public var passwordFile: String?
    /// Seconds, 0 to 65,535.
    public var keepAlive = 60
    public var keepsSession = false
    /// Seconds; `-1`: never.
    public var sessionExpiry: String?
    /// QoS 1 and 2 messages that wait for their acknowledgement: 1 to 32,768; 0 is as many as can be.
    public var maximumInFlight: Int?
    public var willTopic: String?
    public var willPayload: String?
    public var willQoS: Int?
    public var willRetain = false
    /// `COMMAND IDENTIFIER [NAME] VALUE`, one behind the other.
    public var properties: [String] = []
    public var isDebugging = false
    public var isQuiet = false

    public init() {}
}

/// The options that `fieldpost pub` and `fieldpost sub` have in common, as they were written.
public struct ClientOptions: Sendable {
    public var host: String?
    public var port: Int?
    /// `mqtt://[user[:password]@]host[:port]/topic`, with TLS `mqtts://…`, in place of `host` and `port`.
    public var url: String?
    /// `5`, `311` and the like; 3.1.1 unless another option has a meaning only under 5.0.
    public var version: String?
    // Files in PEM; any of these means TLS.
    public var caFile: String?
    public var caFolder: String?
    public var certificateFile: String?
    public var keyFile: String?
    /// The certificate may be another host's.
    public var isInsecure = false
    public var identifier: String?
    public var identifierPrefix: String?
    public var username: String?
    public var password: String?
    /// Seconds, 0 to 65,535.
    public var keepAlive = 60
    public var keepsSession = false
    /// Seconds; `-1`: never.
    public var sessionExpiry: String?
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

import ArgumentParser
import FieldpostAgent

/// The options that `pub` and `sub` have in common, with mosquitto_pub's letters. Values are taken as they stand, also
/// when they begin with a dash.
struct ClientArguments: ParsableArguments {
    @Option(
        name: [.customShort("h"), .long], parsing: .unconditional,
        help: "The broker's host name or address. (default: localhost)")
    var host: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "Its port. (default: 1883, or 8883 with TLS)")
    var port: Int?

    @Option(
        name: [.customShort("L"), .long], parsing: .unconditional,
        help: "Host, port and topic at once: mqtt://[user[:password]@]host[:port]/topic, or mqtts://…")
    var url: String?

    @Option(
        name: .customLong("cafile"), parsing: .unconditional,
        help: "TLS: whom to trust, in the place of the system's store.", completion: .file())
    var caFile: String?

    @Option(
        name: .customLong("capath"), parsing: .unconditional, help: "TLS: the same as a folder.",
        completion: .directory)
    var caFolder: String?

    @Option(
        name: .customLong("cert"), parsing: .unconditional, help: "TLS: a certificate of our own.",
        completion: .file())
    var certificateFile: String?

    @Option(name: .customLong("key"), parsing: .unconditional, help: "TLS: its key.", completion: .file())
    var keyFile: String?

    @Flag(help: "TLS: the broker's certificate may be another host's.")
    var insecure = false

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The user's name.")
    var username: String?

    @Option(
        name: [.customShort("P"), .customLong("pw")], parsing: .unconditional,
        help: "The password; other users of this machine can read it while the command runs.")
    var password: String?

    @Option(
        name: [.customShort("i"), .customLong("id")], parsing: .unconditional,
        help: "The client identifier. (default: a random one)")
    var identifier: String?

    @Option(
        name: [.customShort("I"), .customLong("id-prefix")], parsing: .unconditional,
        help: "Makes the client identifier of this and the process identifier.")
    var identifierPrefix: String?

    @Option(
        name: [.customShort("V"), .long], parsing: .unconditional,
        help: "The version of MQTT: 5 (mqttv5) or 311 (mqttv311). (default: 311; 5 with -D or -x)")
    var protocolVersion: String?

    @Option(name: [.short, .customLong("keepalive")], parsing: .unconditional, help: "Seconds between signs of life.")
    var keepAlive = 60

    @Flag(
        name: [.customShort("c"), .customLong("disable-clean-session")],
        help: "Go on with the session that the broker keeps for this identifier, and let it be kept.")
    var keepsSession = false

    @Option(
        name: [.customShort("x"), .long], parsing: .unconditional,
        help: "Seconds for which the broker keeps the session (5.0); -1 is for ever.")
    var sessionExpiryInterval: String?

    @Option(
        name: [.customShort("D"), .long], parsing: .upToNextOption,
        help: ArgumentHelp(
            "A property of CONNECT, PUBLISH (pub only) or the will (5.0).",
            discussion: """
                connect: user-property, receive-maximum, maximum-packet-size, request-problem-information, \
                request-response-information. publish and will: user-property, content-type, correlation-data, \
                message-expiry-interval, payload-format-indicator, response-topic. will: will-delay-interval.
                """,
            valueName: "command identifier [name] value"))
    var property: [String] = []

    @Option(parsing: .unconditional, help: "Where the broker publishes the will when this client is lost.")
    var willTopic: String?

    @Option(parsing: .unconditional, help: "The will. (default: nothing)")
    var willPayload: String?

    @Option(name: .customLong("will-qos"), parsing: .unconditional, help: "Its quality of service. (default: 0)")
    var willQoS: Int?

    @Flag(help: "The will is retained.")
    var willRetain = false

    @Flag(name: .shortAndLong, help: "Say to standard error what happens.")
    var debug = false

    @Flag(help: "Say nothing of failures.")
    var quiet = false

    var options: ClientOptions {
        var options = ClientOptions()
        options.host = host
        options.port = port
        options.url = url
        options.version = protocolVersion
        options.identifier = identifier
        options.identifierPrefix = identifierPrefix
        options.caFile = caFile
        options.caFolder = caFolder
        options.certificateFile = certificateFile
        options.keyFile = keyFile
        options.isInsecure = insecure
        options.username = username
        options.password = password
        options.keepAlive = keepAlive
        options.keepsSession = keepsSession
        options.sessionExpiry = sessionExpiryInterval
        options.willTopic = willTopic
        options.willPayload = willPayload
        options.willQoS = willQoS
        options.willRetain = willRetain
        options.properties = property
        options.isDebugging = debug
        options.isQuiet = quiet
        return options
    }

    /// Options that make no sense are a matter of usage.
    static func check<Command>(_ make: () throws -> Command) throws {
        do { _ = try make() } catch { throw ValidationError("\(error)") }
    }

    /// Does what is to be done; a failure is said to standard error, unless that is to keep quiet.
    func report(_ run: () async throws -> Void) async throws {
        do {
            try await run()
        } catch let failure as CommandFailure {
            if !quiet { Console.error(failure.description) }
            switch failure.kind {
            case .refused: throw ExitCode.negative
            case .unavailable: throw ExitCode.unavailable
            case .inputOutput: throw ExitCode.inputOutput
            case .timedOut: throw ExitCode.timedOut
            }
        }
    }
}

extension ExitCode {
    /// As mosquitto_sub says it.
    fileprivate static let timedOut = ExitCode(27)
}

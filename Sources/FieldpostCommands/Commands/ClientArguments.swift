import Arguments
import FieldpostAgent

/// The options that `pub`, `sub` and `request` have in common, with mosquitto_pub's letters. Values are taken as they stand, also
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
        help: ArgumentHelp(
            "Host, port and topic at once: mqtt://[user[:password]@]host[:port]/topic, or mqtts://…",
            discussion: "Over WebSocket it is ws://… or wss://…[:port]/path, and the topic an option."))
    var url: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "The user's name.")
    var username: String?

    @Option(
        name: [.customShort("P"), .customLong("pw")], parsing: .unconditional,
        help: "The password; other users of this machine can read it while the command runs.")
    var password: String?

    @Option(
        name: .customLong("pw-file"), parsing: .unconditional,
        help: ArgumentHelp("The file whose first line is the password.", valueName: "file"), completion: .file())
    var passwordFile: String?

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
        help: ArgumentHelp(
            "The version of MQTT: 5 (mqttv5), 311 (mqttv311), or auto: 5, and 311 where a broker speaks nothing else. (default: auto; 5 with -D, -x and whatever else needs it)",
            valueName: "version"))
    var protocolVersion: String?

    @Option(name: [.short, .customLong("keepalive")], parsing: .unconditional, help: "Seconds between signs of life.")
    var keepAlive = 60

    @Flag(
        name: [.customShort("c"), .customLong("disable-clean-session")],
        help: "Go on with the session that the broker keeps for this identifier, and let it be kept.")
    var keepsSession = false

    @Option(
        name: [.customShort("x"), .long], parsing: .unconditional,
        help: ArgumentHelp(
            "Seconds for which the broker keeps the session (5.0); -1 is for ever.", valueName: "seconds"))
    var sessionExpiryInterval: String?

    @Option(
        name: [.customShort("D"), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "A property of CONNECT, PUBLISH (pub, request), SUBSCRIBE and UNSUBSCRIBE (sub) or the will (5.0).",
            discussion: """
                All: user-property. connect: session-expiry-interval, receive-maximum, maximum-packet-size, \
                request-problem-information, request-response-information. publish and will: content-type, correlation-data, \
                message-expiry-interval, payload-format-indicator, response-topic. will: will-delay-interval. \
                subscribe: subscription-identifier.
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

    @Option(
        name: [.customShort("M"), .long], parsing: .unconditional,
        help:
            "How many QoS 1 and 2 messages wait for their acknowledgement at once; 0: as many as can be. (default: 20)"
    )
    var maxInflight: Int?

    @OptionGroup var refused: RefusedArguments

    // Nagle's algorithm is always off.
    @Flag(help: .hidden)
    var nodelay = false

    @Flag(name: .shortAndLong, help: "Say to standard error what happens.")
    var debug = false

    @Flag(help: "Say nothing of failures.")
    var quiet = false

    /// - Parameter tls: a group of its own in the help.
    func options(_ tls: TLSArguments) -> ClientOptions {
        var options = ClientOptions()
        options.tls = tls.options
        options.host = host
        options.port = port
        options.url = url
        options.version = protocolVersion
        options.identifier = identifier
        options.identifierPrefix = identifierPrefix
        options.username = username
        options.password = password
        options.passwordFile = passwordFile
        options.keepAlive = keepAlive
        options.keepsSession = keepsSession
        options.sessionExpiry = sessionExpiryInterval
        options.maximumInFlight = maxInflight
        options.willTopic = willTopic
        options.willPayload = willPayload
        options.willQoS = willQoS
        options.willRetain = willRetain
        options.properties = property.flatMap {
            $0.split(separator: Self.separator, omittingEmptySubsequences: false).map(String.init)
        }
        options.isDebugging = debug
        options.isQuiet = quiet
        return options
    }

    /// Cannot occur in an argument.
    private static let separator: Character = "\0"

    /// The words of each property together as one argument: a value may begin with a dash, as mosquitto_pub has it.
    static func joiningProperties(_ arguments: [String]) -> [String] {
        var joined: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            joined.append(argument)
            // With an option behind it, it is the value of another one.
            guard argument == "-D" || argument == "--property", let first = rest.first, !first.hasPrefix("-") else {
                continue
            }
            let words = rest.prefix(rest.dropFirst().first == "user-property" ? 4 : 3)
            rest = rest.dropFirst(words.count)
            joined.append(words.joined(separator: String(separator)))
        }
        return joined
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
            case .configuration: throw ExitCode.configuration
            case .inputOutput: throw ExitCode.inputOutput
            case .timedOut: throw ExitCode.timedOut
            }
        }
    }
}

/// What mosquitto_pub and mosquitto_sub have, and is not done here: refused with the reason, rather than as unknown.
struct RefusedArguments: ParsableArguments {
    @Option(name: .customLong("unix"), parsing: .unconditional, help: .hidden) var unix: String?
    @Option(name: .customLong("proxy"), parsing: .unconditional, help: .hidden) var proxy: String?
    @Option(name: .customShort("A"), parsing: .unconditional, help: .hidden) var bindAddress: String?
    @Flag(name: .customShort("S"), help: .hidden) var serviceRecords = false
    @Option(name: .customLong("ciphers"), parsing: .unconditional, help: .hidden) var ciphers: String?
    @Option(name: .customLong("tls-engine-kpass-sha1"), parsing: .unconditional, help: .hidden) var engineHash: String?

    func validate() throws {
        let reason: String? =
            switch true {
            case unix != nil: "--unix: brokers are reached over TCP; give -h and -p of a listener"
            case proxy != nil: "--proxy: SOCKS is not spoken; use a tunnel (ssh -L) and give -h and -p of its end"
            case bindAddress != nil: "-A: the system's routes choose the address; see ip-route(8), src"
            case serviceRecords: "-S: SRV records are not asked for; give the broker's name with -h"
            case ciphers != nil: "--ciphers: they are OpenSSL's choice; set CipherString in openssl.cnf"
            case engineHash != nil: "--tls-engine-kpass-sha1: give a token's PIN with --key-passphrase-file"
            default: nil
            }
        if let reason { throw ValidationError(reason) }
    }
}

extension ExitCode {
    /// As mosquitto_sub says it.
    fileprivate static let timedOut = ExitCode(27)
}

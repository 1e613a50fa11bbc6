internal import MQTTServer
internal import MQTTWire
internal import OpenSSLTransport
internal import Settings
internal import Units

/// `[[listener]]`: a door of the broker. Without any there is one at 127.0.0.1:1883.
///
/// - `port`: default: 1883, or 8883 with `tls`; 0 takes a free one.
/// - `bind`: an address or a host name, or several. Default: all addresses of the machine.
/// - `unix`: the path of a Unix socket, in the place of port and bind.
/// - `name`: for logs. Default: the address.
/// - `protocol`: "mqtt" (default), "websocket", or "both", whichever a client begins with.
/// - `tls = { … }`, see ``ServerTLSSettings``. Default: in the clear.
/// - `password_file`, `acl_file`, `allow_anonymous`: in the place of the server's.
/// - `max_connections`, `max_qos`, `max_packet_size`, `max_topic_aliases`: in the place of the server's limits.
/// - `versions`: what is spoken, of "3.1", "3.1.1" and "5". Default: all.
/// - `backlog`: connections that the kernel holds ready; 1 to 65,535.
enum ListenerSettings {
    /// Several where it binds several addresses; none after an error.
    static func read(_ settings: SettingsReader, into broker: inout BrokerConfiguration) {
        var listener = Listener(address: .tcp(host: "", port: 0))
        listener.speech =
            settings.choice("protocol", of: ["mqtt": .mqtt, "websocket": .webSocket, "both": .both]) ?? .mqtt
        let tls = settings.table("tls")
        if let tls { (listener.tls, listener.certificateIdentity) = ServerTLSSettings.read(tls) }
        let paths = AccessFiles(
            passwordPath: settings.path("password_file") ?? broker.access.passwordPath,
            accessControlPath: settings.path("acl_file") ?? broker.access.accessControlPath)
        listener.allowsAnonymous = settings.boolean("allow_anonymous")
        listener.maximumConnections = settings.integer("max_connections", in: 1...1_000_000)
        listener.maximumQoS = settings.qos("max_qos")
        listener.maximumPacketSize = settings.size("max_packet_size", in: 32...LimitSettings.largestPacket)
        listener.topicAliasMaximum = settings.integer("max_topic_aliases", in: 0...65_535).map { UInt16($0) }
        listener.backlog = settings.integer("backlog", in: 1...65_535) ?? listener.backlog
        if let versions = settings.parsedAll("versions", version) {
            listener.versions = Set(versions)
            if versions.isEmpty {
                settings.problem(at: "versions", message: "is empty", mend: #"write "3.1", "3.1.1", "5" or several"#)
            }
        }
        let given = settings.string("name")
        for address in addresses(settings, isSecure: listener.tls != nil) {
            listener.address = address
            listener.name = given.map { settings.isPlural("bind") ? "\($0) (\(address))" : $0 } ?? address.description
            if let other = broker.server.listeners.first(where: { $0.name == listener.name }) {
                settings.problem(
                    at: settings.has("name") ? "name" : settings.has("unix") ? "unix" : "port",
                    message: "\"\(other.name)\" is another listener's already", mend: "give each its own")
            } else {
                broker.server.listeners.append(listener)
                if paths != broker.access { broker.listenerAccess[listener.name] = paths }
                broker.listenerPSKFiles[listener.name] = tls?.path("psk_file")
            }
        }
    }

    private static func addresses(_ settings: SettingsReader, isSecure: Bool) -> [Listener.Address] {
        let port = settings.integer("port", in: 0...65_535) ?? (isSecure ? 8883 : 1883)
        let hosts = settings.parsedAll("bind", host)
        if let path = settings.path("unix") {
            for key in ["port", "bind"] where settings.has(key) {
                settings.problem(
                    at: key, message: "stands beside \"unix\"", mend: "make two listeners of it, or remove one")
            }
            // sockaddr_un has room for so many, and a NUL.
            if path.utf8.count > 107 {
                settings.problem(
                    at: "unix", message: "is longer than a socket's path can be", mend: "107 bytes is the most")
            }
            return [.unix(path: path)]
        }
        if settings.has("unix") { return [] }
        guard settings.has("bind") else { return [.everywhere(port: port)] }
        if hosts?.isEmpty == true {
            settings.problem(at: "bind", message: "is empty", mend: #"name an address, such as "127.0.0.1""#)
        }
        return (hosts ?? []).map { .tcp(host: $0, port: port) }
    }

    private static func host(_ text: String) throws(InvalidText) -> String {
        let bare = text.first == "[" && text.last == "]" ? String(text.dropFirst().dropLast()) : text
        if bare.isEmpty || !bare.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".:-_%".contains($0)) }) {
            throw InvalidText(
                "\"\(text)\" is no address",
                mend: #"write one like "192.168.4.1", "::1" or "localhost", without a port"#)
        }
        return bare
    }

    private static func version(_ text: String) throws(InvalidText) -> ProtocolVersion {
        switch text {
        case "3.1": .v3_1
        case "3.1.1": .v3_1_1
        case "5", "5.0": .v5
        default: throw InvalidText("\"\(text)\" is not spoken here", mend: #"possible are "3.1", "3.1.1" and "5""#)
        }
    }
}

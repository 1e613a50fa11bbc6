internal import Logging
internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
internal import Settings
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Reads mosquitto.conf(5) line by line; ``MosquittoReader+Result`` makes a broker of it.
///
/// As with Mosquitto, what is said of a listener belongs to the last `listener` line of its file, and before any to the
/// default listener; file names are relative to the working directory.
struct MosquittoReader {
    typealias Security = MosquittoListener.Security

    private(set) var findings: [MosquittoFinding] = []
    /// Directives that are as the file says.
    private(set) var honoured = 0
    /// The file itself could not be read.
    private(set) var isUnreadable = false

    var listeners: [MosquittoListener] = []
    /// What stands before any `listener`; with a port or any option it is a listener too.
    var defaultListener: MosquittoListener
    let file: String
    /// `port` or `bind_address` was there.
    var hasDefaultListener = false
    /// Something was said of the default listener that makes it one.
    var isDefaultListenerTold = false
    var security = Security()
    var isPerListener = false

    var limits = ServerLimits()
    var limitsPackets = false
    var messageSizeLimit: Int?
    var systemInterval: Duration?
    var persists = false
    var persistenceFolder = ""
    var persistenceFile = "mosquitto.db"
    var clientPrefix: String?
    var processFile: String?
    /// There is a `user` line.
    var namesUser = false
    var logLevels: [Logger.Level]?
    var logDestinations: [String]?
    var logFiles: [String] = []

    /// The listener that options belong to: an index, nil for the default one. Each file begins with the default one.
    private var current: Int?
    private var isInBridge = false
    private var bridges: Set<String> = []

    private init(file: String) {
        self.file = file
        defaultListener = MosquittoListener(file: file, line: 0)
    }

    /// Reads a file and those that it includes.
    static func read(file path: String) -> MosquittoReader {
        var reader = MosquittoReader(file: path)
        reader.readFile(path, isMain: true)
        return reader
    }

    mutating func note(_ kind: MosquittoFinding.Kind, _ line: MosquittoLine, _ message: String, mend: String? = nil) {
        note(kind, file: line.file, line.number, line.name, message, mend: mend)
    }

    mutating func note(
        _ kind: MosquittoFinding.Kind, file: String, _ line: Int, _ directive: String, _ message: String,
        mend: String? = nil
    ) {
        // Who has thousands of mistakes gives us something else than a mosquitto.conf.
        guard findings.count < 500 else { return }
        findings.append(
            MosquittoFinding(
                kind: kind, file: file, line: line, directive: directive,
                message: mend.map { "\(message): \($0)" } ?? message))
    }

    private mutating func readFile(_ path: String, isMain: Bool) {
        let text: String
        do {
            text = String(decoding: try SmallFile(path: path, limit: 1 << 20).bytes, as: UTF8.self)
        } catch {
            let message =
                error.message.hasPrefix("\(path) ") ? String(error.message.dropFirst(path.count + 1)) : error.message
            isUnreadable = isUnreadable || isMain
            return note(.error, file: path, 0, "", message, mend: error.mend)
        }
        current = nil
        isInBridge = false
        // "\r\n" is one character.
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            guard let line = MosquittoLine(line, file: path, number: index + 1) else { continue }
            if line.name == "include_dir" {
                include(line, isMain: isMain)
            } else {
                read(line)
            }
        }
    }

    private mutating func include(_ line: MosquittoLine, isMain: Bool) {
        guard isMain else { return note(.error, line, "stands in an included file", mend: "move it to the main one") }
        guard let folder = opendir(line.rest) else {
            return note(.error, line, "\(line.rest): \(String(cString: strerror(errno)))")
        }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasSuffix(".conf") { names.append(name) }
        }
        closedir(folder)
        honoured += 1
        let (listener, bridge) = (current, isInBridge)
        // Without regard to case, and where that is all the difference upper case first.
        for name in names.sorted(by: { ($0.lowercased(), $0) < ($1.lowercased(), $1) }) {
            readFile("\(line.rest)/\(name)", isMain: false)
        }
        (current, isInBridge) = (listener, bridge)
    }

    private mutating func read(_ line: MosquittoLine) {
        let name = line.name
        if name == "connection" { return beginBridge(line) }
        if MosquittoDirectives.isOfBridge(name) {
            if !isInBridge { note(.error, line, "belongs to a bridge", mend: "write it behind a connection line") }
        } else if let reason = MosquittoDirectives.needless[name] {
            note(.needless, line, reason)
        } else if let reason = MosquittoDirectives.notHonoured[name] {
            note(.notHonoured, line, reason)
        } else if let reason = MosquittoDirectives.refused[name] {
            note(.error, line, reason)
        } else if MosquittoDirectives.isPluginOption(name) {
            note(.needless, line, "it belongs to a plugin")
        } else if MosquittoDirectives.honoured.contains(name) {
            let before = findings.count
            do {
                if try !readListener(line), try !readAccess(line), try !readLimits(line) { try readServer(line) }
                if findings.count == before { honoured += 1 }
            } catch {
                note(.error, line, error.message, mend: error.mend)
            }
        } else {
            let nearest = MosquittoDirectives.all.nearest(to: name)
            note(
                .error, line, "is no directive of Mosquitto's",
                mend: nearest.map { "did you mean \($0)?" } ?? "remove it, or make a comment of it with #")
        }
    }

    private mutating func beginBridge(_ line: MosquittoLine) {
        isInBridge = true
        if line.word.isEmpty { return note(.error, line, "has no name") }
        if !bridges.insert(line.word).inserted { return note(.error, line, "\(line.word) is there already") }
        note(
            .notHonoured, line, "the bridge \(line.word), with all that is said of it",
            mend: "an agent with [server] carries topics by [[bridge]]")
    }

    // MARK: Listeners

    /// Changes what is known of the listener that a line belongs to.
    ///
    /// - Parameter opens: whether Mosquitto opens the default listener because of the line.
    private mutating func change(
        _ line: MosquittoLine, opens: Bool = true, _ body: (inout MosquittoListener) throws(InvalidText) -> Void
    ) throws(InvalidText) {
        if let current {
            try body(&listeners[current])
        } else {
            isDefaultListenerTold = isDefaultListenerTold || opens
            if defaultListener.line == 0 { (defaultListener.file, defaultListener.line) = (line.file, line.number) }
            try body(&defaultListener)
        }
    }

    /// - Returns: whether the line was one of these.
    private mutating func readListener(_ line: MosquittoLine) throws(InvalidText) -> Bool {
        switch line.name {
        case "listener": try beginListener(line)
        case "port":
            hasDefaultListener = true
            (defaultListener.file, defaultListener.line) = (line.file, line.number)
            defaultListener.port = try line.number(in: 1...65_535)
        case "bind_address":
            hasDefaultListener = true
            defaultListener.host = try line.string()
        case "bind_interface":
            let name = try line.string()
            try change(line, opens: false) { $0.interface = name }
        case "socket_domain":
            let domain = try line.choice("ipv4", "ipv6")
            try change(line) { listener throws(InvalidText) in
                (listener.isIPv4Only, listener.isIPv6Only) = (domain == "ipv4", domain == "ipv6")
            }
            if domain == "ipv6" {
                note(
                    .notHonoured, line, "where no address is given, IPv4 is taken as well",
                    mend: "name an address behind the port")
            }
        case "protocol":
            let word = line.word
            guard word != "http_api" else {
                throw InvalidText("there is no HTTP interface", mend: "remove the listener")
            }
            let isWebSocket = try line.choice("mqtt", "websockets") == "websockets"
            try change(line) { $0.isWebSocket = isWebSocket }
        case "max_connections":
            let count = try line.number(in: Int.min...1_000_000)
            try change(line) { $0.maximumConnections = count < 0 ? nil : max(count, 1) }
        case "max_qos", "maximum_qos":
            let qos = QoS(rawValue: UInt8(try line.number(in: 0...2)))
            try change(line) { $0.maximumQoS = qos }
        case "max_topic_alias":
            let count = UInt16(try line.number(in: 0...65_535))
            try change(line) { $0.topicAliases = count }
        case "accept_protocol_versions": try readVersions(line)
        case "use_username_as_clientid":
            if try line.boolean() {
                throw InvalidText(
                    "clients keep their identifiers", mend: "give each user topics of its own, with %u in an acl_file")
            }
        default: return try readTLS(line)
        }
        return true
    }

    private mutating func beginListener(_ line: MosquittoLine) throws(InvalidText) {
        isInBridge = false
        var listener = MosquittoListener(file: line.file, line: line.number)
        listener.port = try line.number(in: 0...65_535)
        let address = line.rest.dropFirst(line.word.count).trimmed
        let isComment = address.isEmpty || address.first == "#"
        if listener.port == 0 {
            if isComment { throw InvalidText("port 0 has no path behind it", mend: "name the Unix socket") }
            listener.unix = String(address.prefix { !$0.isBlank })
        } else if !isComment {
            listener.host = String(address.prefix { !$0.isBlank })
        }
        listeners.append(listener)
        current = listeners.count - 1
    }

    private mutating func readVersions(_ line: MosquittoLine) throws(InvalidText) {
        let words = try line.string().split { $0 == "," || $0.isBlank }
        let versions = Set(words.compactMap { UInt8($0).flatMap(ProtocolVersion.init(rawValue:)) })
        if versions.isEmpty {
            throw InvalidText("\"\(line.rest)\" leaves nothing to speak", mend: "write 3, 4, 5 or several")
        }
        try change(line) { $0.versions = versions }
    }

    private mutating func readTLS(_ line: MosquittoLine) throws(InvalidText) -> Bool {
        switch line.name {
        case "cafile": try changeText(line, \.cafile)
        case "capath": try changeText(line, \.capath)
        case "certfile": try changeText(line, \.certfile)
        case "keyfile": try changeText(line, \.keyfile)
        case "crlfile": try changeText(line, \.crlfile)
        case "psk_hint": try changeText(line, \.pskHint)
        case "require_certificate": try changeSwitch(line, \.requiresCertificate)
        case "use_identity_as_username": try changeSwitch(line, \.usesIdentity)
        case "use_subject_as_username": try changeSwitch(line, \.usesSubject)
        case "tls_keyform":
            if try line.choice("pem", "engine") == "engine" {
                throw InvalidText("keys in engines are not used by listeners", mend: "take a PEM file as keyfile")
            }
        case "tls_version":
            let version = try line.choice("tlsv1.3", "tlsv1.2", "tlsv1.1")
            if version == "tlsv1.1" { note(.notHonoured, line, "TLS 1.1 is not spoken (RFC 8996); 1.2 is the least") }
            try change(line) { $0.minimumVersion = version == "tlsv1.3" ? .v1_3 : .v1_2 }
        default: return false
        }
        return true
    }

    private mutating func changeText(
        _ line: MosquittoLine, _ key: WritableKeyPath<MosquittoListener, String?>
    ) throws(InvalidText) {
        let text = try line.string()
        try change(line) { $0[keyPath: key] = text }
    }

    private mutating func changeSwitch(
        _ line: MosquittoLine, _ key: WritableKeyPath<MosquittoListener, Bool>
    ) throws(InvalidText) {
        let value = try line.boolean()
        try change(line) { $0[keyPath: key] = value }
    }

    // MARK: Access

    /// Changes what is one for all listeners unless each has its own.
    private mutating func changeSecurity(_ line: MosquittoLine, _ body: (inout Security) -> Void) throws(InvalidText) {
        guard isPerListener else { return body(&security) }
        try change(line, opens: line.name != "allow_anonymous") { body(&$0.security) }
    }

    private mutating func readAccess(_ line: MosquittoLine) throws(InvalidText) -> Bool {
        switch line.name {
        case "per_listener_settings":
            let value = try line.boolean()
            if value, !isPerListener, security != Security() {
                throw InvalidText("stands behind settings that it changes", mend: "write it first")
            }
            isPerListener = isPerListener || value
        case "allow_anonymous":
            let value = try line.boolean()
            try changeSecurity(line) { $0.allowsAnonymous = value }
        case "listener_allow_anonymous":
            let value = try line.boolean()
            try change(line, opens: false) { $0.security.allowsAnonymous = value }
        case "password_file":
            let path = try line.string()
            try changeSecurity(line) { $0.passwords = path }
        case "acl_file":
            let path = try line.string()
            try changeSecurity(line) { $0.rules = path }
        case "psk_file":
            let path = try line.string()
            try changeSecurity(line) { $0.preSharedKeys = path }
        case "allow_zero_length_clientid":
            if try !line.boolean() {
                note(.notHonoured, line, "clients without an identifier are let in, and given one")
            }
        case "clientid_prefixes": clientPrefix = try line.string()
        case "check_retain_source":
            if try line.boolean() {
                note(
                    .notHonoured, line, "a retained message stays when its publisher loses the right to it",
                    mend: "delete it by an empty one")
            }
        default: return false
        }
        return true
    }
}

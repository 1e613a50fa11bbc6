internal import Logging
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport

// From CONNECT to CONNACK.
extension MQTTServer {
    /// What a wrong password costs, so that guessing is slow; every refusal of that kind takes as long.
    private static let wrongPasswordDelay = Duration.milliseconds(500)

    func greet(_ connect: Connect, on connection: ClientConnection, at now: NIODeadline) {
        let door = connection.door
        connection.deadline = nil
        connection.version = connect.version
        connection.wantsProblemInformation = connect.properties.requestProblemInformation ?? true
        guard door.listener.versions.contains(connect.version) else {
            let names = door.listener.versions.map(\.description).sorted().joined(separator: " and ")
            return refuse(
                .unsupportedProtocolVersion, "MQTT \(connect.version) is not spoken here, but \(names)",
                on: connection, at: now)
        }
        let isAssigned = connect.clientIdentifier.isEmpty
        var connect = connect
        if let payload = connect.will?.payload { connect.will?.payload = payload.compact }
        let information = ClientInformation(
            identifier: isAssigned ? Self.makeIdentifier() : connect.clientIdentifier, username: connect.username,
            version: connect.version, listener: door.name, address: address(of: connection.channel),
            certificateSubject: connection.certificate?.it.subject, keepAlive: connect.keepAlive)
        let candidate = Candidate(connect, information, isIdentifierAssigned: isAssigned)
        connection.candidate = candidate
        connection.phase = .admitting
        if let method = connect.properties.authenticationMethod {
            return beginAuthentication(method, of: connection, at: now)
        }
        judge(candidate, on: connection, at: now)
    }

    private static func makeIdentifier() -> String {
        let letters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
        var generator = SystemRandomNumberGenerator()
        let name = (0..<22).map { _ in letters[Int.random(in: letters.indices, using: &generator)] }
        return "auto-" + String(decoding: name, as: UTF8.self)
    }

    // MARK: The configured rules

    /// Certificate, password, or neither.
    private func judge(_ candidate: Candidate, on connection: ClientConnection, at now: NIODeadline) {
        let door = connection.door
        if door.listener.certificateIdentity != .notUsed, let certificate = connection.certificate?.it {
            let name =
                door.listener.certificateIdentity == .commonName ? certificate.commonName : certificate.subjectIdentity
            candidate.information.username = name
            connection.admission = .other
            return decide(name == nil ? .badUserNameOrPassword : .success, on: connection, at: now)
        }
        guard let username = candidate.connect.username, let passwords = door.access.passwords else {
            connection.admission = .anonymous
            // Where certificates say who somebody is, nobody else is to say so.
            if candidate.connect.username != nil, door.listener.certificateIdentity != .notUsed {
                return decide(.badUserNameOrPassword, on: connection, at: now)
            }
            return decide(door.isAnonymousAllowed ? .success : .notAuthorized, on: connection, at: now)
        }
        let password = candidate.connect.password
        connection.admission = .password
        guard passwordChecks.begin() else {
            return refuse(.serverBusy, "too many passwords are being checked", on: connection, at: now)
        }
        connection.setPause(.admission, true)
        let id = connection.id
        Task {
            if !passwordChecks.takeTurn() { await withCheckedContinuation { passwordChecks.wait($0) } }
            // Whoever has left costs nothing.
            let isRight =
                connections.remote(id) == nil ? false : await Self.verify(passwords, username, password)
            passwordChecks.end()
            guard let connection = connections.remote(id), connection.phase == .admitting else { return }
            decide(isRight ? .success : .badUserNameOrPassword, on: connection, at: .now())
            drain(at: .now())
        }
    }

    /// Somewhere in this server a user name takes a password or a certificate: whoever only claims one has none.
    var areNamesProven: Bool {
        doors.contains { $0.listener.certificateIdentity != .notUsed || $0.access.passwords != nil }
    }

    /// Hashing takes its time, and is not for the event loop.
    @concurrent private static func verify(
        _ passwords: PasswordFile, _ username: String, _ password: ByteBuffer?
    ) async -> Bool {
        passwords.verify(user: username, password: password)
    }

    // MARK: The program's word

    /// - Parameter verdict: what the rules, or the authenticator, came to.
    func decide(_ verdict: ReasonCode, on connection: ClientConnection, at now: NIODeadline) {
        guard let candidate = connection.candidate else { return }
        guard let validate = configuration.hooks.validateConnection else {
            return verdict.isError
                ? refuseSlowly(verdict, on: connection, at: now) : letIn(connection, candidate, at: now)
        }
        let request = ServerHooks.ConnectionRequest(
            client: candidate.information, password: candidate.connect.password,
            isCleanStart: candidate.connect.cleanStart, will: candidate.connect.will,
            properties: candidate.connect.properties, verdict: verdict)
        connection.setPause(.admission, true)
        let id = connection.id
        Task {
            let word = await patiently(hookTimeout) { await validate(request) }
            let now = NIODeadline.now()
            guard let connection = connections.remote(id), connection.phase == .admitting else { return }
            switch word {
            case .accept?:
                if verdict.isError { connection.admission = .other }
                letIn(connection, candidate, at: now)
            case .acceptAs(let username)?:
                connection.admission = .other
                candidate.information.username = username
                letIn(connection, candidate, at: now)
            case .refuse(let code, let properties)?:
                if code == verdict, code.isError, properties.isEmpty {
                    refuseSlowly(code, on: connection, at: now)
                } else {
                    refuse(code, nil, properties, on: connection, at: now)
                }
            case nil:
                refuse(.serverUnavailable, "nobody decided within \(hookTimeout)", on: connection, at: now)
            }
            drain(at: now)
        }
    }

    /// What an operation came to, or nil when it takes too long; it is cancelled and left to itself then.
    func patiently<Value: Sendable>(
        _ timeout: Duration, _ operation: @escaping @Sendable () async -> Value
    ) async -> Value? {
        let (results, continuation) = AsyncStream<Value>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let work = Task {
            continuation.yield(await operation())
            continuation.finish()
        }
        let timer = eventLoop.scheduleTask(in: TimeAmount(timeout)) { () -> Void in continuation.finish() }
        defer {
            timer.cancel()
            work.cancel()
        }
        for await result in results { return result }
        return nil
    }

    // MARK: In

    private func letIn(_ connection: ClientConnection, _ candidate: Candidate, at now: NIODeadline) {
        let door = connection.door
        let connect = candidate.connect
        // As with Mosquitto a name that is only claimed counts, but not where names are proven.
        if connection.admission == .anonymous, areNamesProven { candidate.information.username = nil }
        let information = candidate.information
        guard localClients[information.identifier] == nil,
            !configuration.reservedIdentifiers.contains(information.identifier)
        else {
            return refuse(
                .clientIdentifierNotValid, "a part of this server has this identifier", on: connection, at: now)
        }
        let size = door.listener.maximumPacketSize ?? limits.maximumPacketSize
        clientsLetIn += 1
        connection.phase = .up
        if isStoreBehind { connection.setPause(.store, true) }
        if isReaderBehind { connection.setPause(.reader, true) }
        connection.candidate = nil
        connection.certificate = nil
        connection.clientIdentifier = information.identifier
        connection.decoder.maximumPacketSize = size
        if let aliases = connect.properties.topicAliasMaximum, aliases > 0 {
            connection.shortening = Shortening(
                aliases: aliases,
                maximumPacketSize: connect.properties.maximumPacketSize.map { Int(clamping: $0) } ?? .max)
        }
        if door.access.acl != nil {
            connection.policy = LivePolicy(
                door.access.permissions(clientIdentifier: information.identifier, username: information.username))
        }
        let client = AcceptedClient(
            information: information, isIdentifierAssigned: candidate.isIdentifierAssigned,
            properties: candidate.properties, maximumQoS: door.listener.maximumQoS ?? limits.maximumQoS,
            maximumPacketSize: size, topicAliasMaximum: door.listener.topicAliasMaximum ?? limits.topicAliasMaximum,
            policy: connection.policy)
        broker.connect(connect, client, on: connection.id, at: now)
        goOn(connection, at: now)
    }

    /// What came meanwhile has its turn.
    func goOn(_ connection: ClientConnection, at now: NIODeadline) {
        connection.setPause(.admission, false)
        if connection.input.readableBytes > 0 { decodeInput(of: connection, at: now) }
    }

    // MARK: Not in

    private func refuseSlowly(_ code: ReasonCode, on connection: ClientConnection, at now: NIODeadline) {
        let id = connection.id
        connection.setPause(.admission, true)
        _ = after(Self.wrongPasswordDelay) { server in
            guard let connection = server.connections.remote(id), connection.phase == .admitting else { return }
            let now = NIODeadline.now()
            server.refuse(code, nil, on: connection, at: now)
            server.drain(at: now)
        }
    }

    /// CONNACK with an error, and the end.
    func refuse(
        _ code: ReasonCode, _ text: String?, _ properties: Properties = [], on connection: ClientConnection,
        at now: NIODeadline
    ) {
        let information = connection.candidate?.information
        let code = code.isError ? code : .unspecifiedError
        var connack = ConnAck(sessionPresent: false, reasonCode: code.forConnAck(connection.version))
        if connection.version == .v5 {
            connack.properties = properties
            if let text, properties.reasonString == nil { connack.properties.reasonString = text }
        }
        send(.connack(connack), on: connection, at: now)
        broker.statistics.packetsSent += 1
        refused(
            code, text ?? code.description, address: address(of: connection.channel),
            listener: connection.door.name, client: information?.identifier ?? "")
        if broker.wantsEvents, let information {
            tell(
                .connectionRefused(
                    identifier: information.identifier, username: information.username, address: information.address,
                    code))
        }
        connection.setPause(.admission, false)
        leave(connection, at: now)
    }

    /// What came is no packet, or none that may come now (5.0 §4.13).
    func refuse(_ error: DecodingError, in bytes: ByteBuffer, on connection: ClientConnection, at now: NIODeadline) {
        if connection.phase == .up {
            return broker.refuse(error.reasonCode, "\(error)", on: connection.id, at: now)
        }
        let address = address(of: connection.channel)
        if error.rule == .unsupportedProtocolVersion, let level = error.found {
            // In the form that the client may understand: 3.1.1's return code 1, or 5.0's 0x84 ([MQTT-3.1.2-2]).
            connection.output.append(raw: level < 5 ? [0x20, 2, 0, 1] : [0x20, 3, 0, 0x84, 0])
            refused(error.reasonCode, "\(error)", address: address, listener: connection.door.name)
            return leave(connection, at: now)
        }
        if error.rule == .invalidProtocolName, bytes.connectLevel(named: ProtocolVersion.v3_1.protocolName) != nil {
            // A client of 3.1's name and of another level knows 3.1's answer (V3.1 §3.2).
            connection.output.append(raw: [0x20, 2, 0, 1])
            refused(error.reasonCode, "\(error)", address: address, listener: connection.door.name)
            return leave(connection, at: now)
        }
        let version = connection.phase == .authenticating ? connection.version : bytes.statedVersion
        switch version {
        case .v5?:
            connection.version = .v5
            let code = error.reasonCode
            return refuse(
                code.isAllowed(in: .connack) ? code : .protocolError, "\(error)", on: connection, at: now)
        case let version? where error.rule == .clientIdentifierEmpty:
            connection.version = version
            return refuse(.clientIdentifierNotValid, "\(error)", on: connection, at: now)
        default:
            // 3.1.1 has no answer to what is no CONNECT, and others would not understand one.
            refused(error.reasonCode, "\(error)", address: address, listener: connection.door.name)
            leave(connection, at: now)
        }
    }
}

extension TLSPeerCertificate {
    /// Nil where ``subject``, which is for people, does not tell all: two certificates may look the same then.
    fileprivate var subjectIdentity: String? {
        let isWhole = !subject.unicodeScalars.contains { $0 == "\u{FFFD}" || $0 == "…" }
        return isWhole && subject.utf8.contains(UInt8(ascii: "=")) ? subject : nil
    }
}

extension ReasonCode {
    /// The one that CONNACK can carry and that is nearest to it.
    func forConnAck(_ version: ProtocolVersion) -> ReasonCode {
        guard version != .v5 else { return isAllowed(in: .connack) ? self : .unspecifiedError }
        switch self {
        case .unsupportedProtocolVersion, .clientIdentifierNotValid, .badUserNameOrPassword, .notAuthorized: return self
        case .badAuthenticationMethod, .banned: return .notAuthorized
        default: return .serverUnavailable
        }
    }
}

extension ByteBuffer {
    /// The version that a CONNECT states which is broken behind it; nil where it is no CONNECT, or of another version.
    fileprivate var statedVersion: ProtocolVersion? {
        ProtocolVersion.allCases.first { connectLevel(named: $0.protocolName) == $0.rawValue }
    }

    fileprivate func connectLevel(named name: String) -> UInt8? {
        guard getInteger(at: readerIndex, as: UInt8.self) == 0x10 else { return nil }
        // The length takes one to four bytes.
        for size in 1...4 {
            guard let byte = getInteger(at: readerIndex + size, as: UInt8.self) else { return nil }
            guard byte & 0x80 == 0 else { continue }
            let start = readerIndex + size + 1
            let length = getInteger(at: start, as: UInt16.self).map { Int($0) }
            guard length == name.utf8.count, getString(at: start + 2, length: name.utf8.count) == name else {
                return nil
            }
            return getInteger(at: start + 2 + name.utf8.count)
        }
        return nil
    }
}

internal import Logging
internal import MQTTWire
internal import NIOCore

// Enhanced authentication (5.0 §4.12), before CONNACK and again later.
extension MQTTServer {
    func beginAuthentication(_ method: String, of connection: ClientConnection, at now: NIODeadline) {
        guard let candidate = connection.candidate else { return }
        guard let make = configuration.hooks.authenticators[method] else {
            return refuse(
                .badAuthenticationMethod, "the method \"\(method)\" is not known here", on: connection, at: now)
        }
        let authentication = Authentication(method: method)
        authentication.conductor = make(candidate.information)
        connection.authentication = authentication
        proceed(authentication, with: candidate.connect.properties.authenticationData, on: connection)
    }

    /// It is the client's turn before CONNACK; AUTH is all that it may send, or DISCONNECT ([MQTT-3.1.2-30]).
    func authenticate(_ packet: Packet, on connection: ClientConnection, at now: NIODeadline) {
        connection.deadline = nil
        guard let authentication = connection.authentication else { return }
        switch packet {
        case .auth(let auth)
        where auth.reasonCode == .continueAuthentication
            && auth.properties.authenticationMethod == authentication.method:
            connection.phase = .admitting
            proceed(authentication, with: auth.properties.authenticationData?.compact, on: connection)
        case .disconnect: hangUp(connection, "it gave the authentication up")
        default:
            refuse(
                .protocolError, "\(packet.type) in the midst of the authentication with \"\(authentication.method)\"",
                on: connection, at: now)
        }
    }

    /// A client that was let in sends AUTH ([MQTT-4.12.1-1]).
    func reauthenticate(_ auth: Auth, on connection: ClientConnection, at now: NIODeadline) {
        broker.statistics.packetsReceived += 1
        broker.heard(from: connection.id, at: now)
        guard let authentication = connection.authentication,
            auth.properties.authenticationMethod == authentication.method
        else {
            return broker.refuse(
                .protocolError, "AUTH with another authentication method than CONNECT's", on: connection.id, at: now)
        }
        let data = auth.properties.authenticationData?.compact
        switch (auth.reasonCode, authentication.conductor, authentication.isBusy) {
        case (.reauthenticate, nil, _):
            guard let make = configuration.hooks.authenticators[authentication.method],
                let client = broker.connection(connection.id)?.information
            else { return broker.refuse(.badAuthenticationMethod, nil, on: connection.id, at: now) }
            authentication.conductor = make(client)
            proceed(authentication, with: data, on: connection)
        case (.continueAuthentication, .some, false): proceed(authentication, with: data, on: connection)
        default: broker.refuse(.protocolError, "AUTH out of turn", on: connection.id, at: now)
        }
    }

    private func proceed(_ authentication: Authentication, with data: ByteBuffer?, on connection: ClientConnection) {
        guard let conductor = authentication.conductor else { return }
        authentication.isBusy = true
        if connection.phase == .admitting { connection.setPause(.admission, true) }
        let id = connection.id
        Task {
            let step = await patiently(hookTimeout) { await conductor.proceed(with: data) }
            guard let connection = connections.remote(id), let authentication = connection.authentication else {
                return
            }
            let now = NIODeadline.now()
            authentication.isBusy = false
            switch connection.phase {
            case .admitting: stepped(step, authentication, admitting: connection, at: now)
            case .up: stepped(step, authentication, again: connection, at: now)
            case .greeting, .authenticating, .closing: break
            }
            drain(at: now)
        }
    }

    private func stepped(
        _ step: AuthenticationStep?, _ authentication: Authentication, admitting connection: ClientConnection,
        at now: NIODeadline
    ) {
        switch step {
        case .continue(let data)?:
            connection.phase = .authenticating
            connection.deadline = greetings.begin(connection.id, at: now)
            schedulePatience()
            connection.ending = "no AUTH within \(limits.connectTimeout)"
            sendAuth(.continueAuthentication, data, authentication, on: connection, at: now)
            goOn(connection, at: now)
        case .success(let data, let username)?:
            authentication.conductor = nil
            connection.ending = nil
            connection.candidate?.properties.authenticationMethod = authentication.method
            connection.candidate?.properties.authenticationData = data
            if let username { connection.candidate?.information.username = username }
            decide(.success, on: connection, at: now)
        case .failure(let code)?: decide(code.isError ? code : .notAuthorized, on: connection, at: now)
        case nil: refuse(.serverUnavailable, "the authenticator gave no answer", on: connection, at: now)
        }
    }

    private func stepped(
        _ step: AuthenticationStep?, _ authentication: Authentication, again connection: ClientConnection,
        at now: NIODeadline
    ) {
        switch step {
        case .continue(let data)?: sendAuth(.continueAuthentication, data, authentication, on: connection, at: now)
        case .success(let data, _)?:
            authentication.conductor = nil
            sendAuth(.success, data, authentication, on: connection, at: now)
        case .failure(let code)?:
            let code = code.isError && code.isAllowed(in: .disconnect) ? code : .notAuthorized
            broker.refuse(code, "the re-authentication failed", on: connection.id, at: now)
        case nil:
            broker.refuse(.notAuthorized, "the authenticator gave no answer", on: connection.id, at: now)
        }
    }

    private func sendAuth(
        _ code: ReasonCode, _ data: ByteBuffer?, _ authentication: Authentication, on connection: ClientConnection,
        at now: NIODeadline
    ) {
        var properties: Properties = [.authenticationMethod(authentication.method)]
        if let data { properties.append(.authenticationData(data)) }
        broker.statistics.packetsSent += 1
        send(.auth(Auth(reasonCode: code, properties: properties)), on: connection, at: now)
    }
}

internal import Logging
internal import MQTTWire
internal import NIOCore

// Enhanced authentication (5.0 §4.12).
extension MQTTClient {
    /// Authenticates anew on the present connection, for example with credentials that are about to expire.
    ///
    /// - Throws: ``ClientError``: `unencodable` when there is no ``ClientConfiguration/authenticator`` for this connection,
    ///   or a request to authenticate is under way already; what the authenticator throws. A server that is not content
    ///   ends the connection.
    public func reauthenticate(timeout: Duration = .seconds(10)) async throws {
        guard link.isUp else { throw ClientError.notConnected }
        guard var authenticator = link.authenticator, link.reauthentication == nil else {
            throw ClientError.unencodable("there is no method of authentication, or it is in use")
        }
        let id = link.id
        let data = try await authenticator.begin()
        guard link.id == id, link.isUp else { throw ClientError.connectionLost }
        // Somebody may have been quicker.
        guard link.reauthentication == nil else {
            throw ClientError.unencodable("the method of authentication is in use")
        }
        link.authenticator = authenticator
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = after(timeout) {
                    $0.endReauthentication(.failure(ClientError.timedOut(after: timeout)), on: id)
                }
                link.reauthentication = Waiter(continuation: continuation, timer: timer)
                send(auth(.reauthenticate, authenticator.method, data))
                flush()
                readOn()
            }
        } onCancel: {
            onEventLoop { $0.endReauthentication(.failure(CancellationError()), on: id) }
        }
    }

    private func endReauthentication(_ result: Result<Void, any Error>, on id: Int) {
        guard link.id == id, let waiter = link.reauthentication else { return }
        link.reauthentication = nil
        waiter.resume(with: result)
    }

    private func auth(_ code: ReasonCode, _ method: String, _ data: ByteBuffer?) -> Packet {
        var properties = Properties()
        properties.authenticationMethod = method
        properties.authenticationData = data
        return .auth(Auth(reasonCode: code, properties: properties))
    }

    /// AUTH came, before CONNACK or on a connection that is up.
    func received(auth: Auth) throws(ProtocolViolation) {
        guard let authenticator = link.authenticator, link.phase == .awaitingConnAck || link.reauthentication != nil
        else { throw ProtocolViolation("AUTH that was not asked for (5.0 §4.12)") }
        let data = auth.properties.authenticationData
        if auth.reasonCode == .success, link.reauthentication != nil {
            let result = Result { try link.authenticator?.finish(data) ?? () }
            endReauthentication(result, on: link.id)
            if case .failure(let error) = result { end(link.id, DisconnectReason.protocolError("\(error)")) }
            return
        }
        guard auth.reasonCode == .continueAuthentication else {
            throw ProtocolViolation("AUTH with reason code \(auth.reasonCode) (MQTT-4.12.0-2)")
        }
        guard auth.properties.authenticationMethod == authenticator.method else {
            throw ProtocolViolation("AUTH with another method than CONNECT (MQTT-4.12.0-5)")
        }
        let id = link.id
        Task {
            var authenticator = authenticator
            do {
                let answer = try await authenticator.answer(data)
                guard link.id == id, link.phase == .awaitingConnAck || link.phase == .up else { return }
                link.authenticator = authenticator
                send(self.auth(.continueAuthentication, authenticator.method, answer))
                flush()
            } catch {
                endReauthentication(.failure(error), on: id)
                guard link.id == id, link.phase == .awaitingConnAck || link.phase == .up else { return }
                if link.isUp {
                    end(id, DisconnectReason.protocolError("\(error)"))
                } else {
                    end(id, .authentication("\(error)"))
                }
            }
        }
    }

    /// What CONNECT says of it.
    func beginAuthentication() async throws {
        guard link.version == .v5, var authenticator = configuration.authenticator?() else { return }
        let id = link.id
        let data = try await authenticator.begin()
        // It may have come too late.
        guard link.id == id else { return }
        link.authenticator = authenticator
        link.parameters.properties.authenticationMethod = authenticator.method
        link.parameters.properties.authenticationData = data
    }

    /// CONNACK came.
    /// - Returns: whether the server is the one that is meant.
    func finishAuthentication(_ connack: ConnAck) -> Bool {
        guard link.authenticator != nil else { return true }
        do {
            try link.authenticator?.finish(connack.properties.authenticationData)
            return true
        } catch {
            end(link.id, .authentication("\(error)"))
            return false
        }
    }
}

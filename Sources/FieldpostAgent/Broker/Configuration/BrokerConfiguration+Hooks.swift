internal import MQTTServer
internal import MQTTWire
internal import NIOCore

extension BrokerConfiguration {
    /// The server's hooks, with what it has no setting for: ``clientPrefix`` and ``maximumPayload``. They are for clients,
    /// not for the agent around the broker nor for its bridges.
    var hooks: ServerHooks {
        var hooks = server.hooks
        let (clientPrefix, maximumPayload) = (clientPrefix, maximumPayload)
        guard clientPrefix != nil || maximumPayload != nil else { return hooks }
        let validate = hooks.validateConnection
        hooks.validateConnection = { request in
            if request.verdict == .success, Self.isGuest(request.client) {
                if let clientPrefix, !request.client.identifier.utf8.starts(with: clientPrefix.utf8) {
                    return .refuse(.clientIdentifierNotValid)
                }
                // A will that could never be published.
                if let maximumPayload, let will = request.will, will.payload.readableBytes > maximumPayload {
                    return .refuse(request.client.version == .v5 ? .packetTooLarge : .notAuthorized)
                }
            }
            if let validate { return await validate(request) }
            return request.verdict == .success ? .accept : .refuse(request.verdict)
        }
        guard let maximumPayload else { return hooks }
        let intercept = hooks.interceptPublish
        hooks.interceptPublish = { message, client in
            if let client, message.payload.readableBytes > maximumPayload, Self.isGuest(client) {
                return .refuse(.implementationSpecificError)
            }
            return intercept?(&message, client) ?? .accept
        }
        return hooks
    }

    private static func isGuest(_ client: ClientInformation) -> Bool {
        client.listener != AgentDoor.name && client.identifier != Bridge.clientIdentifier
    }
}

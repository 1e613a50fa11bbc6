internal import MQTT
internal import NIOCore
internal import OpenSSLTransport
internal import Settings
internal import StoreForward
internal import Units
internal import Uplink

// What the configuration means to the parts of the agent.
extension AgentConfiguration {
    func client(_ plan: LinkPlan, _ manner: any LinkManner) -> ClientConfiguration {
        let (broker, queue) = (plan.broker, plan.queue)
        var client = ClientConfiguration(
            endpoints: broker.servers, version: broker.version, clientIdentifier: broker.clientID
        ) { connection in try await manner.parameters(connection: connection) }
        client.endpointOrder = broker.order
        client.returnAfter = broker.returnAfter
        client.endpointsShareSessions = broker.sharesSessions
        client.followsRedirects = broker.followsRedirects
        client.keepAlive = broker.keepAlive
        client.acknowledgement = .byHand
        let sessions = client.tls.sessionCache
        client.tls = broker.tls
        client.tls.sessionCache = sessions
        client.tls.handshakeTimeout = broker.connectTimeout
        client.connectTimeout = broker.connectTimeout
        client.responseTimeout = broker.responseTimeout
        client.sessionExpiry = broker.sessionExpiry
        client.maximumInFlight = broker.maximumInFlight
        client.maximumQoS = broker.maximumQoS
        client.backlogRate = queue.backlog.rate
        let mark = queue.backlog.mark
        if mark != .none { client.markBacklog = { mark.apply(to: &$0) } }
        client.backoff = Backoff(
            base: broker.reconnect.base, cap: broker.reconnect.cap, stableAfter: broker.reconnect.stableAfter)
        return client
    }
}

extension AgentConfiguration.Queue {
    var options: OutboxOptions {
        var options = OutboxOptions(
            durability: durability == .strict ? .strict : .relaxed, commitInterval: commitInterval,
            commitCount: commitCount, maximumSize: Int(clamping: maximumSize.bytes), maximumRows: maximumRows,
            maximumAge: maximumAge)
        options.backlogOrder = backlog.order
        return options
    }
}

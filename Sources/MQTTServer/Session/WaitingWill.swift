internal import MQTTWire
internal import NIOCore

/// A will whose client is gone, and which is published unless the client comes back in time ([MQTT-3.1.3-9]).
struct WaitingWill: Sendable {
    var message: Will
    /// Of the connection that it came with; what an earlier process knew has no address.
    var client: ClientInformation
    var deadline: NIODeadline

    var record: StoredWill {
        StoredWill(will: message, username: client.username, delay: message.properties.willDelayInterval ?? 0)
    }
}

internal import MQTTWire
internal import NIOCore

/// A will whose client is gone, and which is published unless the client comes back in time ([MQTT-3.1.3-9]).
///
/// An object, since few sessions have one, and those that have none are not to keep room for it.
final class WaitingWill: Sendable {
    let message: Will
    /// Of the connection that it came with; what an earlier process knew has no address.
    let client: ClientInformation
    let deadline: NIODeadline

    init(message: Will, client: ClientInformation, deadline: NIODeadline) {
        self.message = message
        self.client = client
        self.deadline = deadline
    }

    var record: StoredWill {
        StoredWill(will: message, username: client.username, delay: message.properties.willDelayInterval ?? 0)
    }
}

internal import MQTTWire
internal import Synchronization

/// A client's rights as they are now: rules may be read anew while it is connected.
final class LivePolicy: ClientPolicy {
    private let permissions: Mutex<ClientPermissions>

    init(_ permissions: ClientPermissions) { self.permissions = Mutex(permissions) }

    func update(_ permissions: ClientPermissions) { self.permissions.withLock { $0 = permissions } }

    func mayPublish(to topic: TopicName) -> Bool { permissions.withLock { $0 }.mayPublish(to: topic) }
    func mayReceive(_ topic: TopicName) -> Bool { permissions.withLock { $0 }.mayReceive(topic) }
    func mayEverReceive(_ filter: TopicFilter) -> Bool { permissions.withLock { $0 }.mayEverReceive(filter) }
}

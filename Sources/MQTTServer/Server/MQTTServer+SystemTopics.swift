internal import MQTTWire
internal import NIOCore

extension MQTTServer {
    func startSystemTopics() {
        guard configuration.systemInterval > .zero else { return }
        systemTopics = SystemTopics(version: configuration.version, startedAt: .now())
        publishSystemTopics()
    }

    private func publishSystemTopics() {
        let now = NIODeadline.now()
        let values = systemTopics.update(
            broker.statistics, connections: clientsLetIn,
            isStoreWell: store == nil ? nil : storeStatus.failure == nil, at: now)
        for (topic, value) in values {
            guard let topic = try? TopicName("$SYS/broker/\(topic)") else { continue }
            broker.publishStatus(
                ServerMessage(topic: topic, payload: ByteBuffer(string: value), retain: true), at: now)
        }
        drain(at: now)
        systemTimer = after(configuration.systemInterval) { $0.publishSystemTopics() }
    }
}

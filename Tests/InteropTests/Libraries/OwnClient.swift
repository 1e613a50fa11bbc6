import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import OpenSSLTransport
import TestSupport

/// A client of our own library.
struct OwnClient: Participant {
    let variant: Variant
    let inbox: Inbox
    let isSessionPresent: Bool
    let properties: [Field]
    private let client: MQTTClient
    private let life: Life

    init(_ login: Login, _ addresses: Addresses) async throws {
        variant = login.variant
        let inbox = Inbox(variant)
        self.inbox = inbox
        var configuration = ClientConfiguration(
            endpoints: [addresses.endpoint(for: login.variant)], version: variant.version,
            clientIdentifier: login.identifier)
        configuration.tls.trustRoots = .file(addresses.root)
        if login.showsCertificate {
            configuration.tls.certificate = TLSCertificate(
                chainFile: addresses.leaf.chain, privateKeyFile: addresses.leaf.key)
        }
        configuration.keepAlive = .seconds(login.keepAlive)
        configuration.maximumPacketSize = 4 << 20
        configuration.resumesEarlierSession = !login.cleanStart
        configuration.sessionExpiry = .seconds(
            login.properties.sessionExpiryInterval.map(Int.init) ?? (login.cleanStart ? 0 : 60))
        configuration.stopsWhenRefused = true
        let isV5 = variant.version == .v5
        let will = try login.will.map { will in
            Will(
                topic: try TopicName(will.topic), payload: ByteBuffer(bytes: will.bytes), qos: will.qos,
                retain: will.retain, properties: isV5 ? will.properties : [])
        }
        configuration.parameters = { _ in
            ConnectParameters(
                username: login.username, password: login.password.map { ByteBuffer(string: $0) }, will: will,
                properties: isV5 ? login.properties : [])
        }
        let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        self.client = client
        let reading = Task {
            for await message in client.messages { await inbox.append(Heard(message)) }
        }
        life = Life(running: Task { await client.run() }, reading: reading)
        let result = try await within(.seconds(20), "our client's connection") {
            for await event in client.events {
                switch event {
                case .connected(let result): return result
                case .connectFailed(_, let failure, _): throw failure
                case .disconnected: continue
                }
            }
            throw ClientError.stopped
        }
        isSessionPresent = result.sessionPresent
        properties = result.properties.fields()
    }

    func subscribe(_ subscription: Subscription, _ properties: Properties) async throws -> Int {
        Int(try await client.subscribe([subscription], properties: properties).first?.rawValue ?? 0xFF)
    }

    func unsubscribe(_ filter: String) async throws { try await client.unsubscribe([TopicFilter(filter)]) }

    func publish(_ post: Post) async throws {
        try await client.publish(
            Message(
                topic: try TopicName(post.topic), payload: ByteBuffer(bytes: post.bytes), qos: post.qos,
                retain: post.retain, properties: variant.version == .v5 ? post.properties : []), until: .acknowledged)
    }

    func publish(count: Int, _ topic: String, _ qos: QoS) async throws {
        let topic = try TopicName(topic)
        for index in 0..<count {
            try await client.publish(Message(topic: topic, payload: ByteBuffer(string: "\(index)"), qos: qos))
        }
        try await client.waitUntilDelivered(timeout: .seconds(30))
    }

    func disconnect(_ reason: ReasonCode) async throws {
        await client.disconnect(keepingWill: reason == .disconnectWithWill)
        try await within(.seconds(20), "our client's end") { [life] in await life.running.value }
    }

    private final class Life: Sendable {
        let running: Task<Void, Never>
        let reading: Task<Void, Never>

        init(running: Task<Void, Never>, reading: Task<Void, Never>) {
            self.running = running
            self.reading = reading
        }

        deinit {
            running.cancel()
            reading.cancel()
        }
    }
}

extension Heard {
    fileprivate init(_ message: ReceivedMessage) {
        self.init(
            message.topic.string, Payload(message.payload.readableBytesView), message.qos, retain: message.retain,
            properties: message.properties.fields())
    }
}

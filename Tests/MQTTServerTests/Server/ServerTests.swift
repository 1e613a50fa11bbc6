import MQTT
import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

@Suite struct ServerTests {
    @Test(arguments: ProtocolVersion.allCases, QoS.allCases)
    func `a message goes from client to client`(version: ProtocolVersion, qos: QoS) async throws {
        try await withServer(configuration()) { server in
            let port = try await server.port
            try await withClient(port: port, identifier: "reader", version: version) { reader in
                try await reader.subscribe([Subscription(filter: TopicFilter("a/#"), qos: .exactlyOnce)])
                try await withClient(port: port, identifier: "writer", version: version) { writer in
                    try await writer.publish(Message("a/b", "hello", qos), until: .acknowledged)
                    let message = try await collect(1, from: reader)[0]
                    #expect(message.topic.string == "a/b")
                    #expect(String(buffer: message.payload) == "hello")
                    #expect(message.qos == qos)
                }
            }
        }
    }

    @Test func `what the server publishes reaches clients, and is kept`() async throws {
        try await withServer(configuration()) { server in
            #expect(try await server.publish(ServerMessage("door", "open", .atLeastOnce, retain: true)) == 0)
            try await withClient(port: try await server.port) { client in
                try await client.subscribe([Subscription(filter: TopicFilter("#"))])
                #expect(try await collect(1, from: client).first?.topic.string == "door")
                #expect(try await server.publish(ServerMessage("window", "shut")) == 1)
                #expect(try await collect(1, from: client).first?.topic.string == "window")
                let clients = await server.clients()
                #expect(clients.map(\.client.identifier) == ["client-under-test"])
                #expect(clients.first?.client.address.hasPrefix("127.0.0.1:") == true)
                #expect(await server.subscriptions().map(\.subscription.filter.string) == ["#"])
                #expect(await server.retainedMessages().map(\.topic.string) == ["door"])
            }
        }
    }
}

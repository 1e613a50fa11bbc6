import MQTTWire
import NIOCore
import Testing

@Suite struct PropertiesTests {
    @Test func `each accessor writes, reads, replaces and removes its own property`() throws {
        func check<Value: Equatable>(
            _ path: WritableKeyPath<Properties, Value?>, _ identifier: PropertyIdentifier, _ first: Value,
            _ second: Value
        ) {
            var properties: Properties = [.userProperty(name: "before", value: "")]
            #expect(properties[keyPath: path] == nil)
            properties[keyPath: path] = first
            properties.append(.userProperty(name: "behind", value: ""))
            #expect(properties[keyPath: path] == first)
            #expect(properties.all[1].identifier == identifier)
            properties[keyPath: path] = second
            #expect(properties[keyPath: path] == second)
            #expect(properties.all.map(\.identifier) == [.userProperty, identifier, .userProperty])
            properties[keyPath: path] = nil
            #expect(properties.all.map(\.identifier) == [.userProperty, .userProperty])
        }
        check(\.payloadFormatIndicator, .payloadFormatIndicator, true, false)
        check(\.messageExpiryInterval, .messageExpiryInterval, 1, 2)
        check(\.contentType, .contentType, "a", "b")
        check(\.responseTopic, .responseTopic, try TopicName("a"), try TopicName("b"))
        check(\.correlationData, .correlationData, ByteBuffer(string: "a"), ByteBuffer())
        check(\.sessionExpiryInterval, .sessionExpiryInterval, 1, .max)
        check(\.assignedClientIdentifier, .assignedClientIdentifier, "a", "b")
        check(\.serverKeepAlive, .serverKeepAlive, 1, 2)
        check(\.authenticationMethod, .authenticationMethod, "a", "b")
        check(\.authenticationData, .authenticationData, ByteBuffer(string: "a"), ByteBuffer())
        check(\.requestProblemInformation, .requestProblemInformation, true, false)
        check(\.willDelayInterval, .willDelayInterval, 1, 2)
        check(\.requestResponseInformation, .requestResponseInformation, true, false)
        check(\.responseInformation, .responseInformation, "a", "b")
        check(\.serverReference, .serverReference, "a", "b")
        check(\.reasonString, .reasonString, "a", "b")
        check(\.receiveMaximum, .receiveMaximum, 1, 2)
        check(\.topicAliasMaximum, .topicAliasMaximum, 1, 2)
        check(\.topicAlias, .topicAlias, 1, 2)
        check(\.maximumQoS, .maximumQoS, .atMostOnce, .atLeastOnce)
        check(\.retainAvailable, .retainAvailable, true, false)
        check(\.maximumPacketSize, .maximumPacketSize, 1, 2)
        check(\.wildcardSubscriptionAvailable, .wildcardSubscriptionAvailable, true, false)
        check(\.subscriptionIdentifiersAvailable, .subscriptionIdentifiersAvailable, true, false)
        check(\.sharedSubscriptionAvailable, .sharedSubscriptionAvailable, true, false)
    }

    @Test func `what may repeat keeps its order`() {
        var properties: Properties = [
            .userProperty(name: "a", value: "1"), .subscriptionIdentifier(7), .userProperty(name: "b", value: "2"),
            .subscriptionIdentifier(3), .userProperty(name: "a", value: "3"),
        ]
        #expect(properties.userProperties.map(\.name) == ["a", "b", "a"])
        #expect(properties.userProperties.map(\.value) == ["1", "2", "3"])
        #expect(properties.userProperty("a") == "1")
        #expect(properties.userProperty("c") == nil)
        #expect(properties.subscriptionIdentifiers == [7, 3])
        properties.subscriptionIdentifiers = [1, 2]
        properties.userProperties = [(name: "z", value: "0")]
        #expect(
            properties == [
                .subscriptionIdentifier(1), .subscriptionIdentifier(2), .userProperty(name: "z", value: "0"),
            ])
    }

    @Test func `every property goes to the wire under its number`() throws {
        var generator = PacketGenerator(seed: 3, version: .v5)
        for identifier in PropertyIdentifier.allCases {
            #expect(try generator.property(identifier).identifier == identifier)
        }
        #expect(PropertyIdentifier.allCases.count == 27)
    }
}

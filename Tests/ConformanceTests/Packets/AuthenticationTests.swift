import MQTTWire
import NIOCore
import Testing

/// Chapter 3.15 and enhanced authentication (5.0 §4.12).
@Suite("AUTH", .conformance)
struct AuthenticationTests {
    @Test("MQTT-3.15.1-1 (5.0): AUTH with other flags closes the connection")
    func MQTT_3_15_1_1_v5() async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: [0xF1, 0x02, 0x18, 0x00])
        try await client.expectClosed(.malformedPacket, .protocolError)
    }

    @Test("MQTT-4.12.0-1 (5.0): a CONNECT with an authentication method that is not offered is refused")
    func MQTT_4_12_0_1_v5() async throws {
        let client = try await RawClient.open(.v5)
        try await client.send(
            .connect(
                Connect(version: .v5, clientIdentifier: unique(), properties: [.authenticationMethod("of my own")])))
        try await client.expectRefused(.badAuthenticationMethod, .notAuthorized)
    }

    @Test("MQTT-4.12.0-6 (5.0): who names no authentication method gets no AUTH and no method")
    func MQTT_4_12_0_6_v5() async throws {
        let (client, connack) = try await RawClient.connecting(Connect(version: .v5, clientIdentifier: unique()))
        #expect(connack.properties.authenticationMethod == nil)
        try await client.expectSilence()
    }

    @Test(
        "MQTT-4.12.0-7 (5.0): AUTH of a client that named no authentication method closes the connection",
        arguments: [0x18, 0x19] as [UInt8])
    func MQTT_4_12_0_7_v5(_ code: UInt8) async throws {
        let client = try await RawClient.connect(.v5)
        try await client.send(bytes: packet(0xF0, [code] + properties(.v5, [0x15] + field("method"))))
        try await client.expectClosed(.protocolError)
    }

    // MARK: With a method that the broker offers: see `Riddle`

    private func auth(_ code: ReasonCode, _ data: String?, method: String = Riddle.method) -> Packet {
        var properties: Properties = [.authenticationMethod(method)]
        properties.authenticationData = data.map { ByteBuffer(string: $0) }
        return .auth(Auth(reasonCode: code, properties: properties))
    }

    /// A client that named the method in its CONNECT.
    private func asking(port: Int, properties: Properties = []) async throws -> RawClient {
        let client = try await RawClient.open(.v5, port: port)
        var properties = properties
        properties.authenticationMethod = Riddle.method
        try await client.send(
            .connect(Connect(version: .v5, clientIdentifier: client.identifier, properties: properties)))
        return client
    }

    /// One that has been let in.
    private func authenticated(port: Int) async throws -> RawClient {
        let client = try await asking(port: port)
        _ = try await client.auth()
        try await client.send(auth(.continueAuthentication, Riddle.answer))
        let connack = try await client.connack()
        guard connack.reasonCode == .success else { throw Surprise("refused: \(connack)") }
        return client
    }

    @Test(
        "MQTT-4.12.0-2 (5.0), MQTT-3.15.2-1 (5.0): when the broker wants more it sends AUTH with 0x18",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_12_0_2_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let client = try await asking(port: port)
            let auth = try await client.auth()
            #expect(auth.reasonCode == .continueAuthentication)
            #expect(auth.properties.authenticationData == ByteBuffer(string: Riddle.question))
        }
    }

    @Test(
        "MQTT-4.12.0-5 (5.0): AUTH and CONNACK carry the method of CONNECT",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_12_0_5_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let client = try await asking(port: port)
            #expect(try await client.auth().properties.authenticationMethod == Riddle.method)
            try await client.send(auth(.continueAuthentication, Riddle.answer))
            let connack = try await client.connack()
            #expect(connack.reasonCode == .success)
            #expect(connack.properties.authenticationMethod == Riddle.method)
            try await client.send(auth(.reauthenticate, nil))
            #expect(try await client.auth().properties.authenticationMethod == Riddle.method)
        }
    }

    @Test(
        "MQTT-4.12.0-4 (5.0): an authentication that fails is refused and closes the connection",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_12_0_4_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let client = try await asking(port: port)
            _ = try await client.auth()
            try await client.send(auth(.continueAuthentication, "54"))
            try await client.expectRefused(.notAuthorized, .badUserNameOrPassword, .unspecifiedError)
        }
    }

    @Test(
        "MQTT-4.12.0-3 (5.0): AUTH of a client with another code or method ends the authentication",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_12_0_3_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let wrong = [
                auth(.success, Riddle.answer), auth(.reauthenticate, Riddle.answer),
                auth(.continueAuthentication, Riddle.answer, method: "another"),
            ]
            for packet in wrong {
                let client = try await asking(port: port)
                _ = try await client.auth()
                try await client.send(packet)
                try await client.expectRefused(
                    .protocolError, .malformedPacket, .badAuthenticationMethod, .notAuthorized)
            }
        }
    }

    @Test(
        "MQTT-3.1.2-30 (5.0): before CONNACK a client that authenticates itself may send nothing but AUTH and DISCONNECT",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_1_2_30_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let watcher = try await RawClient.connect(.v5, port: port)
            try await watcher.subscribe("t")
            let client = try await asking(port: port)
            _ = try await client.auth()
            try await client.send(try publication("t", "not yet", .atMostOnce))
            try await client.expectRefused(.protocolError, .notAuthorized)
            try await watcher.publish("t", "fence")
            #expect(try await watcher.message().text == "fence")
        }
    }

    @Test(
        "MQTT-3.15.2-2 (5.0), MQTT-3.15.2-3 (5.0): AUTH does not outgrow the client's Maximum Packet Size by what explains it",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_3_15_2_2_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let limit = 24
            let client = try await asking(port: port, properties: [.maximumPacketSize(UInt32(limit))])
            #expect(try await Packet.auth(client.auth()).encodedSize(version: .v5) <= limit)
        }
    }

    @Test(
        "MQTT-4.12.1-1 (5.0): a client may authenticate itself again, with the same method",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_12_1_1_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let client = try await authenticated(port: port)
            try await client.send(auth(.reauthenticate, nil))
            #expect(try await client.auth().reasonCode == .continueAuthentication)
            // The flow of other packets goes on meanwhile.
            try await client.publish("t", "meanwhile")
            try await client.send(auth(.continueAuthentication, Riddle.answer))
            #expect(try await client.auth().reasonCode == .success)
            try await client.publish("t", "afterwards")

            let other = try await authenticated(port: port)
            try await other.send(auth(.reauthenticate, nil, method: "another"))
            try await other.expectClosed(.protocolError, .badAuthenticationMethod)
        }
    }

    @Test(
        "MQTT-4.12.1-2 (5.0): an authentication that fails later closes the connection",
        .enabled(if: !BrokerUnderTest.isForeign))
    func MQTT_4_12_1_2_v5() async throws {
        try await BrokerUnderTest.withOwn(.init(asksRiddles: true)) { port in
            let client = try await authenticated(port: port)
            try await client.send(auth(.reauthenticate, nil))
            _ = try await client.auth()
            try await client.send(auth(.continueAuthentication, "54"))
            try await client.expectClosed(.notAuthorized, .badAuthenticationMethod, .unspecifiedError)
        }
    }
}

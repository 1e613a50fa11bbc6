import MQTT
import MQTTWire
import NIOCore
import Testing

@Suite struct ReconnectDecisionTests {
    @Test func everyCodeOfConnAckHasItsDecision() {
        let table: [ReconnectDecision: [UInt8]] = [
            .retrySoon: [0x80],
            .otherEndpoint: [0x88, 0x89, 0x9C, 0x9D],
            .retrySlowly: [0x83, 0x97, 0x9F],
            .giveUp: [0x81, 0x82, 0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x99, 0x9A, 0x9B],
        ]
        var codes: Set<UInt8> = []
        for (decision, listed) in table {
            for code in listed {
                let failure = ConnectFailure.refused(ReasonCode(rawValue: code), explanation: nil)
                #expect(failure.decision == decision, "\(failure)")
                #expect(failure.isRefusal == (decision == .giveUp))
                codes.insert(code)
            }
        }
        // The specification's table, as the decoder knows it.
        #expect(codes == Set((0x80...0xFF).filter { ReasonCode(rawValue: $0).isAllowed(in: .connack) }))
    }

    @Test func everyReturnCodeOf3_1_1HasItsDecision() throws {
        let decisions: [ReconnectDecision] = [.giveUp, .giveUp, .otherEndpoint, .giveUp, .giveUp]
        for (index, decision) in decisions.enumerated() {
            var decoder = PacketDecoder(version: .v3_1_1, maximumPacketSize: 100)
            var bytes = ByteBuffer(bytes: [0x20, 0x02, 0x00, UInt8(index + 1)])
            let packet = try decoder.decode(from: &bytes)
            guard case .connack(let connack) = packet else {
                Issue.record("\(String(describing: packet))")
                continue
            }
            #expect(ReconnectDecision(refusedWith: connack.reasonCode) == decision, "return code \(index + 1)")
        }
    }

    @Test func everyCodeOfDisconnectHasItsDecision() {
        let table: [ReconnectDecision: [UInt8]] = [
            .retrySoon: [
                0x00, 0x80, 0x81, 0x82, 0x83, 0x8D, 0x90, 0x93, 0x94, 0x95, 0x99, 0x9A, 0x9B, 0xA0,
            ],
            .otherEndpoint: [0x89, 0x8B, 0x9C, 0x9D],
            .retrySlowly: [0x87, 0x8E, 0x8F, 0x96, 0x97, 0x98, 0x9E, 0x9F, 0xA1, 0xA2],
            .giveUp: [0x8C],
        ]
        var codes: Set<UInt8> = []
        for (decision, listed) in table {
            for code in listed {
                let reason = DisconnectReason.byServer(ReasonCode(rawValue: code), explanation: nil)
                #expect(reason.decision == decision, "\(reason)")
                codes.insert(code)
            }
        }
        // 0x04 is the client's own.
        #expect(codes == Set((0x00...0xFF).filter { ReasonCode(rawValue: $0).isAllowed(in: .disconnect) && $0 != 4 }))
    }

    @Test func whatHasNoCodeHasItsDecisionToo() {
        let failures: [(ConnectFailure, ReconnectDecision)] = [
            (.unreachable("x"), .retrySoon), (.closed, .retrySoon), (.protocolError("x"), .retrySoon),
            (.timedOut(after: .seconds(1), stage: .parameters), .retrySoon), (.sessionNotDeleted, .retrySlowly),
            (.invalid("x"), .giveUp),
        ]
        for (failure, decision) in failures { #expect(failure.decision == decision, "\(failure)") }
        let reasons: [(DisconnectReason, ReconnectDecision)] = [
            (.closed, .retrySoon), (.keepAliveTimeout, .retrySoon), (.network("x"), .retrySoon),
            (.protocolError("x"), .retrySoon), (.acknowledgementTimeout, .otherEndpoint),
        ]
        for (reason, decision) in reasons { #expect(reason.decision == decision, "\(reason)") }
    }
}

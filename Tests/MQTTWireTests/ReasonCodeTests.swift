import MQTTWire
import Testing

@Suite struct ReasonCodeTests {
    @Test func `a reason code reads as the specification names it`() {
        #expect(ReasonCode.notAuthorized.description == "Not authorized")
        #expect(ReasonCode.success.description == "Success")
        #expect(ReasonCode.wildcardSubscriptionsNotSupported.description == "Wildcard Subscriptions not supported")
        #expect(ReasonCode(rawValue: 0xF3).description == "Unknown reason code 0xf3")
    }

    @Test func `every code of the specification has a name and a packet, and no other has`() {
        let codes = (UInt8.min...UInt8.max).map { ReasonCode(rawValue: $0) }
        let named = codes.filter { !$0.description.hasPrefix("Unknown") }
        let used = codes.filter { code in PacketType.allCases.contains { code.isAllowed(in: $0) } }
        #expect(named.count == 43)
        #expect(named == used)
        #expect(Set(named.map(\.description)).count == named.count)
    }

    @Test func `an error is 0x80 or above`() {
        #expect(!ReasonCode.reauthenticate.isError)
        #expect(!ReasonCode(rawValue: 0x7F).isError)
        #expect(ReasonCode.unspecifiedError.isError)
    }

    @Test func `packet identifiers go round without 0`() throws {
        #expect(PacketIdentifier(rawValue: 0) == nil)
        #expect(PacketIdentifier.first.next.rawValue == 2)
        let last = try #require(PacketIdentifier(rawValue: .max))
        #expect(last.next == .first)
    }
}

import NIOCore
import Testing

@testable import FieldpostAgent

struct QueueReportTests {
    @Test(arguments: ["", "21.5", "{\"value\":21.5,\"unit\":\"°C\"}", "a\tb\r\n"])
    func `A text is shown as it is`(text: String) {
        let shown = AgentConfiguration.shown(ByteBuffer(string: text))
        #expect(shown.text == text && !shown.isHexadecimal)
    }

    /// A payload of Sparkplug begins with its time, which now and then is good UTF-8.
    @Test(
        arguments: [
            ([0x08, 0xD0, 0xB4, 0xEA, 0x81, 0xA0, 0x34], "08d0b4ea81a034"), ([0x31, 0x00], "3100"), ([0x7F], "7f"),
            ([0x9F, 0x01, 0xFF], "9f01ff"),
        ] as [([UInt8], String)])
    func `What is no text is shown byte by byte`(bytes: [UInt8], digits: String) {
        let shown = AgentConfiguration.shown(ByteBuffer(bytes: bytes))
        #expect(shown.text == digits && shown.isHexadecimal)
    }
}

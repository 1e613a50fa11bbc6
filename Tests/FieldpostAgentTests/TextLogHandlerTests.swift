import Logging
import Synchronization
import Testing
import Units

@testable import FieldpostAgent

@Suite struct TextLogHandlerTests {
    private func line(_ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        let lines = Mutex<[String]>([])
        let logger = Logger(label: "x") { _ in
            TextLogHandler(
                write: { line in lines.withLock { $0.append(line.text) } },
                now: { Timestamp(milliseconds: 1_763_672_400_123) })
        }
        logger.warning(message, metadata: metadata)
        return lines.withLock { $0.joined(separator: "\n") }
    }

    @Test func whatHappenedComesFirst() {
        #expect(
            line("not connected", ["reason": "no CONNACK", "broker": "mqtt://a:1"])
                == #"2025-11-20T21:00:00.123Z warning not connected: broker=mqtt://a:1 reason="no CONNACK""#)
    }

    @Test func S3_whatAPeerSaysStaysOnItsLine() {
        #expect(line("a", ["b": "c\nd \"e\""]) == "2025-11-20T21:00:00.123Z warning a: b=\"c | d \\\"e\\\"\"")
    }
}

import Logging
import Synchronization
import Testing
import Units

@testable import FieldpostAgent

@Suite struct TextLogHandlerTests {
    private func line(_ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        lines(message, metadata).map(\.text).joined(separator: "\n")
    }

    private func lines(_ message: Logger.Message, _ metadata: Logger.Metadata) -> [TextLogHandler.Line] {
        let lines = Mutex<[TextLogHandler.Line]>([])
        let logger = Logger(label: "x") { _ in
            TextLogHandler(
                write: { line in lines.withLock { $0.append(line) } },
                now: { Timestamp(milliseconds: 1_763_672_400_123) })
        }
        logger.warning(message, metadata: metadata)
        return lines.withLock { $0 }
    }

    @Test func whatHappenedComesFirst() {
        #expect(
            line("not connected", ["reason": "no CONNACK", "broker": "mqtt://a:1"])
                == #"2025-11-20T21:00:00.123Z warning not connected: broker=mqtt://a:1 reason="no CONNACK""#)
    }

    @Test func S3_whatAPeerSaysStaysOnItsLine() {
        #expect(line("a", ["b": "c\nd \"e\""]) == "2025-11-20T21:00:00.123Z warning a: b=\"c | d \\\"e\\\"\"")
    }

    @Test func S3_whatAPeerSaysAtLengthIsCut() {
        let line = line("a", ["b": "\(String(repeating: "é", count: 30_000))"])
        #expect(line.hasSuffix("é… (60000 bytes)\""))
        #expect(line.count < 1100)
    }

    @Test func theJournalGetsTheLevelApart() {
        let line = lines("not connected", ["broker": "a\n<0>b"]).first
        #expect(line?.level == .warning)
        #expect(line?.message == "not connected: broker=a | <0>b")
    }
}

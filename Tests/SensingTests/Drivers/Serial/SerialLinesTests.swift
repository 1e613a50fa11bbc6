import TestSupport
import Testing

@testable import Sensing

@Suite struct SerialLinesTests {
    private func lines(_ text: String, terminator: String = "\n", limit: Int = 16) -> [String] {
        var splitter = SerialLines(terminator: Array(terminator.utf8), limit: limit)
        return splitter.take(Array(text.utf8))
    }

    @Test("Lines end where their terminator says") func terminators() {
        #expect(lines("a\nb\r\n\r\n\nc\n d") == ["a", "b", "c"])
        #expect(lines("a\rb\r", terminator: "\r") == ["a", "b"])
        #expect(lines("a\r\nb\nc\r\n", terminator: "\r\n") == ["a", "b\nc"])
        #expect(lines("1;2;", terminator: ";") == ["1", "2"])
        #expect(lines("aENDbENENDc", terminator: "END") == ["a", "bEN"])
    }

    @Test("A line of the limit is one; a longer one is counted and left out, and the next one is whole") func limit() {
        for (length, count) in [(15, 0), (16, 0), (17, 1), (18, 1), (400, 1)] {
            var splitter = SerialLines(terminator: [10], limit: 16)
            let long = String(repeating: "x", count: length)
            #expect(splitter.take(Array("\(long)\nnext\n".utf8)) == (count == 0 ? [long, "next"] : ["next"]))
            #expect(splitter.overlong == count)
        }
        #expect(lines(String(repeating: "x", count: 50) + "END" + "aEND", terminator: "END") == ["a"])
    }

    @Test("NUL and what is no UTF-8 are replaced, so that no number is made of a broken one") func garbage() {
        var splitter = SerialLines(terminator: [10], limit: 16)
        #expect(splitter.take([0x31, 0, 0x32, 10, 0xFF, 0x31, 10]) == ["1\u{FFFD}2", "\u{FFFD}1"])
    }

    @Test("What was begun before is left out") func midLine() {
        var splitter = SerialLines(terminator: [10], limit: 16)
        splitter.reset(midLine: true)
        #expect(splitter.take(Array("3.4\n123.4\n".utf8)) == ["123.4"])
    }

    @Test("Pieces make the same lines, however they come", arguments: [1, 2, 3, 4] as [UInt64])
    func pieces(seed: UInt64) {
        var random = TestSupport.SplitMix64(seed: seed)
        let bytes = random.bytes(4000).map { [10, 13, 0x41, 0x42, 0x43, 0][Int($0) % 6] as UInt8 }
        var whole = SerialLines(terminator: [10], limit: 8)
        let expected = whole.take(bytes)
        var splitter = SerialLines(terminator: [10], limit: 8)
        var found: [String] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...50, using: &random)
            found += splitter.take(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        #expect(found == expected, "seed \(seed)")
        #expect(splitter.overlong == whole.overlong && whole.overlong > 0)
    }
}

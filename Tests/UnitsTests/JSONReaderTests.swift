import TestSupport
import Testing
import Units

@Suite struct JSONReaderTests {
    static func value(_ text: String) throws(InvalidText) -> JSON { try JSONReader.value(Array(text.utf8)[...]) }

    @Test(
        "What RFC 8259 allows is read",
        arguments: [
            ("null", .null), (" true\r\n", .boolean(true)), ("false", .boolean(false)), ("0", 0), ("-0.5e+2", -50),
            ("1E3", 1000), ("9007199254740993", .number(0x1p53)), ("1e-999", 0), (#""""#, ""),
            (#""a\"\\\/\b\f\n\r\tä€""#, "a\"\\/\u{8}\u{C}\n\r\tä€"), (#""\u00e4\u20AC\ud83d\ude00""#, "ä€😀"),
            (#""\u0000""#, "\0"), ("[]", []), ("[ 1 , [ ] ]", [1, []]), ("{}", [:]),
            (#"{ "a" : {"b":null}, "a" : 2 }"#, ["a": ["b": .null], "a": 2]),
        ] as [(String, JSON)])
    func allowed(text: String, value: JSON) throws {
        #expect(try Self.value(text) == value)
        // And what is written of it is the same again.
        #expect(try Self.value(value.text) == value)
    }

    @Test(
        "What it does not allow is refused, with its place",
        arguments: [
            ("", "an end at byte 1"), ("  ", "an end at byte 3"), ("nul", "an unknown word at byte 1"),
            ("True", "no digit at byte 1"), ("01", "something behind its end at byte 2"), ("+1", "no digit at byte 1"),
            (".5", "no digit at byte 1"), ("1.", "no digit at byte 3"), ("1e", "no digit at byte 3"),
            ("-", "no digit at byte 2"), ("NaN", "no digit at byte 1"), ("Infinity", "no digit at byte 1"),
            ("1e999", "a number out of range at byte 6"), ("[1,]", "no digit at byte 4"),
            ("[1 2]", "no comma or bracket at byte 4"), ("[1", "no comma or bracket at byte 3"),
            ("{\"a\"}", "no colon at byte 5"), ("{a:1}", "no member's name at byte 2"),
            ("{\"a\":1,}", "no member's name at byte 8"), ("{\"a\":1", "no comma or brace at byte 7"),
            ("\"a", "a string without an end at byte 3"), ("\"\u{1}\"", "a control character in a string at byte 3"),
            (#""\x""#, "an unknown escape at byte 4"), (#""\"#, "an escape without an end at byte 3"),
            (#""\u12g4""#, "an escape without four hexadecimal digits at byte 6"),
            (#""\ud83d""#, "half a surrogate pair at byte 8"), (#""\ude00""#, "half a surrogate pair at byte 8"),
            (#""\ud83d\n""#, "half a surrogate pair at byte 9"),
            (#""\ud83d\ud83d""#, "half a surrogate pair at byte 14"), ("// x\n1", "no digit at byte 1"),
            ("\u{FEFF}1", "no digit at byte 1"), ("'a'", "no digit at byte 1"),
            ("1 // x", "something behind its end at byte 3"),
        ])
    func refused(text: String, problem: String) {
        #expect(throws: InvalidText("is no JSON: \(problem)")) { try Self.value(text) }
    }

    @Test("What is not UTF-8, and what is nested deeply, is refused")
    func hostile() throws {
        #expect(throws: InvalidText.self) { try JSONReader.value([0x22, 0xFF, 0x22]) }
        // A surrogate in UTF-8, and an overlong slash.
        #expect(throws: InvalidText.self) { try JSONReader.value([0x22, 0xED, 0xA0, 0x80, 0x22]) }
        #expect(throws: InvalidText.self) { try JSONReader.value([0x22, 0xC0, 0xAF, 0x22]) }
        func nest(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        _ = try Self.value(nest(32))
        #expect(throws: InvalidText.self) { try Self.value(nest(33)) }
        #expect(throws: InvalidText.self) { try Self.value(String(repeating: #"{"a":"#, count: 100_000)) }
    }

    @Test("Any bytes give a value or an error")
    func fuzz() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = TestSupport.SplitMix64(seed: seed)
        let good = Array(
            #"{"type":"read","id":3,"readings":[{"value":-1.5e3,"unit":"\u00b0C\ud83d\ude00","ok":true}]}"#.utf8)
        var accepted = 0
        for round in 0..<4000 {
            var bytes = good
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: bytes.indices, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(bytes[Int.random(in: bytes.indices, using: &random)], at: place)
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { bytes = [0x22] }
            }
            guard let value = try? JSONReader.value(bytes[...]) else { continue }
            accepted += 1
            let again = try? JSONReader.value(Array(value.text.utf8)[...])
            #expect(again == value, "seed \(seed), round \(round)")
        }
        #expect(accepted > 20, "seed \(seed)")
    }

    @Test("Members and elements are found; the last of a name counts")
    func access() throws {
        let value = try Self.value(#"{"a":1,"a":2,"l":[true]}"#)
        #expect(value["a"] == 2)
        #expect(value["l"]?[0] == true)
        #expect(value["l"]?[1] == nil)
        #expect(value["l"]?[-1] == nil)
        #expect(value["l"]?["a"] == nil)
        #expect(value[0] == nil)
        #expect(JSON.number(.infinity).text == "null")
        #expect(JSON.number(-0.0).text == "0")
        #expect(JSON.number(1e300).text == "1e+300")
    }
}

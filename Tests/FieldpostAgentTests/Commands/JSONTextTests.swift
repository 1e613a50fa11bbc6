import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct JSONTextTests {
    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test(arguments: [
        (#"{"a" : [1, 2.50 ,{"x":null}] }"#, #"{"a":[1,2.50,{"x":null}]}"#),
        (" \t\r\n[ ]\n", "[]"), (#""a \" b \u00e9""#, #""a \" b \u00e9""#), ("-0.5e+10", "-0.5e+10"),
        ("{\n}", "{}"), ("[true,false]", "[true,false]"), ("0", "0"), (#""päyload""#, #""päyload""#),
    ])
    func blanksBetweenTokensAreLeftOut(given: String, compact: String) {
        #expect(text(JSONText(given.utf8)?.compact) == compact)
    }

    @Test(arguments: [
        "", " ", "no", "{", "[1,]", "[1 2]", #"{"a"}"#, #"{"a":}"#, "{a:1}", #"{"a":1,}"#, "01", "1.", ".5", "1e", "-",
        "+1",
        #""open"#, #""\x""#, #""\u12g4""#, "\"a\nb\"", "1 1", "nul", "nulll", "[}", "NaN",
    ])
    func whatIsNoJSONIsRefused(text: String) {
        #expect(JSONText(text.utf8) == nil)
    }

    @Test func S3_bytesThatAreNotTextAndDeepNestsAreRefused() {
        #expect(JSONText([0x22, 0xFF, 0x22]) == nil)
        let deep = { (depth: Int) in [UInt8](repeating: 0x5B, count: depth) + [UInt8](repeating: 0x5D, count: depth) }
        #expect(JSONText(deep(200)) != nil)
        #expect(JSONText(deep(202)) == nil)
        #expect(JSONText([UInt8](repeating: 0x5B, count: 1_000_000)) == nil)
    }

    @Test func S3_anyBytesAreJSONOrAreNot() {
        var generator = SplitMix64(seed: 7)
        let alphabet = Array(#"{}[]",:\u0 1e-.truenl"#.utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            guard let json = JSONText(bytes) else { continue }
            #expect(JSONText(json.compact)?.compact == json.compact)
            #expect(JSONText(json.pretty)?.compact == json.compact)
        }
    }

    @Test func prettyIsAsMosquittoSubSetsIt() {
        let json = JSONText(#"{"a":[1,2,{"x":null,"y":"},{"}],"b":{}}"#.utf8)
        #expect(
            text(json?.pretty) == """
                {
                \t"a":\t[1, 2, {
                \t\t\t"x":\tnull,
                \t\t\t"y":\t"},{"
                \t\t}],
                \t"b":\t{}
                }
                """)
    }
}

import TestSupport
import Testing
import Units

@Suite struct TextSearchTests {
    @Test(arguments: [
        ("a${b", "${", true), ("$a{", "${", false), ("", "a", false), ("a", "", false), ("a", "aa", false),
        ("xaab", "aab", true), ("aaab", "aab", true), ("größe", "öß", true), ("ab", "ab", true),
    ])
    func `Text is found wherever it is`(text: String, part: String, isThere: Bool) {
        #expect(text.includes(part) == isThere)
        #expect(text[...].includes(part) == isThere)
    }

    @Test func `The first place counts`() throws {
        let text = "one two two"
        let range = try #require(text.range(of: "two"))
        #expect(text[..<range.lowerBound] == "one ")
        #expect(text[range.upperBound...] == " two")
    }

    @Test(arguments: [
        ("a/%c/b", "a/x/b"), ("%c%c", "xx"), ("%%c", "%x"), ("", ""), ("none", "none"), ("%", "%"),
    ])
    func `Each mark is replaced once`(text: String, expected: String) {
        #expect(text.replacing(each: "%c", with: "x") == expected)
    }

    @Test func `What is put in is not looked at again`() {
        #expect("%c".replacing(each: "%c", with: "%c%c") == "%c%c")
        #expect("a".replacing(each: "", with: "x") == "a")
    }

    /// By the letter, in the place of the search.
    @Test func `Search and split agree`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<2_000 {
            let text = String(
                (0..<Int.random(in: 0...12, using: &random)).map { _ in "abc".randomElement(using: &random) ?? "a" })
            let pieces = text.split(separator: "b", omittingEmptySubsequences: false)
            #expect(text.replacing(each: "b", with: "--") == pieces.joined(separator: "--"), "seed \(seed): \(text)")
            #expect(text.includes("b") == (pieces.count > 1), "seed \(seed): \(text)")
        }
    }
}

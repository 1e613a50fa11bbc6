import FieldpostAgent
import Settings
import TestSupport
import Testing

@Suite struct TOMLTests {
    @Test func `Values have their types and places`() throws {
        let table = try parseTOML(
            """
            # a comment
            title = "größe"
              count = 0x10
            [broker]   # and another
            ratio = -1.5e3
            servers = [ "a",
                'b' ]
            [[sensor]]
            on = true
            [[sensor]]
            at = 1979-05-27T07:32:00.5-07:30
            """.utf8)
        #expect(
            flat(table) == [
                "title 2:1 2:9 string größe",
                "count 3:3 3:11 integer 16",
                "broker 4:2 4:1 table",
                "broker.ratio 5:1 5:9 number -1500.0",
                "broker.servers 6:1 6:11 array",
                "broker.servers[1] 6:13 string a",
                "broker.servers[2] 7:5 string b",
                "sensor 8:3 8:1 array",
                "sensor[1] 8:1 table",
                "sensor[1].on 9:1 9:6 boolean true",
                "sensor[2] 10:1 table",
                "sensor[2].at 11:1 11:6 date 1979-05-27T07:32:00.5-07:30",
            ])
    }

    @Test func `Tables keep the file's order, inline and dotted ones too`() throws {
        let table = try parseTOML("z = 1\na.y = 2\nm = { d = 1, b = 2, c = 3 }\na.b = 3\n[x.w]\n[x.v]\n[k]".utf8)
        #expect(
            flat(table).map { String($0.prefix { $0 != " " }) } == [
                "z", "a", "a.y", "a.b", "m", "m.d", "m.b", "m.c", "x", "x.w", "x.v", "k",
            ])
    }

    @Test func `Dates and times are spelled as RFC 3339 does`() throws {
        let table = try parseTOML(
            "a = 1979-05-27\nb = 07:32:00.120\nc = 1979-05-27T07:32:00Z\nd = 1979-05-27 00:00:00".utf8)
        #expect(
            table.entries.map(\.value.kind) == [
                .date("1979-05-27"), .date("07:32:00.12"), .date("1979-05-27T07:32:00Z"), .date("1979-05-27T00:00:00"),
            ])
    }

    @Test func `An empty text is an empty table`() throws {
        #expect(try parseTOML([]).entries.isEmpty)
        #expect(try parseTOML("\u{FEFF}\r\n # nothing\r\n".utf8).entries.isEmpty)
    }

    @Test(
        "What is no TOML is refused with its place",
        arguments: [
            ("a = ", 1, 5), ("a = 1\nb = = 2", 2, 5), ("a = 1\n\na = 2", 3, 5), ("[a\nb = 1", 1, 3),
            ("x = \"abc", 1, 9),
            ("a = [1, 2", 1, 10), ("a = 1\n[{b", 2, 2), ("größe = 1", 1, 3), ("a = 99999999999999999999", 1, 25),
            ("a = 1e9999999", 1, 14), ("a\0 = 1", 1, 2), ("a = \"\\uD800\"", 1, 12), ("a = 2026-13-01", 1, 12),
            ("a = 1\rb = 2", 1, 7), ("\"\"\"a\"\"\" = 1", 1, 1), ("a = { b = 1,\n c = 2 }", 1, 13), ("[a]\n[a]", 2, 1),
        ])
    func refused(text: String, line: Int, column: Int) throws {
        let error = #expect(throws: TOMLError.self) { try parseTOML(text.utf8) }
        #expect(error?.position == SourcePosition(line: line, column: column), "\(error?.message ?? "")")
        #expect(error?.message.isEmpty == false)
    }

    @Test func `S3: bytes that are no UTF-8 are refused`() {
        for bytes in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82]] as [[UInt8]] {
            #expect(throws: TOMLError.self) { try parseTOML(Array("a = \"".utf8) + bytes + Array("\"".utf8)) }
            #expect(throws: TOMLError.self) { try parseTOML(Array("a = 1 # ".utf8) + bytes) }
            #expect(throws: TOMLError.self) { try parseTOML(bytes) }
        }
    }

    @Test func `S3: deep nesting is refused, in whatever way it is written`() {
        let deep = 200_000
        func times(_ text: String, _ count: Int = deep) -> String { String(repeating: text, count: count) }
        let texts = [
            "a = " + times("["), "a = " + times("[") + times("]"), "a = " + times("{a="), times("["),
            times("a.") + "a = 1", "[" + times("a.") + "a]", "[[" + times("a . ") + "a]]", times("\"a\".") + "a = 1",
            times("'''.") + "a = 1", "a = { " + times("b.") + "b = 1 }", times("\"\"\"\n\"\"\".", 1000) + times("a."),
        ]
        for text in texts {
            #expect(throws: TOMLError.self, "\(text.prefix(20))…") { try parseTOML(text.utf8) }
        }
    }

    @Test func `Dots in strings, comments and numbers do not count as depth`() throws {
        let dots = String(repeating: "a.", count: 100)
        let text = #"""
            # \#(dots)
            a = "\#(dots)\"\#(dots)" # \#(dots)
            b = '\#(dots)"'
            c = """ \#(dots) \""" \#(dots)
            \#(dots) \\"""""
            d = '''\#(dots)''\#(dots)'''''
            e = [\#(String(repeating: "1.5, ", count: 100))]
            f.g.h = 1
            """#
        #expect(try parseTOML(text.utf8).entries.map(\.key) == ["a", "b", "c", "d", "e", "f"])
    }

    @Test(arguments: [
        ("1.5", 1.5), ("+1.5", 1.5), ("-0.0", -0.0), ("1e+5", 1e5), ("6.626e-34", 6.626e-34),
        ("1_000.000_1", 1000.0001),
        ("0.1", 0.1), ("1.7976931348623157e308", .greatestFiniteMagnitude), ("-2.2250738585072014e-308", -0x1p-1022),
        ("5e-324", .leastNonzeroMagnitude), ("inf", .infinity), ("-inf", -.infinity),
        ("123456789012345678901234567890.0", 123_456_789_012_345_678_901_234_567_890.0),
    ])
    func `Numbers are read to the last bit`(text: String, number: Double) throws {
        guard case .number(let read)? = try parseTOML("n = \(text)".utf8)["n"]?.value.kind else {
            Issue.record("\(text) is no number")
            return
        }
        #expect(read.bitPattern == number.bitPattern, "\(read)")
    }

    @Test(arguments: ["1e400", "-1e400", "1._5", "1.", ".5", "1e", "1.5.5", "0x1p3.0", "infinity", "1__0.5"])
    func `What is no number, or too large for one, is refused`(text: String) {
        #expect(throws: (any Error).self) { try parseTOML("n = \(text)".utf8) }
    }

    @Test func `S3: damaged documents never crash`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        let document = Array(
            """
            t = "größe \\u00e9" # ö
            [a.b]
            n = [1, 0x2f, -1.5e3, inf, 1979-05-27T07:32:00Z]
            m = \"""x \\
               ö\"""
            [[c]]
            'q' = { x.y = true, z = '''w''' }
            """.utf8)
        let pieces = ["[[", "]]", "{", "}", "=", ".", "\"\"\"", "'''", "\\", "#", "\n", "\r", ",", "\u{1B7}", "e9"]
        var accepted = 0
        for _ in 0..<20_000 {
            var damaged = document
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                let place = Int.random(in: 0..<damaged.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
                case 1: damaged.remove(at: place)
                default: damaged.insert(contentsOf: Array((pieces.randomElement(using: &random) ?? "").utf8), at: place)
                }
            }
            if (try? parseTOML(damaged)) != nil { accepted += 1 }
        }
        #expect((1..<20_000).contains(accepted), "seed \(seed)")
    }

    /// A line for each value: its path, its key's place, its own, its type and what it holds.
    private func flat(_ table: Table, path: String = "") -> [String] {
        table.entries.flatMap { entry in
            let key = "\(entry.keyPosition.line):\(entry.keyPosition.column) "
            return flat(entry.value, path: path + entry.key, key: key)
        }
    }

    private func flat(_ value: Value, path: String, key: String = "") -> [String] {
        let start = "\(path) \(key)\(value.position.line):\(value.position.column) "
        switch value.kind {
        case .string(let text): return [start + "string \(text)"]
        case .integer(let number): return [start + "integer \(number)"]
        case .number(let number): return [start + "number \(number)"]
        case .boolean(let flag): return [start + "boolean \(flag)"]
        case .date(let text): return [start + "date \(text)"]
        case .table(let table): return [start + "table"] + flat(table, path: path + ".")
        case .array(let elements):
            return [start + "array"] + elements.enumerated().flatMap { flat($1, path: "\(path)[\($0 + 1)]") }
        }
    }
}

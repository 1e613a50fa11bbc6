import TestSupport
import Testing
import Units

@testable import Sensing

@Suite struct LineProtocolTests {
    static func lines(_ text: String, _ precision: LineProtocol.Precision = .nanoseconds) -> [String] {
        LineProtocol.measurements(of: Array(text.utf8), precision: precision, from: "p").map {
            switch $0 {
            case .success(let it): "\(it.channel ?? "")=\(it.text)" + (it.time.map { " @\($0.milliseconds)" } ?? "")
            case .failure(let error): error.problem
            }
        }
    }

    @Test(
        "Points give their fields",
        arguments: [
            ("m v=1", ["m.v=1.0"]), ("m value=1", ["m=1.0"]), ("m,t=a value=1,b=2i", ["m.a=1.0", "m.a.b=2.0"]),
            ("m v=-1.5e3,u=3u,t=t,f=FALSE", ["m.v=-1500.0", "m.u=3.0", "m.t=true", "m.f=false"]),
            (#"m v="a, b=c \"d\" \\ \n""#, [#"m.v=a, b=c "d" \ \n"#]), ("m v=\"a\nb\" 5000000", ["m.v=a\nb @5"]),
            (#"my\ m\,x,t\=1=a\ b f\ f=1"#, ["my m,x.a b.f f=1.0"]), (#"m\x v=1"#, [#"m\x.v=1.0"#]),
            ("\n\n# c\r\nm v=1 1000000\r\n", ["m.v=1.0 @1"]), ("  m   v=1   1000000  ", ["m.v=1.0 @1"]),
            ("m v=1 1000000\nm v=2 3000000\nm v=3 2000000", ["m.v=2.0 @3"]), ("m v=1\nm v=2", ["m.v=2.0"]),
            ("m v=1 -1", ["m.v=1.0 @0"]), ("", []),
        ])
    func points(text: String, result: [String]) { #expect(Self.lines(text) == result) }

    @Test(
        "What is wrong with a line does not cost the others",
        arguments: [
            ("m", "has no field"), ("m ", "has a field without a name"), ("m v", "has a field without a value"),
            ("m v=", #"has no value in """#), ("m v=x", #"has no value in "x""#), ("m v=nan", #"has no value in "nan""#),
            ("m v=99999999999999999999i", #"has no value in "99999999999999999999i""#), ("m v=1.5i", #"has no value in "1.5i""#),
            ("m,t v=1", "has a tag without a value"), ("m,t= v=1", "has a tag's value without a name"),
            (",t=a v=1", "has a measurement without a name"), ("m =1", "has a field without a name"),
            ("m v=1 x", #"has no time in "x""#), ("m v=1 1 2", "goes on behind its time"),
            ("m v=1,", "has a field without a name"),
        ])
    func malformed(line: String, problem: String) {
        let lines = Self.lines("a v=1\n\(line)\nb v=2")
        #expect(lines.count == 3)
        #expect(lines.first == "a.v=1.0")
        #expect(lines.last == "b.v=2.0")
        #expect(lines.dropFirst().first?.hasSuffix(", which \(problem)") == true, "\(lines)")
    }

    @Test("A text without its closing quotes ends with the input")
    func openText() {
        #expect(Self.lines("m v=\"a\nb v=1") == [#"said "m v=\"a\nb v=1", which has a text without its closing quotes"#])
    }

    @Test(
        "Times are counted in the precision",
        arguments: [
            (LineProtocol.Precision.nanoseconds, "1767268800000000000", 1_767_268_800_000), (.microseconds, "1767268800000000", 1_767_268_800_000),
            (.milliseconds, "1767268800000", 1_767_268_800_000), (.seconds, "1767268800", 1_767_268_800_000),
            (.seconds, "1767268800000000000", nil), (.milliseconds, "9223372036854775807", nil), (.seconds, "-9223372036854775808", nil),
            (.microseconds, "9223372036854775807", nil),
        ] as [(LineProtocol.Precision, String, Int?)])
    func precision(precision: LineProtocol.Precision, time: String, milliseconds: Int?) {
        let line = Self.lines("m v=1 \(time)", precision).first ?? ""
        if let milliseconds {
            #expect(line == "m.v=1.0 @\(milliseconds)")
        } else {
            #expect(line.hasSuffix("has a time beyond the year 9999: set precision"), "\(line)")
        }
    }

    @Test("Any bytes give measurements or errors, and finite numbers")
    func fuzz() {
        let seed = UInt64.random(in: .min ... .max)
        var random = TestSupport.SplitMix64(seed: seed)
        let alphabet = Array("m,t=a v=1.5i \"x\\\n\r#0u-e9 ".utf8) + [0xFF, 0xC3, 0x00]
        var accepted = 0
        for round in 0..<4000 {
            var bytes = Array("m,t=a v=1i,w=\"x\" 1767268800000000000\nn f=t".utf8)
            for _ in 0...Int.random(in: 0..<5, using: &random) {
                guard let byte = alphabet.randomElement(using: &random), !bytes.isEmpty else { continue }
                let place = Int.random(in: bytes.indices, using: &random)
                if Bool.random(using: &random) { bytes[place] = byte } else { bytes.insert(byte, at: place) }
                if Int.random(in: 0..<8, using: &random) == 0 { bytes.removeSubrange(place...) }
            }
            for case .success(let measurement) in LineProtocol.measurements(of: bytes, precision: .nanoseconds, from: "p") {
                accepted += 1
                if let number = measurement.number { #expect(number.isFinite, "seed \(seed), round \(round)") }
                #expect(measurement.channel?.isEmpty == false, "seed \(seed), round \(round)")
            }
        }
        #expect(accepted > 1000, "seed \(seed)")
    }

    @Test("Lines of keys and values, whatever stands in them")
    func keyValueFuzz() {
        let seed = UInt64.random(in: .min ... .max)
        var random = TestSupport.SplitMix64(seed: seed)
        let alphabet: [Character] = ["a", "=", " ", "\"", "'", "1", "-", ".", "e", "\n", "\r\n", "#", "ä", "\u{0}", "\u{301}", "n"]
        for round in 0..<2000 {
            let text = String((0..<Int.random(in: 0..<30, using: &random)).compactMap { _ in alphabet.randomElement(using: &random) })
            for case .success(let measurement) in KeyValueLines.measurements(of: text, from: "p") {
                if let number = measurement.number { #expect(number.isFinite, "seed \(seed), round \(round)") }
                #expect(measurement.channel?.isEmpty == false, "seed \(seed), round \(round)")
            }
        }
    }

    @Test(
        "A line of a key and a value",
        arguments: [
            ("a=1", "a=1.0"), (" a b = -1.5e2 ", "a b=-150.0"), ("a=0x1F", "a=31.0"), ("a=true", "a=true"), ("a='1'", "a=1"),
            ("a=\"x y\"", "a=x y"), ("a==b", "a==b"), ("a=", "a="), ("a=\"", "a=\""), ("a=48.3'C", "a=48.3'C"),
            ("a=nan", "said no finite number for a"), ("=1", "said \"=1\", which is no key=value"),
        ])
    func keyValue(line: String, result: String) {
        let results = KeyValueLines.measurements(of: line, from: "p").map {
            switch $0 {
            case .success(let it): "\(it.channel ?? "")=\(it.text)"
            case .failure(let error): error.problem
            }
        }
        #expect(results == [result])
    }
}

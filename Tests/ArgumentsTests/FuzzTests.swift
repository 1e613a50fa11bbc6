import Arguments
import TestSupport
import Testing

@Suite struct FuzzTests {
    private static let words = [
        "list", "send", "store", "status", "purge", "help", "secret", "-", "--", "---", "--=", "-=", "=", "", " ", "a",
        "3",
        "-3", "-.5", "--limit", "--limit=", "-l", "-l=", "-l3", "--colour", "red", "--tag", "-t", "-vvj", "-hx",
        "--half",
        "-m", "-w", "--word", "--no-sort", "--enable-cache", "--help", "-h", "--version",
        "--generate-completion-script",
        "--generate-completion-script=bash", "--manual", "--keep", "--insecure", "--cafile", "x.toml", "-é", "--größe",
        "-\u{301}", "\u{0}", "-\u{1F468}\u{200D}\u{1F469}", "--limit\u{301}=3", "9999999999999999999999", "nan",
        "0x1p3",
    ]

    @Test func `No arguments crash the reader, and whatever it says is something`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<3_000 {
            var arguments = (0..<Int.random(in: 0...7, using: &random)).map { _ in
                Self.words.randomElement(using: &random) ?? ""
            }
            if Int.random(in: 0..<4, using: &random) == 0, let first = arguments.first, !first.isEmpty {
                var bytes = Array(first.utf8)
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0 ... .max, using: &random)
                arguments[0] = String(decoding: bytes, as: UTF8.self)
            }
            switch Example.invocation(of: arguments, width: Int.random(in: -1...120, using: &random)) {
            case .command(let command):
                #expect(!(command is Example) && !(command is Store), "seed \(seed): \(arguments)")
            case .text(let text):
                #expect(!text.isEmpty, "seed \(seed): \(arguments)")
            case .misuse(let misuse):
                #expect(
                    !misuse.message.isEmpty && misuse.usage.hasPrefix("Usage: example"), "seed \(seed): \(arguments)")
            }
        }
    }

    @Test func `Whatever is declared comes back, however it is spelled`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<2_000 {
            let limit = Int.random(in: .min ... .max, using: &random)
            let colour = Colour.allCases.randomElement(using: &random)
            let ratio = Double.random(in: -1e6...1e6, using: &random)
            let tags = (0..<Int.random(in: 0...4, using: &random)).map { _ in
                String(
                    (0..<Int.random(in: 0...3, using: &random)).compactMap { _ in "ab=ö -".randomElement(using: &random)
                    })
            }
            let (verbose, sort) = (Int.random(in: 0...3, using: &random), Bool.random(using: &random))
            let words = (0..<Int.random(in: 1...3, using: &random)).map { "w\($0)" }

            var pieces: [[String]] = [
                spelled("limit", "l", "\(limit)", &random), spelled("ratio", "r", "\(ratio)", &random),
            ]
            if let colour { pieces.append(spelled("colour", nil, colour.rawValue, &random)) }
            pieces += (0..<verbose).map { _ in [Bool.random(using: &random) ? "-v" : "--verbose"] }
            pieces.append([sort ? "--sort" : "--no-sort"])
            pieces.shuffle(using: &random)
            // Their order counts.
            for part in tags.map({ spelled("tag", "t", $0, &random, joined: $0.hasPrefix("-") && $0 != "-") })
                + words.map({ [$0] })
            {
                pieces.append(part)
            }
            let arguments = ["list"] + pieces.flatMap(\.self)

            guard case .command(let command) = Example.invocation(of: arguments), let list = command as? List else {
                Issue.record("seed \(seed): not understood: \(arguments)")
                return
            }
            #expect(list.limit == limit, "seed \(seed): \(arguments)")
            #expect(list.ratio == ratio, "seed \(seed): \(arguments)")
            #expect(list.colour == colour, "seed \(seed): \(arguments)")
            #expect(list.tags == tags, "seed \(seed): \(arguments)")
            #expect(list.verbose == verbose, "seed \(seed): \(arguments)")
            #expect(list.sort == sort, "seed \(seed): \(arguments)")
            #expect([list.place].compactMap(\.self) + list.others == words, "seed \(seed): \(arguments)")
        }
    }

    /// An option in one of the ways in which it can be typed.
    private func spelled(
        _ long: String, _ short: Character?, _ value: String, _ random: inout SplitMix64, joined: Bool = false
    ) -> [String] {
        var ways = [["--\(long)=\(value)"]]
        if !joined { ways.append(["--\(long)", value]) }
        if let short {
            ways.append(["-\(short)=\(value)"])
            // Joined without a sign, the value must not be empty nor begin with one.
            if let first = value.first, first != "=" { ways.append(["-\(short)\(value)"]) }
            if !joined { ways.append(["-\(short)", value]) }
        }
        return ways.randomElement(using: &random) ?? []
    }
}

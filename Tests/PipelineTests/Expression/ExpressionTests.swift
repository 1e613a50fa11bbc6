import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@Suite struct ExpressionTests {
    /// With `a` = 6, `b` = 4, `yes` = true, `c.x` = 2, and others 0.
    func result(_ text: String) throws -> Reading.Value {
        let expression = try Expression(parsing: text)
        let values: [String: Reading.Value] = [
            "a": .number(6), "b": .number(4), "yes": .boolean(true), "c.x": .number(2), "'core 0'": .number(50),
            "state": .text("open"),
        ]
        return try expression.evaluate(expression.references.map { values[$0.text] ?? .number(0) })
    }

    @Test(
        arguments: [
            ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 4 - 3", 3), ("24 / 4 / 2", 3), ("2 ^ 3 ^ 2", 512),
            ("-2 ^ 2", -4),
            ("2 ^ -1", 0.5), ("7 % 3", 1), ("-7 % 3", -1), ("--3", 3), ("+3", 3), ("1.5e2", 150), (".5", 0.5),
            ("1e-3", 0.001),
            ("100 * (a - b) / a", 100.0 / 3), ("min(a, b, 5)", 4), ("max(a, b)", 6), ("abs(b - a)", 2),
            ("round(2.5)", 3),
            ("round(-2.5)", -3), ("round(3.14159, 2)", 3.14), ("round(1250, -2)", 1300), ("floor(-1.5)", -2),
            ("ceil(1.2)", 2), ("sqrt(a + 3)", 3), ("clamp(a, 0, 5)", 5), ("clamp(-1, 0, 5)", 0), ("ln(exp(2))", 2),
            ("if(a > b, a, b)", 6), ("if(0, 1 / 0, 2)", 2), ("yes + yes", 2), ("c.x * 3", 6), ("'core 0' / 2", 25),
            ("if (a == 6, 1, 0)", 1), ("pi", Double.pi), ("\t a\n", 6), ("e", 0), ("round(1.5, 400)", 1.5),
        ] as [(String, Double)])
    func `Numbers`(_ row: (text: String, value: Double)) throws {
        guard case .number(let number) = try result(row.text) else {
            Issue.record("no number")
            return
        }
        #expect(abs(number - row.value) < 1e-9)
    }

    @Test(
        arguments: [
            ("a > b", true), ("a <= b", false), ("a == 6", true), ("a != 6", false), ("not yes", false),
            ("not a < b", true),
            ("a > b and b > a", false), ("a > b or 1 / 0 > 1", true), ("false and 1 / 0", false), ("yes", true),
            ("true or false and false", true), ("not not a", true), ("if(yes, true, 0)", true),
            ("android or orchid", false),
            ("1 + 1 == 2", true),
        ] as [(String, Bool)])
    func `Booleans`(_ row: (text: String, value: Bool)) throws {
        #expect(try result(row.text) == .boolean(row.value))
    }

    @Test(arguments: [
        ("a / (b - 4)", "division by zero"), ("a % 0", "division by zero"),
        ("sqrt(-1)", "sqrt(-1.0) is no finite number"),
        ("ln(0)", "ln(0.0) is no finite number"), ("10 ^ 400", "10.0 ^ 400.0 is no finite number"),
        ("exp(1e9)", "exp(1000000000.0) is no finite number"), ("state + 1", "state is a text, not a number"),
        ("1e308 * 10", "1e+308 * 10.0 is no finite number"),
    ])
    func `What has no value has a reason`(_ row: (text: String, reason: String)) throws {
        let error = #expect(throws: Expression.Failure.self) { try result(row.text) }
        #expect(error?.description == row.reason)
    }

    @Test(arguments: [
        ("", "the expression is empty: write one like \"100 - level\""),
        ("1 +", "at character 4: the expression ends where a value should be"),
        ("(1", "at character 3: a \")\" is missing"),
        ("1)", "at character 2: there is a \")\" too many"),
        ("1 2", "at character 3: an operator is missing before \"2\""),
        ("2a", "at character 2: an operator is missing before \"a\": a name that begins with a digit is quoted"),
        ("a = b", "at character 3: \"=\" is no operator: to compare, write \"==\""),
        ("a && b", "at character 3: \"&\" is no operator: write \"and\""),
        ("a < b < c", "at character 7: comparisons do not chain: write \"a < b and b < c\""),
        ("!a", "at character 1: \"!\" is no operator: write \"not\""),
        ("abss(1)", "at character 1: there is no function \"abss\": did you mean \"abs\"?"),
        ("abs(1, 2)", "at character 1: abs has 2 arguments: it takes 1"),
        ("min()", "at character 1: min has 0 arguments: it takes 1 to 64"),
        ("1.2.3", "at character 1: \"1.2.3\" is no number"),
        ("1e999", "at character 1: \"1e999\" is no number"),
        ("'x", "at character 1: the quote has no end"),
        ("''", "at character 2: the name is empty"),
        ("a.", "at character 3: a name is missing"),
        ("\"a\"", "at character 1: texts are not known here"),
        ("* 2", "at character 1: \"*\" is no value"),
        ("and 2", "at character 1: a value is missing before \"and\""),
        ("1 + $", "at character 5: \"$\" is no value"),
    ])
    func `A mistake is told with its place`(_ row: (text: String, problem: String)) {
        let error = #expect(throws: InvalidText.self) { try Expression(parsing: row.text) }
        #expect("\(error.map { "\($0)" } ?? "")".hasPrefix(row.problem), "\(error.map { "\($0)" } ?? "")")
    }

    @Test func `Depth and length are bounded`() {
        for text in [
            String(repeating: "(", count: 500), String(repeating: "-", count: 500) + "1",
            String(repeating: "not ", count: 400) + "1", String(repeating: "abs(", count: 400),
            "1" + String(repeating: "^1", count: 400), "1" + String(repeating: "+1", count: 400),
            String(repeating: "1", count: 100_000),
        ] {
            #expect(throws: InvalidText.self) { try Expression(parsing: text) }
        }
        #expect(throws: Never.self) { try Expression(parsing: "1" + String(repeating: "+1", count: 64)) }
    }

    @Test func `Each name is asked for once`() throws {
        let expression = try Expression(parsing: "a + b.c - a / 'bin-1'.'x y'")
        #expect(expression.references.map(\.text) == ["a", "b.c", "'bin-1'.'x y'"])
        #expect(expression.references.map(\.position) == [1, 5, 15])
    }

    @Test func `No text makes it trap`() {
        var random = SplitMix64(seed: 20_261_121)
        let tokens = [
            "a", "b.c", "'x y'", "1", "2.5", "0", "1e308", "(", ")", ",", "+", "-", "*", "/", "%", "^", "<", "==",
            "and",
            "or", "not", "if(", "min(", "round(", "sqrt(", "clamp(", " ", ".", "'", "é", "\u{1F600}", "=", "true",
        ]
        var parsed = 0
        for _ in 0..<20_000 {
            let text =
                if Bool.random(using: &random) {
                    (0..<Int.random(in: 0...12, using: &random)).map { _ in tokens.randomElement(using: &random) ?? "" }
                        .joined()
                } else {
                    String(decoding: random.bytes(Int.random(in: 0...20, using: &random)), as: UTF8.self)
                }
            guard let expression = try? Expression(parsing: text) else { continue }
            parsed += 1
            let value: Double = [-1.5, 0, 1e308].randomElement(using: &random) ?? 0
            let values = expression.references.map { _ in Reading.Value.number(value) }
            let result = try? expression.evaluate(values)
            if case .number(let number)? = result { #expect(number.isFinite, "\(text)") }
        }
        #expect(parsed > 500)
    }
}

internal import Units

/// Recursive descent over the characters; each function takes what it is named after, and the blanks behind it.
struct ExpressionParser {
    private(set) var references: [Expression.Reference] = []
    private let characters: [Character]
    private var index = 0
    private var depth = 0
    private var operatorCount = 0

    init(_ text: String) throws(InvalidText) {
        // Bytes first: counting the characters of something huge would take long.
        guard text.utf8.count <= 8 * Expression.maximumLength else { throw Self.tooLong }
        characters = Array(text)
        guard characters.count <= Expression.maximumLength else { throw Self.tooLong }
    }

    private static let tooLong = InvalidText(
        "the expression has more than \(Expression.maximumLength) characters",
        mend: "derive a sensor from a part of it, and use that one")

    static func isPlainName(_ name: String) -> Bool {
        guard let first = name.first, isLetter(first), constants[name] == nil, !operators.contains(name) else {
            return false
        }
        return name.allSatisfy { isLetter($0) || isDigit($0) }
    }

    private static let constants: [String: Expression.Node] = [
        "pi": .number(.pi), "true": .boolean(true), "false": .boolean(false),
    ]
    private static let operators = ["and", "or", "not"]

    private static func isLetter(_ character: Character) -> Bool { character.isLetter || character == "_" }
    private static func isDigit(_ character: Character) -> Bool { character.isASCII && character.isNumber }

    // MARK: Grammar

    mutating func expression() throws(InvalidText) -> Expression.Node {
        skipBlanks()
        if next == nil { throw InvalidText("the expression is empty", mend: #"write one like "100 - level""#) }
        let node = try disjunction()
        if let next {
            switch next {
            case ")": throw wrong("there is a \")\" too many")
            case "=": throw wrong("\"=\" is no operator", mend: #"to compare, write "==""#)
            case "&", "|":
                throw wrong("\"\(next)\" is no operator", mend: "write \"\(next == "&" ? "and" : "or")\"")
            case "<", ">", "!":
                throw wrong("comparisons do not chain", mend: #"write "a < b and b < c""#)
            default: throw wrong("an operator is missing before \(shown)")
            }
        }
        return node
    }

    private mutating func disjunction() throws(InvalidText) -> Expression.Node {
        var node = try conjunction()
        while take(word: "or") {
            try count()
            node = .binary(.or, node, try conjunction())
        }
        return node
    }

    private mutating func conjunction() throws(InvalidText) -> Expression.Node {
        var node = try negation()
        while take(word: "and") {
            try count()
            node = .binary(.and, node, try negation())
        }
        return node
    }

    private mutating func negation() throws(InvalidText) -> Expression.Node {
        guard take(word: "not") else { return try comparison() }
        try descend()
        defer { depth -= 1 }
        return .not(try negation())
    }

    private mutating func comparison() throws(InvalidText) -> Expression.Node {
        let left = try sum()
        for sign in [Expression.Operator.equal, .unequal, .atMost, .atLeast, .less, .greater]
        where take(sign.rawValue) {
            return .binary(sign, left, try sum())
        }
        return left
    }

    private mutating func sum() throws(InvalidText) -> Expression.Node {
        var node = try product()
        while let sign = takeSign([.plus, .minus]) {
            try count()
            node = .binary(sign, node, try product())
        }
        return node
    }

    private mutating func product() throws(InvalidText) -> Expression.Node {
        var node = try signed()
        while let sign = takeSign([.times, .divided, .remainder]) {
            try count()
            node = .binary(sign, node, try signed())
        }
        return node
    }

    private mutating func signed() throws(InvalidText) -> Expression.Node {
        guard let sign = takeSign([.minus, .plus]) else { return try power() }
        try descend()
        defer { depth -= 1 }
        let operand = try signed()
        return sign == .minus ? .negative(operand) : operand
    }

    private mutating func power() throws(InvalidText) -> Expression.Node {
        let base = try operand()
        guard take("^") else { return base }
        try descend()
        defer { depth -= 1 }
        return .binary(.power, base, try signed())
    }

    private mutating func operand() throws(InvalidText) -> Expression.Node {
        guard let next else { throw wrong("the expression ends where a value should be") }
        switch next {
        case "(":
            index += 1
            skipBlanks()
            try descend()
            defer { depth -= 1 }
            let node = try disjunction()
            try close()
            return node
        case "\"": throw wrong("texts are not known here", mend: "a name is quoted like 'bin-1'")
        case "!": throw wrong("\"!\" is no operator", mend: #"write "not""#)
        case "'": return try reference()
        case _ where Self.isLetter(next): return try named()
        case _ where Self.isDigit(next) || next == ".": return .number(try number())
        default: throw wrong("\(shown) is no value")
        }
    }

    /// A constant, a function or a sensor.
    private mutating func named() throws(InvalidText) -> Expression.Node {
        let start = index
        let name = plainName()
        if next == "(" { return try call(name, at: start) }
        if next != "." {
            if let constant = Self.constants[name] {
                skipBlanks()
                return constant
            }
            if Self.operators.contains(name) {
                index = start
                throw wrong("a value is missing before \"\(name)\"")
            }
        }
        var behind = index
        while behind < characters.count, characters[behind].isWhitespace { behind += 1 }
        if behind < characters.count, characters[behind] == "(" {
            index = behind
            return try call(name, at: start)
        }
        index = start
        return try reference()
    }

    private mutating func call(_ name: String, at start: Int) throws(InvalidText) -> Expression.Node {
        guard let function = Expression.Function(rawValue: name) else {
            index = start
            throw wrong(
                "there is no function \"\(name)\"",
                mend: Expression.Function.allCases.map(\.rawValue).suggest(for: name)
            )
        }
        index += 1
        skipBlanks()
        try descend()
        defer { depth -= 1 }
        var arguments: [Expression.Node] = []
        if next != ")" {
            repeat { arguments.append(try disjunction()) } while take(",")
        }
        try close()
        guard function.arguments.contains(arguments.count) else {
            index = start
            let range = function.arguments
            let wanted = range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw wrong("\(name) has \(arguments.count) arguments", mend: "it takes \(wanted)")
        }
        return .call(function, arguments)
    }

    private mutating func reference() throws(InvalidText) -> Expression.Node {
        let position = index + 1
        var parts = [try namePart()]
        while next == "." {
            index += 1
            parts.append(try namePart())
        }
        skipBlanks()
        if let known = references.firstIndex(where: { $0.parts == parts }) { return .reference(known) }
        references.append(Expression.Reference(parts: parts, position: position))
        return .reference(references.count - 1)
    }

    private mutating func namePart() throws(InvalidText) -> String {
        if next == "'" {
            let start = index
            index += 1
            guard let end = characters[index...].firstIndex(of: "'") else {
                index = start
                throw wrong("the quote has no end")
            }
            defer { index = end + 1 }
            if end == index { throw wrong("the name is empty") }
            return String(characters[index..<end])
        }
        let name = plainName()
        if name.isEmpty { throw wrong("a name is missing", mend: "other characters than letters are quoted: 'core 0'") }
        return name
    }

    private mutating func plainName() -> String {
        let start = index
        while let next, Self.isLetter(next) || Self.isDigit(next) { index += 1 }
        return String(characters[start..<index])
    }

    private mutating func number() throws(InvalidText) -> Double {
        let start = index
        while let next, Self.isDigit(next) || next == "." { index += 1 }
        if next == "e" || next == "E" {
            var end = index + 1
            if end < characters.count, characters[end] == "-" || characters[end] == "+" { end += 1 }
            if end < characters.count, Self.isDigit(characters[end]) {
                index = end
                while let next, Self.isDigit(next) { index += 1 }
            }
        }
        let text = String(characters[start..<index])
        guard let number = Double(text.hasPrefix(".") ? "0\(text)" : text), number.isFinite else {
            index = start
            throw wrong("\"\(text)\" is no number")
        }
        if let next, Self.isLetter(next) {
            throw wrong("an operator is missing before \(shown)", mend: "a name that begins with a digit is quoted")
        }
        skipBlanks()
        return number
    }

    // MARK: Characters

    private var next: Character? { index < characters.count ? characters[index] : nil }

    private var shown: String { next.map { "\"\($0)\"" } ?? "the end" }

    private func wrong(_ message: String, mend: String? = nil) -> InvalidText {
        InvalidText("at character \(index + 1): \(message)", mend: mend)
    }

    private mutating func skipBlanks() {
        while let next, next.isWhitespace { index += 1 }
    }

    private mutating func take(_ sign: String) -> Bool {
        guard characters[index...].starts(with: sign) else { return false }
        index += sign.count
        skipBlanks()
        return true
    }

    private mutating func takeSign(_ signs: [Expression.Operator]) -> Expression.Operator? {
        for sign in signs where take(sign.rawValue) { return sign }
        return nil
    }

    /// A word, not the beginning of a name, nor a sensor's name in front of its channel.
    private mutating func take(word: String) -> Bool {
        let end = index + word.count
        guard characters[index...].starts(with: word) else { return false }
        if end < characters.count, Self.isLetter(characters[end]) || Self.isDigit(characters[end]) { return false }
        index = end
        skipBlanks()
        return true
    }

    private mutating func close() throws(InvalidText) {
        guard take(")") else {
            throw next == nil ? wrong("a \")\" is missing") : wrong("a \")\" or an operator is missing before \(shown)")
        }
    }

    private mutating func descend() throws(InvalidText) {
        depth += 1
        if depth > Expression.maximumDepth {
            throw wrong(
                "this is nested deeper than \(Expression.maximumDepth)", mend: "derive a sensor from a part of it")
        }
    }

    /// A chain of operators makes a tree as deep as it is long.
    private mutating func count() throws(InvalidText) {
        operatorCount += 1
        if operatorCount > Expression.maximumOperators {
            throw wrong(
                "more than \(Expression.maximumOperators) operators", mend: "derive a sensor from a part of it")
        }
    }
}

extension [String] {
    /// What to write instead of a word that is none of these.
    func suggest(for word: String) -> String {
        let all = isEmpty ? "there are none" : "possible are \(prefix(40).joined(separator: ", "))"
        return nearest(to: word).map { "did you mean \"\($0)\"? (\(all))" } ?? all
    }
}

internal import Units

/// A line of a mosquitto.conf that says something.
struct MosquittoLine {
    var file: String
    var number: Int
    var name: String
    /// All behind the name, without blanks around it.
    var rest: String

    /// - Returns: nil for comments and empty lines.
    init?(_ text: Substring, file: String, number: Int) {
        let text = text.trimmed
        guard let first = text.first, first != "#" else { return nil }
        self.file = file
        self.number = number
        let name = text.prefix { !$0.isBlank }
        self.name = String(name)
        rest = String(text.dropFirst(name.count).trimmed)
    }

    /// The first word, which is all that counts of a number or a choice.
    var word: String { String(rest.prefix { !$0.isBlank }) }

    func boolean() throws(InvalidText) -> Bool {
        switch word {
        case "true", "1": true
        case "false", "0": false
        default: throw InvalidText("\"\(word)\" is neither true nor false")
        }
    }

    func number(in range: ClosedRange<Int>) throws(InvalidText) -> Int {
        guard let number = Int(word) else { throw InvalidText("\"\(word)\" is no number") }
        guard range.contains(number) else {
            throw InvalidText(
                "\(number) is out of range", mend: "allowed is \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func string() throws(InvalidText) -> String {
        if rest.isEmpty { throw InvalidText("has no value") }
        return rest
    }

    func choice(_ words: String...) throws(InvalidText) -> String {
        guard words.contains(word) else {
            throw InvalidText("\"\(word)\" is not possible", mend: "possible are \(words.joined(separator: ", "))")
        }
        return word
    }
}

extension Character {
    var isBlank: Bool { self == " " || self == "\t" || self == "\r" }
}

extension StringProtocol {
    var trimmed: SubSequence {
        var text = drop(while: \.isBlank)
        while text.last?.isBlank == true { text.removeLast() }
        return text
    }
}

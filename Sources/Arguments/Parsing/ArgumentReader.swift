/// Reads one command's arguments, from the left to the right, into what its declarations say.
struct ArgumentReader {
    /// What makes everything else needless.
    enum Request { case help, version, completionScript(Shell) }

    private let declarations: [Declaration]
    private var rest: ArraySlice<String>
    /// What is neither an option nor an option's value.
    private(set) var words: [String] = []
    /// The first thing that was wrong.
    private(set) var problem: ReadingProblem?

    init(_ declarations: [Declaration], _ arguments: ArraySlice<String>) {
        self.declarations = declarations
        rest = arguments
    }

    /// Reads all options, and collects the words. Goes on behind a problem: who asks for help is to get it.
    mutating func read() throws -> Request? {
        while let argument = rest.popFirst() {
            do {
                if argument == "--" {
                    words += rest
                    rest = []
                } else if argument.hasPrefix("--") {
                    if let request = try readLong(argument.dropFirst(2)) { return request }
                } else if looksLikeOption(argument) {
                    if let request = try readShort(argument) { return request }
                } else {
                    words.append(argument)
                }
            } catch let found as ReadingProblem {
                problem = problem ?? found
            }
        }
        return nil
    }

    /// Gives the words to the arguments, and sees to it that nothing is missing and nothing is left.
    mutating func place() throws {
        var words = words[...]
        for declaration in declarations where declaration.isArgument {
            if declaration.isRepeating {
                for word in words { try take(word, declaration, nil) }
                words = []
            } else if let word = words.popFirst() {
                try take(word, declaration, nil)
            }
        }
        if let word = words.first { throw ReadingProblem.unexpected(word) }
        if let missing = declarations.first(where: { $0.isRequired && !$0.isGiven() }) {
            throw ReadingProblem.missing(missing)
        }
    }

    // MARK: Options

    private mutating func readLong(_ text: Substring) throws -> Request? {
        let name = Name.long(String(text.prefix { $0 != "=" }))
        let value = text.firstIndex(of: "=").map { String(text[text.index(after: $0)...]) }
        let declaration = try find(name, in: "\(name)")
        if declaration.takesValue { return try readValue(declaration, name, joined: value) }
        if let value { throw ReadingProblem.needlessValue(value, name) }
        return raise(declaration, name)
    }

    /// One letter or several, of which the last may have a value.
    private mutating func readShort(_ argument: String) throws -> Request? {
        var letters = argument.dropFirst()
        while let letter = letters.popFirst() {
            let name = Name.short(letter)
            let declaration = try find(name, in: argument)
            if declaration.takesValue {
                let value = letters.first == "=" ? letters.dropFirst() : letters
                return try readValue(declaration, name, joined: letters.isEmpty ? nil : String(value))
            }
            if letters.first == "=" { throw ReadingProblem.needlessValue(String(letters.dropFirst()), name) }
            if let request = raise(declaration, name) { return request }
        }
        return nil
    }

    private func find(_ name: Name, in argument: String) throws -> Declaration {
        if let found = declarations.first(where: { $0.allNames.contains(name) }) { return found }
        throw ReadingProblem.unknownOption(
            name, in: argument, known: declarations.filter(\.isVisible).flatMap(\.allNames))
    }

    private func raise(_ declaration: Declaration, _ name: Name) -> Request? {
        switch declaration.kind {
        case .help: return .help
        case .version: return .version
        case .option, .flag, .argument, .completionScript: break
        }
        declaration.raise(declaration.names.contains(name))
        return nil
    }

    // MARK: Values

    private mutating func readValue(_ declaration: Declaration, _ name: Name, joined: String?) throws -> Request? {
        let value = try joined ?? nextValue(declaration, name)
        if case .completionScript = declaration.kind {
            guard let shell = Shell(rawValue: value) else {
                let shells = listed(Shell.allValueStrings, joining: "or")
                throw ReadingProblem.invalidValue(value, declaration, name, expectation: "it takes \(shells)")
            }
            return .completionScript(shell)
        }
        try take(value, declaration, name)
        return nil
    }

    private mutating func nextValue(_ declaration: Declaration, _ name: Name) throws -> String {
        let takesDashes = if case .option(takesDashes: true) = declaration.kind { true } else { false }
        guard let next = rest.first, takesDashes || !looksLikeOption(next) else {
            throw ReadingProblem.missingValue(declaration, name, next: rest.first)
        }
        rest = rest.dropFirst()
        return next
    }

    private func take(_ value: String, _ declaration: Declaration, _ name: Name?) throws {
        do {
            try declaration.read(value)
        } catch let invalid as InvalidValue {
            throw ReadingProblem.invalidValue(value, declaration, name, expectation: invalid.expectation)
        }
    }

    /// A dash alone stands for standard input, and a negative number is a value where no option is a digit.
    private func looksLikeOption(_ argument: String) -> Bool {
        guard argument.hasPrefix("-"), argument != "-" else { return false }
        let rest = argument.dropFirst()
        guard let first = rest.first, first.isASCII, first.isNumber || first == ".", Double(rest) != nil else {
            return true
        }
        return declarations.contains { $0.names.contains(.short(first)) }
    }
}

internal import Units

/// What is wrong with one argument.
struct ReadingProblem: Error, CustomStringConvertible {
    let description: String

    private init(_ description: String) { self.description = description }

    /// - Parameter argument: all of it, if the option is one letter among several.
    static func unknownOption(_ name: Name, in argument: String, known: [Name]) -> ReadingProblem {
        let whole = "\(name)" == argument ? "" : " in '\(argument)'"
        return ReadingProblem("Unknown option '\(name)'\(whole)\(suggestion(name, argument, known))")
    }

    static func unknownCommand(_ word: String, of command: String, known: [String]) -> ReadingProblem {
        let mend =
            known.nearest(to: word).map { ". Did you mean '\(command) \($0)'?" }
            ?? (known.isEmpty ? "; '\(command)' has none" : "; there are \(listed(known, joining: "and"))")
        return ReadingProblem("Unknown command '\(word)'\(mend)")
    }

    static func unexpected(_ word: String) -> ReadingProblem { ReadingProblem("Unexpected argument '\(word)'") }

    static func missing(_ declaration: Declaration) -> ReadingProblem {
        let names = [declaration.synopsis] + (declaration.inverseNames.first.map { ["\($0)"] } ?? [])
        let help = declaration.help.abstract
        return ReadingProblem("Missing '\(names.joined(separator: "' or '"))'\(help.isEmpty ? "" : ": \(help)")")
    }

    /// - Parameter next: what stands where the value should, and looks like an option.
    static func missingValue(_ declaration: Declaration, _ name: Name, next: String?) -> ReadingProblem {
        let help = declaration.help.abstract
        let mend = next.map { "; to give it '\($0)', write \(name)=\($0)" } ?? (help.isEmpty ? "" : ": \(help)")
        return ReadingProblem("Missing value for '\(declaration.spelled(name))'\(mend)")
    }

    static func needlessValue(_ value: String, _ name: Name) -> ReadingProblem {
        ReadingProblem("The option '\(name)' takes no value, and was given '\(value)'")
    }

    static func invalidValue(_ value: String, _ declaration: Declaration, _ name: Name?, expectation: String?)
        -> ReadingProblem
    {
        ReadingProblem(
            "The value '\(value)' is invalid for '\(declaration.spelled(name))'\(expectation.map { ": \($0)" } ?? "")")
    }

    private static func suggestion(_ name: Name, _ argument: String, _ known: [Name]) -> String {
        let long = known.compactMap { if case .long(let name) = $0 { name } else { nil } }
        let meant: String?
        switch name {
        case .long(let name):
            let longer = long.filter { $0.hasPrefix(name) }
            meant = long.nearest(to: name) ?? (name.count > 1 && longer.count == 1 ? longer.first : nil)
        case .short:
            // A long name with one dash.
            meant = long.first { "-\($0)" == argument }
        }
        return meant.map { ". Did you mean '--\($0)'?" } ?? ""
    }
}

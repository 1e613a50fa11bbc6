extension Command {
    /// With more options than this that can be left out, usage does not name them.
    private static let manyOptions = 10

    /// How the command is called, as in `fieldpost read --config <config> [--json] [<sensors>...]`.
    ///
    /// - Parameter label: stands before it.
    func usage(_ label: String, width: Int) -> String {
        filled([fullName] + usageWords, to: width, indent: label, hanging: String(repeating: " ", count: label.count))
            .joined(separator: "\n")
    }

    /// What stands behind the name; each stays in one line.
    var usageWords: [String] {
        let own = declarations.filter { $0.isOwn && $0.isVisible }
        let options = own.filter { !$0.isArgument }
        var words = options.filter(\.isRequired).map(\.usage)
        let others = options.filter { !$0.isRequired }
        words += others.count > Self.manyOptions ? ["[<options>]"] : others.map(\.usage)
        words += own.filter(\.isArgument).map(\.usage)
        if !configuration.subcommands.isEmpty { words.append(defaultSubcommand == nil ? "<command>" : "[<command>]") }
        return words
    }
}

extension Declaration {
    fileprivate var usage: String {
        let both = inverseNames.first.map { "\(synopsis)|\($0)" } ?? synopsis
        let dots = isRepeating ? "..." : ""
        if isRequired { return (inverseNames.isEmpty ? both : "(\(both))") + dots }
        return "[\(both)]\(dots)"
    }
}

extension Command {
    /// What `--help` prints.
    ///
    /// - Parameter width: in letters; less than 40 is taken for 40.
    func help(width: Int) -> String {
        let width = max(width, 40)
        let configuration = configuration
        var parts: [String] = []
        if !configuration.abstract.isEmpty {
            parts.append("OVERVIEW: \(configuration.abstract)".wrapped(to: width).joined(separator: "\n"))
        }
        if !configuration.discussion.isEmpty {
            parts.append(configuration.discussion.wrapped(to: width).joined(separator: "\n"))
        }
        parts.append(usage("USAGE: ", width: width))
        for (title, entries) in sections {
            parts.append(
                (["\(title.uppercased()):"] + entries.flatMap { entry($0, width: width) }).joined(separator: "\n"))
        }
        let commands = visibleSubcommands
        if !commands.isEmpty {
            let lines = commands.flatMap { command in
                Self.entry(command.name, command.configuration.abstract, width: width)
            }
            parts.append((["COMMANDS:"] + lines).joined(separator: "\n"))
            let path = ([path[0], "help"] + path.dropFirst()).joined(separator: " ")
            parts.append("See '\(path) <command>' for more.".wrapped(to: width).joined(separator: "\n"))
        }
        return parts.joined(separator: "\n\n")
    }

    /// What is declared, under its headings, in the order of the help and of the manual.
    var sections: [(title: String, entries: [Declaration])] {
        let visible = declarations.filter(\.isVisible)
        var sections = [
            ("Arguments", visible.filter { $0.title == nil && $0.isArgument }),
            ("Options", visible.filter { $0.title == nil && !$0.isArgument }),
        ]
        for declaration in visible {
            guard let title = declaration.title else { continue }
            if let place = sections.firstIndex(where: { $0.0 == title }) {
                sections[place].1.append(declaration)
            } else {
                sections.append((title, [declaration]))
            }
        }
        return sections.filter { !$0.1.isEmpty }
    }

    private func entry(_ declaration: Declaration, width: Int) -> [String] {
        Self.entry(declaration.label, declaration.explanation, width: width)
            + (declaration.help.discussion.isEmpty
                ? [] : declaration.help.discussion.wrapped(to: width, indent: Self.margin))
    }

    /// Where explanations begin.
    private static let margin = String(repeating: " ", count: 26)

    private static func entry(_ label: String, _ text: String, width: Int) -> [String] {
        var lines = text.isEmpty ? [] : text.wrapped(to: width, indent: margin)
        let label = "  \(label)"
        if label.count < margin.count, let first = lines.first {
            let gap = String(repeating: " ", count: margin.count - label.count)
            lines[0] = label + gap + first.dropFirst(margin.count)
            return lines
        }
        return [label] + lines
    }
}

extension Declaration {
    /// All its names, and what stands for its value: `-c, --config <file>`.
    var label: String {
        guard let last = names.last else { return synopsis }
        let both = inverseNames.isEmpty ? "" : "/" + inverseNames.map(\.description).joined(separator: "/")
        return (names.dropLast().map(\.description) + [spelled(last)]).joined(separator: ", ") + both
    }

    /// What it is for, what it may be, and what it is otherwise.
    var explanation: String {
        var notes: [String] = []
        if isOwn, !values.isEmpty { notes.append("values: \(values.joined(separator: ", "))") }
        if let defaultText, !defaultText.isEmpty { notes.append("default: \(defaultText)") }
        return [help.abstract, notes.isEmpty ? "" : "(\(notes.joined(separator: "; ")))"].filter { !$0.isEmpty }
            .joined(separator: " ")
    }
}

extension Command {
    /// The program's page for man(1), with the macros of man(7).
    func manualPage() -> String {
        let manual = type.manual
        let commands = visibleTree.filter { $0.configuration.subcommands.isEmpty && $0.type != HelpCommand.self }
        let shared = sharedSections(of: commands)
        var parts = [
            ".TH \(roff(name.uppercased())) 1 \"\(manual.date)\" \"\(roff(name)) \(roff(version))\"",
            ".SH NAME\n\(roff(name)) \\- \(roff(brief))",
            ".SH SYNOPSIS\n.B \(roff(name))\n.I command\n.RI [ option \" ...]\"",
        ]
        if !configuration.discussion.isEmpty {
            parts.append(".SH DESCRIPTION\n\(paragraphs(configuration.discussion))")
        }
        parts.append(([".SH OPTIONS"] + declarations.map(item)).joined(separator: "\n"))
        parts.append(".SH COMMANDS")
        parts += commands.map { $0.manualSection(shared) }
        for section in shared {
            let users = "For \(listed(section.users.map { "`\($0)`" }, joining: "and"))."
            let head = [".SH \(roff(section.title.uppercased()))", paragraphs(users)]
            parts.append((head + section.entries.map(item)).joined(separator: "\n"))
        }
        for (title, entries) in [
            ("EXIT STATUS", manual.exitCodes), ("ENVIRONMENT", manual.environment), ("FILES", manual.files),
        ] where !entries.isEmpty {
            let items = entries.map { ".TP\n\\fB\(roff($0.name))\\fR\n\(paragraphs($0.text))" }
            parts.append(([".SH \(title)"] + items).joined(separator: "\n"))
        }
        if !manual.seeAlso.isEmpty {
            parts.append(".SH SEE ALSO\n\(manual.seeAlso.map(reference).joined(separator: " ,\n"))")
        }
        return parts.joined(separator: "\n")
    }

    /// The abstract as NAME wants it: a phrase, not a sentence.
    private var brief: String {
        let abstract = configuration.abstract
        return abstract.prefix(1).lowercased()
            + (abstract.last == "." ? abstract.dropFirst().dropLast() : abstract.dropFirst())
    }

    /// Sections that several commands have word for word.
    private func sharedSections(of commands: [Command]) -> [SharedSection] {
        var all: [SharedSection] = []
        for command in commands {
            for (title, entries) in command.sections where entries.allSatisfy({ $0.title != nil }) {
                let labels = entries.map(\.label)
                if let place = all.firstIndex(where: { $0.title == title && $0.entries.map(\.label) == labels }) {
                    all[place].users.append(command.fullName)
                } else {
                    all.append(SharedSection(title: title, users: [command.fullName], entries: entries))
                }
            }
        }
        return all.filter { $0.users.count > 1 }
    }

    /// - Parameter shared: what stands elsewhere.
    private func manualSection(_ shared: [SharedSection]) -> String {
        let elsewhere = shared.filter { $0.users.contains(fullName) }.map(\.title)
        let words = ["\\fB\(roff(fullName))\\fR"] + usageWords.map(roff)
        var lines = [".SS \"\(roff(fullName))\""] + filled(words, to: 78, indent: "", hanging: "")
        for text in [configuration.abstract, configuration.discussion] where !text.isEmpty {
            lines.append(".PP\n\(paragraphs(text))")
        }
        for (title, entries) in sections where !elsewhere.contains(title) {
            if entries.contains(where: { $0.title != nil }) { lines.append(".PP\n\(roff(title)):") }
            lines += entries.filter(\.isOwn).map(item)
        }
        if !elsewhere.isEmpty {
            let titles = listed(elsewhere.map { $0.uppercased() }, joining: "and")
            lines.append(".PP\n\(paragraphs("Further options are below: \(titles)."))")
        }
        return lines.joined(separator: "\n")
    }

    private func item(_ declaration: Declaration) -> String {
        // What the help does not say of its own options.
        let values =
            declaration.isOwn || declaration.values.isEmpty
            ? "" : " (values: \(declaration.values.joined(separator: ", ")))"
        let text = [declaration.explanation + values, declaration.help.discussion].filter { !$0.isEmpty }
        return ".TP\n\\fB\(roff(declaration.label))\\fR\n\(paragraphs(text.joined(separator: "\n")))"
    }
}

/// Options under a heading that several commands have.
private struct SharedSection {
    let title: String
    var users: [String]
    let entries: [Declaration]
}

/// `mosquitto_pub(1)` as a reference.
private func reference(_ page: String) -> String {
    guard let parenthesis = page.firstIndex(of: "(") else { return ".BR \(roff(page))" }
    return ".BR \(roff(String(page[..<parenthesis]))) \(page[parenthesis...])"
}

/// Paragraphs have an empty line between them; lines that begin with a space are an example.
private func paragraphs(_ text: String) -> String {
    var lines: [String] = []
    var isExample = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
        if line.isEmpty {
            if isExample { lines.append(".EE") }
            isExample = false
            lines.append(".PP")
        } else if line.first == " " {
            if !isExample { lines.append(".EX") }
            isExample = true
            lines.append(roff(String(line.drop { $0 == " " })))
        } else {
            let words = roff(String(line)).split(separator: " ").map(String.init)
            // What begins with a dot would be a macro.
            lines += filled(words, to: 78, indent: "", hanging: "").map { $0.first == "." ? "\\&\($0)" : $0 }
        }
    }
    if isExample { lines.append(".EE") }
    return lines.joined(separator: "\n")
}

/// A text without what roff would take for its own; what stands between backticks is bold.
func roff(_ text: String) -> String {
    var result = ""
    var isBold = false
    for letter in text {
        switch letter {
        case "\\": result += "\\e"
        case "-": result += "\\-"
        case "'": result += "\\(aq"
        case "\"": result += "\\(dq"
        case "^": result += "\\(ha"
        case "~": result += "\\(ti"
        case "`":
            isBold.toggle()
            result += isBold ? "\\fB" : "\\fR"
        default: result.append(letter)
        }
    }
    return result
}

extension SettingsReader {
    /// `text` with each `${NAME}` replaced by the environment's variable and each `$$` by `$`; nil, and a problem, if
    /// a variable is not set. Any other `$` stands for itself, as in `$SYS/broker`.
    func filled(_ text: String, at key: String, position: SourcePosition) -> String? {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = text[...]
        var complete = true
        let mend = #"write "$${" if "${" is meant"#
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            switch rest.first {
            case "$":
                result += "$"
                rest.removeFirst()
            case "{":
                guard let end = rest.firstIndex(of: "}") else {
                    add(at: key, position: position, message: "\"${\" has no \"}\"", mend: mend)
                    return nil
                }
                let name = String(rest[..<end].dropFirst())
                rest = rest[end...].dropFirst()
                if name.isEmpty {
                    add(at: key, position: position, message: "\"${}\" names no variable", mend: mend)
                    complete = false
                } else if let value = environment[name] {
                    result += value
                } else {
                    add(
                        at: key, position: position, message: "the environment variable \(name) is not set",
                        mend: name == "CREDENTIALS_DIRECTORY"
                            ? "systemd sets it for a unit that says LoadCredential=NAME:FILE"
                            : "set it, or \(mend)")
                    complete = false
                }
            default: result += "$"
            }
        }
        return complete ? result + rest : nil
    }
}

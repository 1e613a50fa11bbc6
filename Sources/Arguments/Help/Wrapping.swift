extension String {
    /// The lines of a text that was written without regard to their length. One that begins with a space stays as it
    /// is; a word that is too long has a line of its own.
    ///
    /// - Parameter indent: stands before each line, and counts.
    func wrapped(to width: Int, indent: String = "") -> [String] {
        split(separator: "\n", omittingEmptySubsequences: false).flatMap { line -> [String] in
            if line.isEmpty { return [""] }
            if line.first == " " { return [indent + line] }
            return filled(line.split(separator: " ").map(String.init), to: width, indent: indent, hanging: indent)
        }
    }
}

/// Words in lines of up to `width` letters.
///
/// - Parameter hanging: stands before each line but the first.
func filled(_ words: [String], to width: Int, indent: String, hanging: String) -> [String] {
    var lines: [String] = []
    var line = indent
    var length = indent.count
    var isEmpty = true
    for word in words {
        if !isEmpty, length + 1 + word.count > width {
            lines.append(line)
            line = hanging
            length = hanging.count
            isEmpty = true
        }
        line += isEmpty ? word : " \(word)"
        length += word.count + (isEmpty ? 0 : 1)
        isEmpty = false
    }
    return lines + [line]
}

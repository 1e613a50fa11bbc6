// The standard library's own searches for text in text bring all of its pattern matching along, 1.4 MB of a static file.
extension StringProtocol {
    /// Where `text` first is; nil if it is nowhere, or empty.
    package func range(of text: String) -> Range<Index>? {
        let length = text.count
        guard length > 0 else { return nil }
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: length) }
            formIndex(after: &start)
        }
        return nil
    }

    /// Whether `text` is somewhere in it.
    package func includes(_ text: String) -> Bool { range(of: text) != nil }

    /// `text` in each place of `mark`, from the left to the right; what is put in is not looked at again.
    package func replacing(each mark: String, with text: String) -> String {
        var result = ""
        var rest = self[...]
        while let range = rest.range(of: mark) {
            result += rest[..<range.lowerBound] + text
            rest = rest[range.upperBound...]
        }
        return result + rest
    }
}

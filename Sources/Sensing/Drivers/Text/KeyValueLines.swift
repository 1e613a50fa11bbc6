/// Lines like `name = value`, as shells, `os-release(5)` and many small tools write them.
///
/// Empty lines and those that begin with `#` say nothing. A value in quotes is a text; one without is a boolean (`true`,
/// `false`), a number (decimal, or hexadecimal with 0x) or else a text.
enum KeyValueLines {
    static func measurements(of text: String, from place: String) -> [Result<Measurement, SensorError>] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let line = line.trimmed
            if line.isEmpty || line.hasPrefix("#") { return nil }
            guard let equals = line.firstIndex(of: "="), case let name = line[..<equals].trimmed, !name.isEmpty else {
                return .failure(
                    SensorError(.malformed, place, "said \(KernelFile.quoted(String(line))), which is no key=value"))
            }
            guard let value = value(line[line.index(after: equals)...].trimmed) else {
                return Result.failure(SensorError(.malformed, place, "said no finite number for \(name)")).of(
                    String(name))
            }
            return .success(Measurement(channel: String(name), value))
        }
    }

    private static func value(_ text: Substring) -> Reading.Value? {
        if text.count >= 2, let quote = text.first, quote == "\"" || quote == "'", text.last == quote {
            return .text(String(text.dropFirst().dropLast()))
        }
        if text == "true" || text == "false" { return .boolean(text == "true") }
        guard let number = Double(text) else { return .text(String(text)) }
        return number.isFinite ? .number(number) : nil
    }
}

extension StringProtocol {
    /// Without white space at its ends.
    var trimmed: SubSequence {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }
}

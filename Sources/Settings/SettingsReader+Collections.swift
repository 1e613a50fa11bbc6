public import Units

extension SettingsReader {
    // MARK: Arrays

    /// An array of strings, their environment variables filled in; a single string stands for an array of one.
    public func strings(_ key: String) -> [String]? {
        parsedAll(key) { text throws(InvalidText) in text }
    }

    /// What `parse` makes of each of an array's strings, or of a single one; each that it refuses is a problem at its
    /// own place. Nil if any is wrong.
    public func parsedAll<T>(_ key: String, _ parse: (String) throws(InvalidText) -> T) -> [T]? {
        elements(key, expected: "a string") { value, path in
            guard case .string(let raw) = value.kind else { return nil }
            guard let text = filled(raw, at: path, position: value.position) else { return .some(nil) }
            return parsed(text, at: path, position: value.position, parse)
        }
    }

    /// An array of numbers; a single number stands for an array of one.
    public func numbers(_ key: String) -> [Double]? {
        elements(key, expected: "a number") { value, _ in value.kind.number.map { .some($0) } }
    }

    /// - Parameter read: nil for a wrong type, `.some(nil)` if it has reported the problem itself.
    private func elements<T>(_ key: String, expected: String, _ read: (Value, String) -> T??) -> [T]? {
        guard let value = lookUp(key) else { return nil }
        let isArray: Bool
        let elements: [Value]
        if case .array(let array) = value.kind { (isArray, elements) = (true, array) } else { (isArray, elements) = (false, [value]) }
        var results: [T] = []
        for (index, element) in elements.enumerated() {
            let path = isArray ? "\(key)[\(index + 1)]" : key
            switch read(element, path) {
            case .some(let result?): results.append(result)
            case .some(nil): break
            case nil:
                add(
                    at: path, position: element.position, message: "is \(element.kind.name)",
                    mend: "expected is \(expected)")
            }
        }
        return results.count == elements.count ? results : nil
    }

    // MARK: Tables

    /// A reader of the table under `key`; this one's ``finish()`` finishes it.
    public func table(_ key: String) -> SettingsReader? {
        guard let value = lookUp(key) else { return nil }
        guard case .table(let table) = value.kind else {
            problem(at: key, message: "is \(value.kind.name)", mend: "expected is a table")
            return nil
        }
        return child(table, keyPath: path(of: key), position: value.position)
    }

    /// A reader for each of the tables under `key` (`[[key]]`), in the file's order; none if there are none.
    public func tables(_ key: String) -> [SettingsReader] {
        guard let value = lookUp(key) else { return [] }
        guard case .array(let elements) = value.kind else {
            problem(
                at: key, message: "is \(value.kind.name)", mend: "expected is an array of tables, each under [[\(key)]]")
            return []
        }
        return elements.enumerated().compactMap { index, element in
            let name = "\(key)[\(index + 1)]"
            guard case .table(let table) = element.kind else {
                add(at: name, position: element.position, message: "is \(element.kind.name)", mend: "expected is a table")
                return nil
            }
            return child(table, keyPath: path(of: name), position: element.position)
        }
    }

    /// A table whose keys are free, as in `map = { open = 1, closed = 0 }`, and whose values are strings (environment
    /// variables filled in), numbers or booleans. In the file's order.
    public func dictionary(_ key: String) -> [Table.Entry]? {
        guard let value = lookUp(key) else { return nil }
        guard case .table(let table) = value.kind else {
            problem(at: key, message: "is \(value.kind.name)", mend: "expected is a table, as in { open = 1, closed = 0 }")
            return nil
        }
        var entries: [Table.Entry] = []
        for var entry in table.entries {
            let path = "\(key).\(entry.key)"
            switch entry.value.kind {
            case .string(let raw):
                guard let text = filled(raw, at: path, position: entry.value.position) else { continue }
                entry.value.kind = .string(text)
            case .integer, .number, .boolean: break
            case .array, .table, .date:
                add(
                    at: path, position: entry.value.position, message: "is \(entry.value.kind.name)",
                    mend: "expected is a string, a number or a boolean")
                continue
            }
            entries.append(entry)
        }
        return entries.count == table.entries.count ? entries : nil
    }
}

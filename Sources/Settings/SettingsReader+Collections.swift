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
        elements(key) { value, path in
            guard case .string(let raw) = value.kind else {
                wrongType(value, at: path, expected: "a string")
                return nil
            }
            return filled(raw, at: path, position: value.position).flatMap {
                parsed($0, at: path, position: value.position, parse)
            }
        }
    }

    /// An array of numbers; a single number stands for an array of one.
    public func numbers(_ key: String) -> [Double]? {
        elements(key) { value, path in
            if let number = value.kind.number { return number }
            wrongType(value, at: path, expected: "a finite number")
            return nil
        }
    }

    /// - Parameter read: makes something of the value at a path, or reports why not.
    private func elements<T>(_ key: String, _ read: (Value, String) -> T?) -> [T]? {
        guard let value = lookUp(key) else { return nil }
        guard case .array(let elements) = value.kind else { return read(value, key).map { [$0] } }
        let results = elements.enumerated().compactMap { read($1, "\(key)[\($0 + 1)]") }
        return results.count == elements.count ? results : nil
    }

    /// Whether an array of two values or more stands under `key`.
    public func isPlural(_ key: String) -> Bool {
        if case .array(let elements)? = lookUp(key)?.kind { elements.count > 1 } else { false }
    }

    // MARK: Tables

    /// A reader of the table under `key`; this one's ``finish()`` finishes it.
    public func table(_ key: String) -> SettingsReader? {
        guard let value = lookUp(key) else { return nil }
        guard case .table(let table) = value.kind else {
            wrongType(value, at: key, expected: "a table")
            return nil
        }
        return child(table, keyPath: path(of: key), position: value.position)
    }

    /// A reader for each of the tables under `key` (`[[key]]`), in the file's order; none if there are none.
    public func tables(_ key: String) -> [SettingsReader] {
        guard let value = lookUp(key) else { return [] }
        guard case .array(let elements) = value.kind else {
            wrongType(value, at: key, expected: "an array of tables, each under [[\(key)]]")
            return []
        }
        return elements.enumerated().compactMap { index, element in
            let name = "\(key)[\(index + 1)]"
            guard case .table(let table) = element.kind else {
                wrongType(element, at: name, expected: "a table")
                return nil
            }
            return child(table, keyPath: path(of: name), position: element.position)
        }
    }

    /// A reader for each of the tables under `key`, be it one, `[key]`, or several, `[[key]]`.
    public func tableOrTables(_ key: String) -> [SettingsReader] {
        if case .table? = lookUp(key)?.kind { table(key).map { [$0] } ?? [] } else { tables(key) }
    }

    /// A table whose keys are free, as in `map = { open = 1, closed = 0 }`, and whose values are strings (environment
    /// variables filled in), numbers or booleans. In the file's order.
    public func dictionary(_ key: String) -> [Table.Entry]? {
        guard let value = lookUp(key) else { return nil }
        guard case .table(let table) = value.kind else {
            wrongType(value, at: key, expected: "a table, as in { open = 1, closed = 0 }")
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
                wrongType(entry.value, at: path, expected: "a string, a number or a boolean")
                continue
            }
            entries.append(entry)
        }
        return entries.count == table.entries.count ? entries : nil
    }
}

extension SettingsReader {
    /// A table of anything, nested too, its environment variables filled in: for keys whose meaning somebody else
    /// knows, such as a plugin.
    public func anyTable(_ key: String) -> Table? {
        guard let value = lookUp(key) else { return nil }
        guard case .table(let table) = value.kind else {
            wrongType(value, at: key, expected: "a table, as in { pin = 4 }")
            return nil
        }
        return filled(table, at: key)
    }

    private func filled(_ table: Table, at path: String) -> Table? {
        let entries = table.entries.compactMap { entry -> Table.Entry? in
            var entry = entry
            guard let value = filled(entry.value, at: "\(path).\(entry.key)") else { return nil }
            entry.value = value
            return entry
        }
        return entries.count == table.entries.count ? Table(entries) : nil
    }

    private func filled(_ value: Value, at path: String) -> Value? {
        var value = value
        switch value.kind {
        case .string(let raw):
            guard let text = filled(raw, at: path, position: value.position) else { return nil }
            value.kind = .string(text)
        case .array(let elements):
            let all = elements.enumerated().compactMap { filled($1, at: "\(path)[\($0 + 1)]") }
            guard all.count == elements.count else { return nil }
            value.kind = .array(all)
        case .table(let table):
            guard let table = filled(table, at: path) else { return nil }
            value.kind = .table(table)
        case .integer, .number, .boolean, .date: break
        }
        return value
    }
}

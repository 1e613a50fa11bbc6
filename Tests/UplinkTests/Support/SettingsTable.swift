import Settings
import Units

/// A reader of a table with these keys, as a configuration's file would give it.
func settingsTable(_ keys: KeyValuePairs<String, Value.Kind>) -> SettingsReader {
    let entries = keys.enumerated().map { index, key in
        Table.Entry(
            key: key.key, keyPosition: SourcePosition(line: index + 2, column: 1),
            value: Value(key.value, at: SourcePosition(line: index + 2, column: 20)))
    }
    return SettingsReader(
        Table(entries), keyPath: "uplink[1]", position: SourcePosition(line: 1, column: 1), problems: Problems())
}

extension SettingsReader {
    /// What is wrong, unknown keys included, without the places.
    func finished() -> [String] {
        finish()
        return problems.all.map { problem in
            "\(problem.keyPath): \(problem.message)" + (problem.mend.map { ": \($0)" } ?? "")
        }
    }
}

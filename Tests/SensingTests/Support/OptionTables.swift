import Settings

/// A table among the options, as in `channel = [{ name = "weight", unit = "kg" }]`.
func table(_ options: Options) -> Value.Kind {
    let place = SourcePosition(line: 1, column: 1)
    return .table(
        Table(
            options.map { Table.Entry(key: $0.key, keyPosition: place, value: Settings.Value($0.value, at: place)) }))
}

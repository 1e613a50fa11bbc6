public import Units

extension JSON {
    /// A configuration's table; dates as they were written.
    public init(_ table: Table) { self = .object(table.entries.map { Member($0.key, JSON(setting: $0.value)) }) }

    private init(setting value: Settings.Value) {
        self =
            switch value.kind {
            case .string(let text), .date(let text): .string(text)
            case .integer(let number): .number(Double(number))
            case .number(let number): .number(number)
            case .boolean(let boolean): .boolean(boolean)
            case .array(let elements): .array(elements.map { JSON(setting: $0) })
            case .table(let table): JSON(table)
            }
    }
}

extension SettingsReader {
    /// A string (its environment variables filled in), a finite number or a boolean: for what is compared with values
    /// of any kind. Whole numbers come as `number` too.
    public func scalar(_ key: String) -> Value.Kind? {
        guard let value = lookUp(key) else { return nil }
        if let number = value.kind.number { return .number(number) }
        switch value.kind {
        case .boolean: return value.kind
        case .string: return string(key).map(Value.Kind.string)
        case .integer, .number, .array, .table, .date:
            wrongType(value, at: key, expected: "a string, a finite number or a boolean")
            return nil
        }
    }
}

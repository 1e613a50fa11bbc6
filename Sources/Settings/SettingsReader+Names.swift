extension SettingsReader {
    /// The string under `key`, or the digits of the integer there: for what has a name and a number.
    public func nameOrNumber(_ key: String) -> String? {
        if case .integer(let number)? = lookUp(key)?.kind { return "\(number)" }
        return string(key)
    }
}

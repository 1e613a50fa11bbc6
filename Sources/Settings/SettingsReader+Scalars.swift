public import Units

extension SettingsReader {
    // MARK: Strings

    /// The string under `key`, its environment variables filled in.
    public func string(_ key: String) -> String? {
        guard let value = lookUp(key) else { return nil }
        guard let raw = typed(key, expected: "a string", \.string) else { return nil }
        return filled(raw, at: key, position: value.position)
    }

    public func string(_ key: String, default: String) -> String { string(key) ?? `default` }

    /// A file or folder; a relative one is relative to the configuration's directory.
    public func path(_ key: String) -> String? {
        string(key).map { $0.hasPrefix("/") ? $0 : "\(directory)/\($0)" }
    }

    /// The string under `key`; its absence is a problem.
    public func requiredString(_ key: String) -> String? {
        require(key)
        return string(key)
    }

    /// What `parse` makes of the string under `key`; what it throws becomes a problem.
    ///
    ///     let every = settings.parsed("server", Server.init(parsing:))
    public func parsed<T>(_ key: String, _ parse: (String) throws(InvalidText) -> T) -> T? {
        guard let text = string(key), let position = lookUp(key)?.position else { return nil }
        return parsed(text, at: key, position: position, parse)
    }

    func parsed<T>(
        _ text: String, at key: String, position: SourcePosition, _ parse: (String) throws(InvalidText) -> T
    ) -> T? {
        do {
            return try parse(text)
        } catch {
            add(at: key, position: position, message: error.message, mend: error.mend)
            return nil
        }
    }

    // MARK: Booleans and numbers

    public func boolean(_ key: String) -> Bool? {
        typed(key, expected: "true or false") { if case .boolean(let value) = $0 { value } else { nil } }
    }

    public func integer(_ key: String, in range: some RangeExpression<Int>) -> Int? {
        let value: Int? = typed(key, expected: "an integer") {
            if case .integer(let value) = $0 { Int(exactly: value) } else { nil }
        }
        return checked(value, key, in: range) { "\($0)" }
    }

    public func integer(_ key: String) -> Int? { integer(key, in: Int.min...) }

    /// Whether an integer stands under `key`, where a string may stand too.
    public func isInteger(_ key: String) -> Bool {
        if case .integer? = lookUp(key)?.kind { true } else { false }
    }

    /// A number; an integer will do, infinity and NaN will not.
    public func number(_ key: String, in range: some RangeExpression<Double>) -> Double? {
        checked(typed(key, expected: "a finite number", \.number), key, in: range) { $0.compact }
    }

    public func number(_ key: String) -> Double? { number(key, in: (-Double.infinity)...) }

    // MARK: Quantities

    /// A duration such as "1m30s" (``Duration/init(parsing:)``).
    public func duration(_ key: String, in range: some RangeExpression<Duration>) -> Duration? {
        checked(quantity(key, #"a duration with its unit, as in "10s""#, Duration.init(parsing:)), key, in: range) {
            $0.compact
        }
    }

    public func duration(_ key: String) -> Duration? { duration(key, in: Duration.zero...) }

    /// A size such as "64MB" (``ByteCount/init(parsing:)``).
    public func byteCount(_ key: String, in range: some RangeExpression<ByteCount>) -> ByteCount? {
        checked(quantity(key, #"a size with its unit, as in "64MB""#, ByteCount.init(parsing:)), key, in: range) {
            $0.description
        }
    }

    public func byteCount(_ key: String) -> ByteCount? { byteCount(key, in: ByteCount(bytes: 0)...) }

    private func quantity<T>(
        _ key: String, _ expected: String, _ parse: (String) throws(InvalidText) -> T
    ) -> T? {
        guard let value = lookUp(key) else { return nil }
        let bare: String
        switch value.kind {
        case .integer(let number): bare = "\(number)"
        case .number(let number): bare = number.compact
        default: return typed(key, expected: expected, \.string).flatMap { _ in parsed(key, parse) }
        }
        // Its parser refuses it too, and knows the mend; but it is not a string here.
        do { _ = try parse(bare) } catch {
            problem(at: key, message: error.message.filter { $0 != "\"" }, mend: error.mend)
        }
        return nil
    }

    // MARK: Choices

    /// One of several words, for which `choices` says what they stand for.
    public func choice<T>(_ key: String, of choices: KeyValuePairs<String, T>) -> T? {
        guard let word = string(key) else { return nil }
        if let choice = choices.first(where: { $0.key == word }) { return choice.value }
        let words = choices.map(\.key)
        problem(at: key, message: "\"\(word)\" is not possible", mend: words.suggestion(for: word))
        return nil
    }

    /// One of an enumeration's raw values.
    public func choice<T: CaseIterable & RawRepresentable<String>>(_ key: String, of type: T.Type) -> T? {
        guard let word = string(key) else { return nil }
        if let choice = T(rawValue: word) { return choice }
        let words = T.allCases.map(\.rawValue)
        problem(at: key, message: "\"\(word)\" is not possible", mend: words.suggestion(for: word))
        return nil
    }

    // MARK: Ranges

    private func checked<T, R: RangeExpression<T>>(
        _ value: T?, _ key: String, in range: R, _ text: (T) -> String
    ) -> T? {
        guard let value, !range.contains(value) else { return value }
        let mend: String? =
            switch range {
            case let range as ClosedRange<T>: "allowed is \(text(range.lowerBound)) to \(text(range.upperBound))"
            case let range as PartialRangeFrom<T>: "allowed is \(text(range.lowerBound)) and more"
            case let range as PartialRangeThrough<T>: "allowed is up to \(text(range.upperBound))"
            case let range as PartialRangeUpTo<T>: "allowed is below \(text(range.upperBound))"
            default: nil
            }
        problem(at: key, message: "\(text(value)) is out of range", mend: mend)
        return nil
    }
}

extension [String] {
    /// What to write instead of a word that is none of these.
    public func suggestion(for word: String) -> String {
        let all = "possible are \(joined(separator: ", "))"
        return nearest(to: word).map { "did you mean \"\($0)\"? (\(all))" } ?? all
    }
}

extension Value.Kind {
    var string: String? { if case .string(let value) = self { value } else { nil } }

    var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value) where value.isFinite: value
        default: nil
        }
    }
}

extension Double {
    /// Without the ".0" of whole numbers.
    fileprivate var compact: String {
        let text = "\(self)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

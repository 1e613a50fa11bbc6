internal import Units

/// How a property takes values from text.
struct ValueReader<Value> {
    var isRepeating = false
    var values: [String] = []
    var completion: CompletionKind = .default
    /// Makes a value of text, given what was given before.
    let read: (String, Value?) throws -> Value

    /// How a default is shown; nil if it is nothing.
    let describe: (Value) -> String?
}

extension ValueReader where Value: ExpressibleByArgument {
    /// One value; of several the last counts.
    static var one: ValueReader {
        ValueReader(
            values: Value.allValueStrings, completion: Value.defaultCompletionKind,
            read: { text, _ in try Value.reading(text) }, describe: { $0.defaultValueDescription })
    }
}

extension ValueReader {
    /// The same as a value that need not be there.
    static func optional<T: ExpressibleByArgument>() -> ValueReader where Value == T? {
        ValueReader(
            values: T.allValueStrings, completion: T.defaultCompletionKind, read: { text, _ in try T.reading(text) },
            describe: { $0?.defaultValueDescription })
    }

    static func list<T: ExpressibleByArgument>() -> ValueReader where Value == [T] {
        ValueReader(
            isRepeating: true, values: T.allValueStrings, completion: T.defaultCompletionKind,
            read: { text, before in try (before ?? []) + [T.reading(text)] },
            describe: { $0.isEmpty ? nil : $0.map(\.defaultValueDescription).joined(separator: ", ") })
    }

    /// One value by a function.
    static func transforming<T>(_ transform: @escaping (String) throws -> T, _ wrap: @escaping (T) -> Value)
        -> ValueReader
    {
        ValueReader(
            read: { text, _ in
                do { return wrap(try transform(text)) } catch { throw InvalidValue(expectation: "\(error)") }
            }, describe: { _ in nil })
    }
}

extension ExpressibleByArgument {
    fileprivate static func reading(_ text: String) throws -> Self {
        if let value = Self(argument: text) { return value }
        var expectation = valueExpectation.map { "it takes \($0)" }
        if let meant = allValueStrings.nearest(to: text) {
            expectation = "\(expectation.map { "\($0). " } ?? "")Did you mean '\(meant)'?"
        }
        throw InvalidValue(expectation: expectation)
    }
}

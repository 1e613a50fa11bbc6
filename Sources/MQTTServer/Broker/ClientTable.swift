/// Something for each of some clients, by their identifiers.
///
/// Identifiers are equal when their bytes are; Swift's strings are when they look the same.
struct ClientTable<Value: Sendable>: Sendable {
    private struct Key: Hashable, Sendable {
        let identifier: String

        static func == (left: Self, right: Self) -> Bool { left.identifier.hasBytes(of: right.identifier) }

        func hash(into hasher: inout Hasher) {
            var copy = identifier
            copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    private var values: [Key: Value] = [:]

    var count: Int { values.count }
    /// In no order.
    var all: some Sequence<(client: String, value: Value)> { values.lazy.map { ($0.key.identifier, $0.value) } }

    subscript(client: String) -> Value? {
        get { values[Key(identifier: client)] }
        set { values[Key(identifier: client)] = newValue }
    }
}

extension String {
    /// MQTT's equality.
    func hasBytes(of other: String) -> Bool { utf8.count == other.utf8.count && utf8.elementsEqual(other.utf8) }
}

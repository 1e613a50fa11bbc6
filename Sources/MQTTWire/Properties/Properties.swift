/// The properties of a packet, in order. Only user properties, and the subscription identifiers of a PUBLISH, may
/// stand more than once (5.0 §2.2.2.2); decoding and encoding check that, and which property may stand where.
public struct Properties: Sendable, Hashable, ExpressibleByArrayLiteral {
    public var all: [Property]

    public init(_ all: [Property] = []) { self.all = all }
    public init(arrayLiteral elements: Property...) { all = elements }

    public var isEmpty: Bool { all.isEmpty }
}

extension Properties {
    public mutating func append(_ property: Property) { all.append(property) }
}

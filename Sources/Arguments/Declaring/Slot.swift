/// Where the parser puts a value, out of reach of the property wrapper that is looked at: a mirror shows copies.
///
/// Written by the parser only, before anybody else has the command; whoever sets a property gets a slot of his own.
final class Slot<Value> {
    private(set) var value: Value?
    private(set) var isGiven = false

    init(_ value: Value?) { self.value = value }

    /// - Parameter change: is told what was given before; a default does not count.
    func give(_ change: (Value?) throws -> Value) rethrows {
        value = try change(isGiven ? value : nil)
        isGiven = true
    }
}

extension Slot {
    /// The value of a property; parsed commands have them all.
    var parsed: Value {
        guard let value else { preconditionFailure("a command's properties have their values once it is parsed") }
        return value
    }
}

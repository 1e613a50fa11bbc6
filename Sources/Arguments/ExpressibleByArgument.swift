/// A type that an option or an argument can have.
///
/// An enumeration of strings that is `CaseIterable` needs no more than this conformance: its cases are in the help, in
/// completions and in what is said about a wrong value.
public protocol ExpressibleByArgument {
    init?(argument: String)

    /// How a default is shown.
    var defaultValueDescription: String { get }
    /// All values, if they are few.
    static var allValueStrings: [String] { get }
    static var defaultCompletionKind: CompletionKind { get }
    /// What a wrong value should have been, as in "a whole number".
    static var valueExpectation: String? { get }
}

extension ExpressibleByArgument {
    public var defaultValueDescription: String { "\(self)" }
    public static var allValueStrings: [String] { [] }
    public static var defaultCompletionKind: CompletionKind {
        allValueStrings.isEmpty ? .default : .list(allValueStrings)
    }
    public static var valueExpectation: String? {
        allValueStrings.isEmpty ? nil : listed(allValueStrings, joining: "or")
    }
}

extension ExpressibleByArgument where Self: LosslessStringConvertible {
    public init?(argument: String) { self.init(argument) }
}

extension ExpressibleByArgument where Self: RawRepresentable, RawValue: ExpressibleByArgument {
    public init?(argument: String) {
        guard let raw = RawValue(argument: argument) else { return nil }
        self.init(rawValue: raw)
    }

    public var defaultValueDescription: String { rawValue.defaultValueDescription }
}

extension ExpressibleByArgument
where Self: RawRepresentable, RawValue: ExpressibleByArgument, Self: LosslessStringConvertible {
    public init?(argument: String) {
        guard let raw = RawValue(argument: argument) else { return nil }
        self.init(rawValue: raw)
    }
}

extension ExpressibleByArgument where Self: CaseIterable {
    public static var allValueStrings: [String] { allCases.map(\.defaultValueDescription) }
}

extension ExpressibleByArgument where Self: FixedWidthInteger {
    public static var valueExpectation: String? {
        Self.bitWidth < 32 ? "a whole number, \(Self.min) to \(Self.max)" : "a whole number"
    }
}

extension String: ExpressibleByArgument {}
extension Int: ExpressibleByArgument {}
extension Int8: ExpressibleByArgument {}
extension Int16: ExpressibleByArgument {}
extension Int32: ExpressibleByArgument {}
extension Int64: ExpressibleByArgument {}
extension UInt: ExpressibleByArgument {}
extension UInt8: ExpressibleByArgument {}
extension UInt16: ExpressibleByArgument {}
extension UInt32: ExpressibleByArgument {}
extension UInt64: ExpressibleByArgument {}
extension Double: ExpressibleByArgument {
    public static var valueExpectation: String? { "a number" }
}
extension Bool: ExpressibleByArgument {
    public static var allValueStrings: [String] { ["true", "false"] }
}

/// Words as a sentence has them: "a, b or c".
func listed(_ words: [String], joining conjunction: String) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return "\(words.dropLast().joined(separator: ", ")) \(conjunction) \(last)"
}

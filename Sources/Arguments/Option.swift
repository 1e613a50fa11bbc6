/// A value with a name: `--port 1883`, `--port=1883`, `-p 1883`, `-p=1883`, `-p1883`.
///
/// A property without a default must be given, unless it is optional. An array takes the option as often as it is
/// given; its default stands for nothing given.
@propertyWrapper public struct Option<Value>: DeclaringWrapper {
    private let names: NameSpecification
    private let takesDashes: Bool
    private let help: ArgumentHelp
    private let completion: CompletionKind?
    private let reader: ValueReader<Value>
    private let isRequired: Bool
    private var slot: Slot<Value>

    public var wrappedValue: Value {
        get { slot.parsed }
        set { slot = Slot(newValue) }
    }

    private init(
        _ names: NameSpecification, _ takesDashes: Bool, _ help: ArgumentHelp?, _ completion: CompletionKind?,
        _ reader: ValueReader<Value>, default value: Value? = nil
    ) {
        self.names = names
        self.takesDashes = takesDashes
        self.help = help ?? ArgumentHelp()
        self.completion = completion
        self.reader = reader
        isRequired = value == nil
        slot = Slot(value)
    }

    func declaration(of property: String) -> Declaration {
        let slot = slot, reader = reader
        return Declaration(
            kind: .option(takesDashes: takesDashes), names: names.names(of: property), help: help,
            property: hyphenated(property), isRequired: isRequired, isRepeating: reader.isRepeating,
            defaultText: slot.value.flatMap(reader.describe), values: reader.values,
            completion: completion ?? reader.completion,
            read: { text in try slot.give { try reader.read(text, $0) } }, isGiven: { slot.isGiven })
    }
}

extension Option where Value: ExpressibleByArgument {
    public init(
        name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next, help: ArgumentHelp? = nil,
        completion: CompletionKind? = nil
    ) {
        self.init(name, parsing == .unconditional, help, completion, .one)
    }

    public init(
        wrappedValue: Value, name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next,
        help: ArgumentHelp? = nil, completion: CompletionKind? = nil
    ) {
        self.init(name, parsing == .unconditional, help, completion, .one, default: wrappedValue)
    }
}

extension Option {
    public init<T: ExpressibleByArgument>(
        wrappedValue: T? = nil, name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next,
        help: ArgumentHelp? = nil, completion: CompletionKind? = nil
    ) where Value == T? {
        self.init(name, parsing == .unconditional, help, completion, .optional(), default: .some(wrappedValue))
    }

    public init<T: ExpressibleByArgument>(
        name: NameSpecification = .long, parsing: ArrayParsingStrategy = .singleValue, help: ArgumentHelp? = nil,
        completion: CompletionKind? = nil
    ) where Value == [T] {
        self.init(name, parsing == .unconditionalSingleValue, help, completion, .list())
    }

    public init<T: ExpressibleByArgument>(
        wrappedValue: [T], name: NameSpecification = .long, parsing: ArrayParsingStrategy = .singleValue,
        help: ArgumentHelp? = nil, completion: CompletionKind? = nil
    ) where Value == [T] {
        self.init(name, parsing == .unconditionalSingleValue, help, completion, .list(), default: wrappedValue)
    }

    /// - Parameter transform: makes the value; what it throws is why a value cannot be.
    public init(
        name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next, help: ArgumentHelp? = nil,
        completion: CompletionKind? = nil, transform: @escaping (String) throws -> Value
    ) {
        self.init(name, parsing == .unconditional, help, completion, .transforming(transform) { $0 })
    }

    /// - Parameter transform: makes the value; what it throws is why a value cannot be.
    public init<T>(
        wrappedValue: T? = nil, name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next,
        help: ArgumentHelp? = nil, completion: CompletionKind? = nil, transform: @escaping (String) throws -> T
    ) where Value == T? {
        self.init(
            name, parsing == .unconditional, help, completion, .transforming(transform) { $0 },
            default: .some(wrappedValue))
    }
}

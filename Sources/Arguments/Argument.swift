/// A value without a name, told by its place. An array takes all that are left, and comes last.
///
/// A property without a default must be given, unless it is optional.
@propertyWrapper public struct Argument<Value>: DeclaringWrapper {
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
        _ help: ArgumentHelp?, _ completion: CompletionKind?, _ reader: ValueReader<Value>, default value: Value? = nil
    ) {
        self.help = help ?? ArgumentHelp()
        self.completion = completion
        self.reader = reader
        isRequired = value == nil
        slot = Slot(value)
    }

    func declaration(of property: String) -> Declaration {
        let slot = slot, reader = reader
        return Declaration(
            kind: .argument, help: help, property: hyphenated(property), isRequired: isRequired,
            isRepeating: reader.isRepeating, defaultText: slot.value.flatMap(reader.describe), values: reader.values,
            completion: completion ?? reader.completion,
            read: { text in try slot.give { try reader.read(text, $0) } }, isGiven: { slot.isGiven })
    }
}

extension Argument where Value: ExpressibleByArgument {
    public init(help: ArgumentHelp? = nil, completion: CompletionKind? = nil) {
        self.init(help, completion, .one)
    }

    public init(wrappedValue: Value, help: ArgumentHelp? = nil, completion: CompletionKind? = nil) {
        self.init(help, completion, .one, default: wrappedValue)
    }
}

extension Argument {
    public init<T: ExpressibleByArgument>(
        wrappedValue: T? = nil, help: ArgumentHelp? = nil, completion: CompletionKind? = nil
    ) where Value == T? {
        self.init(help, completion, .optional(), default: .some(wrappedValue))
    }

    public init<T: ExpressibleByArgument>(help: ArgumentHelp? = nil, completion: CompletionKind? = nil)
    where Value == [T] {
        self.init(help, completion, .list())
    }

    public init<T: ExpressibleByArgument>(
        wrappedValue: [T], help: ArgumentHelp? = nil, completion: CompletionKind? = nil
    ) where Value == [T] {
        self.init(help, completion, .list(), default: wrappedValue)
    }
}

/// Something that is said or not: `--json`. One with an inversion can be denied as well, `--no-console`; the last word
/// counts. One that is a number counts how often it is given: `-v -v`, `-vv`.
@propertyWrapper public struct Flag<Value>: DeclaringWrapper {
    private let names: NameSpecification
    private let inversion: FlagInversion?
    private let help: ArgumentHelp
    private let isRequired: Bool
    private let isCounting: Bool
    private let describe: (Value) -> Bool?
    private let raised: (Bool, Value?) -> Value
    private var slot: Slot<Value>

    public var wrappedValue: Value {
        get { slot.parsed }
        set { slot = Slot(newValue) }
    }

    private init(
        _ names: NameSpecification, _ inversion: FlagInversion?, _ help: ArgumentHelp?, isCounting: Bool = false,
        default value: Value?, describe: @escaping (Value) -> Bool?, raised: @escaping (Bool, Value?) -> Value
    ) {
        self.names = names
        self.inversion = inversion
        self.help = help ?? ArgumentHelp()
        self.isCounting = isCounting
        isRequired = value == nil
        self.describe = describe
        self.raised = raised
        slot = Slot(value)
    }

    func declaration(of property: String) -> Declaration {
        let slot = slot, raised = raised
        let (on, off) = inversion?.names(names.names(of: property)) ?? (names.names(of: property), [])
        let preset = inversion == nil ? nil : slot.value.flatMap(describe)
        return Declaration(
            kind: .flag, names: on, inverseNames: off, help: help, property: hyphenated(property),
            isRequired: isRequired, isRepeating: isCounting,
            defaultText: preset.flatMap { ($0 ? on : off).last?.description },
            raise: { isOn in slot.give { raised(isOn, $0) } }, isGiven: { slot.isGiven })
    }
}

extension Flag where Value == Bool {
    public init(wrappedValue: Bool, name: NameSpecification = .long, help: ArgumentHelp? = nil) {
        self.init(name, nil, help, default: wrappedValue, describe: { $0 }, raised: { isOn, _ in isOn })
    }

    public init(
        wrappedValue: Bool, name: NameSpecification = .long, inversion: FlagInversion, help: ArgumentHelp? = nil
    ) {
        self.init(name, inversion, help, default: wrappedValue, describe: { $0 }, raised: { isOn, _ in isOn })
    }

    /// One of both must be said.
    public init(name: NameSpecification = .long, inversion: FlagInversion, help: ArgumentHelp? = nil) {
        self.init(name, inversion, help, default: nil, describe: { $0 }, raised: { isOn, _ in isOn })
    }
}

extension Flag where Value == Bool? {
    /// Nil when neither is said.
    public init(
        wrappedValue: Bool? = nil, name: NameSpecification = .long, inversion: FlagInversion, help: ArgumentHelp? = nil
    ) {
        self.init(name, inversion, help, default: .some(wrappedValue), describe: { $0 }, raised: { isOn, _ in isOn })
    }
}

extension Flag where Value == Int {
    /// How often it is given.
    public init(wrappedValue: Int = 0, name: NameSpecification = .long, help: ArgumentHelp? = nil) {
        self.init(
            name, nil, help, isCounting: true, default: wrappedValue, describe: { _ in nil },
            raised: { _, count in (count ?? wrappedValue) + 1 })
    }
}

/// What denies a flag. Only long names can be denied.
public enum FlagInversion: Sendable {
    /// `--console`, `--no-console`.
    case prefixedNo
    /// `--enable-console`, `--disable-console`.
    case prefixedEnableDisable

    func names(_ names: [Name]) -> (on: [Name], off: [Name]) {
        let long = names.compactMap { if case .long(let name) = $0 { name } else { nil } }
        return switch self {
        case .prefixedNo: (names, long.map { .long("no-\($0)") })
        case .prefixedEnableDisable:
            (names.filter(\.isShort) + long.map { .long("enable-\($0)") }, long.map { .long("disable-\($0)") })
        }
    }
}

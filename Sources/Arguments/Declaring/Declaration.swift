/// What a property declares, without its type.
struct Declaration {
    enum Kind {
        /// - Parameter takesDashes: whether a value may look like an option.
        case option(takesDashes: Bool)
        case flag
        case argument
        // What every command has.
        case help, version, completionScript
    }

    var kind: Kind
    /// None for an argument.
    var names: [Name] = []
    /// What turns a flag off.
    var inverseNames: [Name] = []
    var help: ArgumentHelp
    /// The property, as it would be typed.
    var property: String
    var isRequired = false
    var isRepeating = false
    var defaultText: String?
    /// All that it may be, if that is few.
    var values: [String] = []
    var completion: CompletionKind = .default
    /// The heading it stands under in the help.
    var title: String?
    /// Takes an option's or an argument's value. Throws ``InvalidValue``.
    var read: (String) throws -> Void = { _ in }
    /// Takes a flag; false if by an inverse name.
    var raise: (Bool) -> Void = { _ in }
    var isGiven: () -> Bool = { false }
}

extension Declaration {
    var isArgument: Bool { if case .argument = kind { true } else { false } }
    var takesValue: Bool {
        switch kind {
        case .option, .argument, .completionScript: true
        case .flag, .help, .version: false
        }
    }
    /// Whether the command declares it itself.
    var isOwn: Bool {
        switch kind {
        case .option, .flag, .argument: true
        case .help, .version, .completionScript: false
        }
    }
    var isVisible: Bool { help.visibility == .default }
    var allNames: [Name] { names + inverseNames }
    /// The name that usage and errors use: the first long one.
    var preferredName: Name? { names.first { !$0.isShort } ?? names.first }

    var valueName: String {
        if let name = help.valueName { return name }
        if case .long(let name)? = preferredName { return name }
        return property
    }

    /// `--config <file>`, `--json`, `<file>`.
    var synopsis: String { spelled(preferredName) }

    /// The same by another of its names.
    func spelled(_ name: Name?) -> String {
        switch kind {
        case .argument: "<\(valueName)>"
        case .option, .completionScript: "\(name?.description ?? "") <\(valueName)>"
        case .flag, .help, .version: name?.description ?? ""
        }
    }
}

/// A value that its type does not take.
struct InvalidValue: Error {
    /// What it should be, as in "a whole number", or why it cannot be.
    let expectation: String?
}

/// Options that several commands have in common, or that stand under a heading of their own in the help.
@propertyWrapper public struct OptionGroup<Group: ParsableArguments> {
    private let title: String
    private let visibility: ArgumentVisibility
    private var slot: Slot<Group>

    public var wrappedValue: Group {
        get { slot.parsed }
        set { slot = Slot(newValue) }
    }

    /// - Parameter title: the heading; without one the options stand among the command's own.
    public init(title: String = "", visibility: ArgumentVisibility = .default) {
        self.title = title
        self.visibility = visibility
        slot = Slot(Group())
    }
}

extension OptionGroup: DeclaringGroup {
    func declarations() -> [Declaration] {
        Arguments.declarations(of: slot.parsed).map {
            var declaration = $0
            if declaration.title == nil, !title.isEmpty { declaration.title = title }
            if visibility == .hidden { declaration.help.visibility = .hidden }
            return declaration
        }
    }

    func validate() throws {
        try slot.give { _ in
            var group = slot.parsed
            try Arguments.validate(&group)
            return group
        }
    }
}

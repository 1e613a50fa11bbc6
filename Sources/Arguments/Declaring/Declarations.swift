/// A property wrapper that declares one option, flag or argument.
protocol DeclaringWrapper {
    /// - Parameter property: the property's name.
    func declaration(of property: String) -> Declaration
}

/// A property wrapper around several of them.
protocol DeclaringGroup {
    func declarations() -> [Declaration]
    func validate() throws
}

/// All that `arguments` declares, in the order of its properties.
func declarations(of arguments: any ParsableArguments) -> [Declaration] {
    Mirror(reflecting: arguments).children.flatMap { child -> [Declaration] in
        // The wrapper of a property is stored under its name with an underscore before it.
        if let wrapper = child.value as? any DeclaringWrapper, let label = child.label {
            return [wrapper.declaration(of: String(label.drop { $0 == "_" }))]
        }
        return (child.value as? any DeclaringGroup)?.declarations() ?? []
    }
}

/// Groups first: what holds them may rely on them.
func validate(_ arguments: inout some ParsableArguments) throws {
    for child in Mirror(reflecting: arguments).children {
        try (child.value as? any DeclaringGroup)?.validate()
    }
    try arguments.validate()
}

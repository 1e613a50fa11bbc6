/// How an option or a flag is named.
public struct NameSpecification: Sendable, ExpressibleByArrayLiteral {
    public struct Element: Sendable {
        enum Form { case long, short, customLong(String), customShort(Character) }
        let form: Form

        /// The property's name: `passwordFile` is `--password-file`.
        public static var long: Element { Element(form: .long) }
        /// The first letter of the property's name.
        public static var short: Element { Element(form: .short) }
        public static func customLong(_ name: String) -> Element { Element(form: .customLong(name)) }
        public static func customShort(_ letter: Character) -> Element { Element(form: .customShort(letter)) }
    }

    let elements: [Element]

    public init(arrayLiteral elements: Element...) { self.elements = elements }

    public static var long: NameSpecification { [.long] }
    public static var short: NameSpecification { [.short] }
    public static var shortAndLong: NameSpecification { [.short, .long] }
    public static func customLong(_ name: String) -> NameSpecification { [.customLong(name)] }
    public static func customShort(_ letter: Character) -> NameSpecification { [.customShort(letter)] }

    /// The names of a property, those of one letter first.
    func names(of property: String) -> [Name] {
        let names: [Name] = elements.flatMap { element -> [Name] in
            switch element.form {
            case .long: [.long(hyphenated(property))]
            case .short: property.first.map { [.short($0)] } ?? []
            case .customLong(let name): [.long(name)]
            case .customShort(let letter): [.short(letter)]
            }
        }
        return names.filter(\.isShort) + names.filter { !$0.isShort }
    }
}

/// One name of an option or a flag.
enum Name: Hashable, Sendable, CustomStringConvertible {
    case long(String)
    case short(Character)

    var isShort: Bool { if case .short = self { true } else { false } }

    /// As it is typed.
    var description: String {
        switch self {
        case .long(let name): "--\(name)"
        case .short(let letter): "-\(letter)"
        }
    }
}

/// `passwordFile` as `password-file`, `tlsURL` as `tls-url`.
func hyphenated(_ property: String) -> String {
    let letters = Array(property)
    var result = ""
    for (place, letter) in letters.enumerated() {
        let beginsWord =
            place > 0 && letter.isUppercase
            && (!letters[place - 1].isUppercase || (place + 1 < letters.count && letters[place + 1].isLowercase))
        if beginsWord { result += "-" }
        result += letter.lowercased()
    }
    return result
}

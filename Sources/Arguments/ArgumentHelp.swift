/// What the help says about one option, flag or argument.
public struct ArgumentHelp: Sendable, ExpressibleByStringInterpolation {
    /// One sentence.
    public var abstract: String
    /// What else there is to say, below the abstract.
    public var discussion: String
    /// What stands for the value, as in `--config <file>`; by default the option's own name.
    public var valueName: String?
    public var visibility: ArgumentVisibility

    public init(
        _ abstract: String = "", discussion: String = "", valueName: String? = nil,
        visibility: ArgumentVisibility = .default
    ) {
        self.abstract = abstract
        self.discussion = discussion
        self.valueName = valueName
        self.visibility = visibility
    }

    public init(stringLiteral value: String) { self.init(value) }

    /// Can be used, and is shown nowhere.
    public static var hidden: ArgumentHelp { ArgumentHelp(visibility: .hidden) }
}

/// Whether help, completions, suggestions and the manual know an argument.
public enum ArgumentVisibility: Sendable {
    case `default`, hidden
}

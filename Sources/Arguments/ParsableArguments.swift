/// A group of options, flags and arguments, each of them a property with one of the wrappers ``Option``, ``Flag``,
/// ``Argument`` and ``OptionGroup``.
///
/// The names and their meaning are those of swift-argument-parser; what is not needed here is not there.
public protocol ParsableArguments: SendableMetatype {
    /// With the values that hold when nothing is given.
    init()

    /// Refuses values that make no sense, alone or together; called when all are read, groups before what holds them.
    ///
    /// - Throws: ``ValidationError`` with the reason, which is shown with the usage.
    mutating func validate() throws
}

extension ParsableArguments {
    public mutating func validate() throws {}
}

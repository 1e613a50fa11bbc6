import FieldpostCommands

/// An agent for wells: all that `fieldpost` is, and a driver that nobody else has.
///
/// A package of one's own depends on the product `FieldpostCommands` of this one, has a file like this and one for each
/// driver, and is built as `fieldpost` is. Its configuration says `driver = "well"`; `check` knows the driver's options,
/// `read` reads it, `sensors` and `setup` find it, and `run` does with its readings what it does with all.
@main struct WellAgent {
    static func main() { Program.main(drivers: [WellDriver.self], finders: [WellFinder()]) }
}

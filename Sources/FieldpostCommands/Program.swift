internal import Arguments
internal import FieldpostAgent
public import Sensing

/// The whole of `fieldpost`, for a program that has drivers of its own.
///
///     import FieldpostCommands
///     import Sensing
///
///     @main struct WellAgent {
///         static func main() { Program.main(drivers: [WellDriver.self]) }
///     }
///
/// is an agent with every command and every driver that `fieldpost` has, and one more: `driver = "well"` in its
/// configuration.
public enum Program {
    /// Does what the command line says, and ends the process.
    ///
    /// - Parameters:
    ///   - drivers: beside the built-in ones; one of the same name takes that one's place.
    ///   - finders: what `sensors` and `setup` look for beside what is built in.
    public static func main(drivers: [any SensorDriver.Type] = [], finders: [any SensorFinder] = []) {
        Console.holdDescriptors()
        ServiceEnvironment.hide()
        let arguments = ClientArguments.joiningProperties(Array(CommandLine.arguments.dropFirst()))
        AgentDrivers.withDrivers(drivers, finders: finders) { Fieldpost.main(arguments) }
    }
}

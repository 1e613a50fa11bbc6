import Arguments
import FieldpostAgent

struct Sensors: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists what this board has that can be read, with what it says at present.",
        discussion: """
            Looks where the kernel shows its devices, and reads each of them once with the driver and the options that a \
            configuration would name; nothing is changed by that. What is there but cannot be read is listed with the \
            reason and the mend; below stand the places where more may be connected: GPIO chips with their lines and who has \
            them, I2C buses, serial lines. With --toml it prints [[sensor]] tables, which by themselves are a configuration already: \
            an agent that is its own broker.
            """)

    @Flag(help: "As tables for a configuration.")
    var toml = false

    @Flag(help: "One JSON object for each sensor.")
    var json = false

    func validate() throws {
        if toml, json { throw ValidationError("--toml and --json exclude each other") }
    }

    func run() async throws {
        let report = await SensorsReport.look()
        for line in toml ? report.toml : json ? report.jsonLines : report.lines { Console.print(line) }
    }
}

import Arguments
import FieldpostAgent

struct Setup: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a first configuration: asks for broker, device and sensors, and tries them.",
        discussion: """
            Every answer can be an option; what is given is not asked for. With --yes nothing is asked: what was not \
            given is as it is by default, and what has no default must be given.

                fieldpost setup
                fieldpost setup --yes --broker mqtts://broker.example --username bin-0427 --password-file - < secret

            The broker is connected to before anything is written. The password goes to a file of its own beside the \
            configuration, which only its owner can read. A configuration that is there already is replaced only when \
            somebody says so, and stays as .bak.

            Exit codes: 0 written; 1 not wanted; 64 an answer is missing or cannot be; 69 the broker is not reachable or \
            lets nobody in; 74 a file cannot be read or written. After all but 0 nothing is written.
            """)

    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp(
            "Where the configuration goes. (default: /etc/fieldpost/fieldpost.toml for root, else ./fieldpost.toml)",
            valueName: "file"), completion: .file(extensions: ["toml"]))
    var config: String?

    @Option(help: ArgumentHelp("mqtts://host and the like; none: a broker of its own.", valueName: "url"))
    var broker: String?

    @Option(help: ArgumentHelp("The board's name in topics. (default: the host name)", valueName: "name"))
    var device: String?

    @Option(help: ArgumentHelp("Who connects to the broker; none: nobody in particular.", valueName: "name"))
    var username: String?

    @Option(
        help: ArgumentHelp("Where the password stands; -: in the first line of standard input.", valueName: "file"),
        completion: .file())
    var passwordFile: String?

    @Option(
        help: ArgumentHelp(
            "Who vouches for the broker's certificate; none: the system's trust store.", valueName: "file"),
        completion: .file())
    var caFile: String?

    @Option(help: ArgumentHelp("all, none, or names with commas between them.", valueName: "names"))
    var sensors: String?

    @Flag(name: [.short, .customLong("yes"), .customLong("non-interactive")], help: "Ask nothing.")
    var yes = false

    @Flag(help: "Replace a configuration that is there; it stays as .bak.")
    var force = false

    @Flag(name: .customLong("test"), inversion: .prefixedNo, help: "Connect to the broker before anything is written.")
    var test = true

    func run() async throws {
        var options = SetupOptions()
        options.file = config
        options.broker = broker
        options.device = device
        options.username = username
        options.passwordFile = passwordFile
        options.caFile = caFile
        options.sensors = sensors
        options.isQuiet = yes
        options.force = force
        options.tests = test
        do {
            try await SetupProgram.run(options)
        } catch {
            throw fail(error, error.code)
        }
    }
}

extension SetupError {
    fileprivate var code: ExitCode {
        switch kind {
        case .usage: .validationFailure
        case .declined: .negative
        case .unavailable: .unavailable
        case .inputOutput: .inputOutput
        }
    }
}

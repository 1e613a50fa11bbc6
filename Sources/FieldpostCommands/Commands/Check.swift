import Arguments
import FieldpostAgent
import Settings

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Finds all that is wrong with a configuration, each with its place and the mend.",
        discussion: """
            Touches neither sensors nor broker, but the files that it names; where only the service can see one, as its \
            credentials, it says so. Exit code 0 if the configuration can be used, 1 if not.

            With --for-update it is the new program that is asked, before a board is switched to it: it looks at the queue \
            and the store as well, of which it says whether it can go on with them and whether the present program could \
            have them back, at the room on the disk and at the ports. The present program may run meanwhile; nothing is \
            created, changed or locked. Credentials that systemd hands to the service are found with \
            CREDENTIALS_DIRECTORY=/etc/credstore.
            """
    )

    @Argument(
        help: "The configuration file: an agent's, a broker's, or one for fieldpost dispatch.",
        completion: .file(extensions: ["toml"]))
    var file: String?

    @Option(
        help: ArgumentHelp("A mosquitto.conf: what of it is honoured, and what is not.", valueName: "file"),
        completion: .file(extensions: ["conf"]))
    var mosquittoConf: String?

    @Flag(help: "Ask whether this program can go on where the present one stops.")
    var forUpdate = false

    @Flag(help: "With --for-update: as a JSON object.")
    var json = false

    func validate() throws {
        if forUpdate, mosquittoConf != nil { throw ValidationError("--for-update is for Fieldpost's own files") }
        if json, !forUpdate { throw ValidationError("--json goes with --for-update") }
        if (file == nil) == (mosquittoConf == nil) {
            throw ValidationError("name one file, FILE or --mosquitto-conf FILE")
        }
    }

    func run() throws {
        if forUpdate, let file {
            if DispatchConfiguration.isMeant(byFile: file) {
                throw ValidationError("--for-update is for agents and brokers; \(file) is for fieldpost dispatch")
            }
            let report = UpdateCheck.run(file: file)
            for line in report.lines(asJSON: json) { Console.print(line) }
            if !report.isGood { throw ExitCode.negative }
            return
        }
        do {
            if let file {
                if DispatchConfiguration.isMeant(byFile: file) {
                    try checkDispatch(file)
                } else {
                    try BrokerConfiguration.isAlone(inFile: file) ? checkBroker(file) : checkAgent(file)
                }
            } else if let mosquittoConf {
                try checkMosquitto(mosquittoConf)
            }
        } catch let exit as ExitCode {
            throw exit
        } catch {
            Console.print("\(error)")
            throw ExitCode.negative
        }
    }

    private func checkAgent(_ file: String) throws {
        let (configuration, warnings) = try AgentConfiguration.read(file: file, secrets: .checked)
        for warning in warnings { Console.print(warning) }
        for line in configuration.hiddenFiles { Console.print("\(file): warning: \(line)") }
        if let problem = configuration.trustProblem() {
            Console.print("\(file): \(problem)")
            throw ExitCode.negative
        }
        if let server = configuration.server { try check(server, file) }
        let sensors = configuration.sensorNames.count
        Console.print(
            "\(file): good: device \"\(configuration.device.id)\", \(sensors) sensor\(sensors == 1 ? "" : "s")\(configuration.server == nil ? "" : ", a broker of its own")"
        )
    }

    private func checkBroker(_ file: String) throws {
        let (configuration, warnings) = try BrokerConfiguration.read(file: file, secrets: .checked)
        for warning in warnings { Console.print(warning) }
        try check(configuration, file)
        Console.print("\(file): good: a broker")
    }

    private func checkDispatch(_ file: String) throws {
        let (configuration, warnings) = try DispatchConfiguration.read(file: file, secrets: .checked)
        for warning in warnings { Console.print(warning) }
        for line in configuration.broker.hiddenFiles() { Console.print("\(file): warning: \(line)") }
        if let problem = configuration.broker.trustProblem() {
            Console.print("\(file): \(problem)")
            throw ExitCode.negative
        }
        Console.print("\(file): good: \(configuration.summary)")
    }

    private func checkMosquitto(_ file: String) throws {
        let (configuration, honoured, findings) = try BrokerConfiguration.read(mosquitto: file)
        for finding in findings { Console.print("\(finding)") }
        try check(configuration, file)
        let others = findings.count { $0.kind == .notHonoured && $0.line > 0 }
        let needless = findings.count { $0.kind == .needless }
        Console.print(
            "\(file): good: \(honoured) directive\(honoured == 1 ? "" : "s") honoured, \(others) not, \(needless) not needed; fieldpost broker --mosquitto-conf \(file) --print-config shows it as TOML"
        )
    }

    /// Loads what the broker's configuration names, and says who may come in.
    private func check(_ broker: BrokerConfiguration, _ file: String) throws {
        let (problems, warnings) = broker.check(secrets: .checked)
        for warning in warnings { Console.print("\(file): warning: \(warning)") }
        for problem in problems { Console.print("\(file): \(problem)") }
        if !problems.isEmpty { throw ExitCode.negative }
        for line in broker.announcement { Console.print("\(file): will listen at \(line)") }
    }
}

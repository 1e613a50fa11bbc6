import Arguments
import FieldpostAgent

struct Broker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The embedded MQTT broker on its own.",
        discussion: """
            Without options it listens at port 1883 of 127.0.0.1, lets in everybody on this machine, and keeps \
            nothing on disk. A configuration has [server] and [[listener]] tables; Config/broker.toml shows them all. At a \
            terminal there is a console; type help. SIGTERM and SIGINT stop it cleanly within five seconds, SIGHUP reads \
            passwords, access rules and certificates again.
            """)

    @Option(name: .shortAndLong, help: "The port; 0 takes a free one. (default: 1883)")
    var port: Int?

    @Option(
        help: ArgumentHelp(
            "The address to listen at, 0.0.0.0 or :: for all. (default: 127.0.0.1)", valueName: "address"))
    var bind: String?

    @Flag(help: "Let in clients without a name also where others can reach the broker.")
    var allowAnonymous = false

    @Option(
        help: ArgumentHelp("Who may come in, as mosquitto_passwd writes it.", valueName: "file"), completion: .file())
    var passwordFile: String?

    @Option(
        name: [.customShort("c"), .long], help: ArgumentHelp("A configuration file (TOML).", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config: String?

    @Option(
        help: ArgumentHelp("A mosquitto.conf; what of it is not honoured is named.", valueName: "file"),
        completion: .file(extensions: ["conf"]))
    var mosquittoConf: String?

    @Flag(help: "Print the configuration as TOML, and run nothing; what TOML cannot say goes to standard error.")
    var printConfig = false

    @Flag(
        name: .customLong("console"), inversion: .prefixedNo,
        help: "Take commands from standard input. (default: at a terminal)")
    var console: Bool?

    @Flag(name: .shortAndLong, help: "Log more; twice for still more.")
    var verbose: Int

    func validate() throws {
        let files = [config, mosquittoConf].compactMap { $0 }
        if files.count > 1 { throw ValidationError("--config and --mosquitto-conf exclude each other") }
        guard let port, !(0...65_535).contains(port) else {
            guard !files.isEmpty, port != nil || bind != nil || allowAnonymous || passwordFile != nil else { return }
            throw ValidationError("where to listen and whom to let in is said in the file")
        }
        throw ValidationError("--port is \(port); a port is 0 to 65535")
    }

    func run() async throws {
        var configuration = try load()
        if printConfig {
            for line in configuration.toml { Console.print(line) }
            for line in configuration.unsaid { Console.warning(line) }
            return
        }
        if verbose > 0 { configuration.raiseLogLevel(by: verbose) }
        let service = BrokerService(
            configuration, file: config ?? mosquittoConf, console: console.map { $0 ? .always : .never } ?? .atTerminal,
            hint: config ?? mosquittoConf == nil ? "--bind and --config change that" : nil)
        do {
            try await service.run()
        } catch BrokerError.configuration(let problems) {
            throw fail(problems.joined(separator: "\n"), .configuration)
        } catch {
            throw fail(error, .inputOutput)
        }
    }

    private func load() throws -> BrokerConfiguration {
        do {
            if let config {
                let (configuration, warnings) = try BrokerConfiguration.read(file: config)
                for warning in warnings { Console.warning(warning) }
                return configuration
            }
            if let mosquittoConf {
                let (configuration, _, findings) = try BrokerConfiguration.read(mosquitto: mosquittoConf)
                for finding in findings where finding.kind == .notHonoured { Console.warning("\(finding)") }
                return configuration
            }
        } catch {
            throw fail(error, .configuration)
        }
        let configuration = BrokerConfiguration(
            host: bind, port: port, allowsAnonymous: allowAnonymous ? true : nil, passwordFile: passwordFile)
        if !configuration.isOpen {
            throw fail(
                "nobody could come in: others can reach \(bind ?? ""), so clients need a name: give --password-file, a --config, or --allow-anonymous",
                .configuration)
        }
        return configuration
    }
}

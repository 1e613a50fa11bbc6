import Arguments
import FieldpostAgent

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The agent.",
        discussion: """
            Runs in the foreground and logs to standard error. SIGTERM and SIGINT stop it cleanly within five seconds: \
            what was read is on disk, and the status says "offline" and why. SIGHUP reads the configuration again; \
            one with problems is refused, and the agent goes on as before. A service manager that wants to know (systemd's \
            Type=notify and WatchdogSec=) is told when it is ready, how it fares, and that every part of it lives.
            """)

    @OptionGroup var options: ConfigurationOption

    func run() async throws {
        let configuration = try options.load()
        do {
            try await Service(configuration, file: options.config).run()
        } catch BrokerError.configuration(let problems) {
            throw fail(problems.joined(separator: "\n"), .configuration)
        } catch {
            throw fail(error, .inputOutput)
        }
    }
}

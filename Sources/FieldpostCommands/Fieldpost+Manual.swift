import Arguments

extension Fieldpost {
    /// What fieldpost(1) says besides the commands: `fieldpost help --manual`.
    static let manual = Manual(
        date: "2026-11-21",
        exitCodes: [
            .init("0", "Done."),
            .init("1", "A negative answer: what was looked for is not so."),
            .init("27", "No time left: `sub -W`, `request`."),
            .init("64", "Wrongly used; the usage is shown."),
            .init("69", "The broker cannot be reached."),
            .init("74", "Input or output failed."),
            .init("78", "The configuration cannot be used."),
        ],
        environment: [
            .init("${NAME}", "In a configuration it stands for the variable NAME."),
            .init("STATE_DIRECTORY", "Where the queue is, unless the configuration says it."),
            .init(
                "CREDENTIALS_DIRECTORY", "Where the service's secrets are; systemd sets it (LoadCredential=)."),
            .init(
                "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, JOURNAL_STREAM",
                "How a service manager is told how the agent fares, and how lines for the journal look."),
            .init("SSL_CERT_FILE, SSL_CERT_DIR", "Whom to trust, in the place of the system's store."),
            .init("COLUMNS", "How many letters go into a line of help."),
            .init("TMPDIR", "Where the demo has its files."),
        ],
        files: [
            .init("/etc/fieldpost/fieldpost.toml", "The service's configuration."),
            .init("/etc/default/fieldpost", "Environment of the service, for ${NAME} in the configuration."),
            .init(
                "/etc/credstore/fieldpost.password",
                "The password, for root only; the service finds it as ${CREDENTIALS_DIRECTORY}/fieldpost.password."),
            .init("/var/lib/fieldpost", "The offline queue of the service."),
        ],
        seeAlso: ["fieldpost.toml(5)", "mosquitto_pub(1)", "mosquitto_sub(1)", "systemctl(1)"])
}

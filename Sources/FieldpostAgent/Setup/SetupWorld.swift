internal import Sensing

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What ``Setup`` finds around it; a test has its own.
struct SetupWorld: Sendable {
    var hostName = AgentConfiguration.currentHostName
    var isRoot = geteuid() == 0
    var workingDirectory = Self.currentDirectory
    var accounts = Accounts.ofThisMachine
    /// Whether systemd runs this machine (sd_booted(3)), and knows our service.
    var hasService =
        access("/run/systemd/system", F_OK) == 0
        && ["/etc", "/usr/lib", "/lib"].contains { access("\($0)/systemd/system/\(Self.service)", F_OK) == 0 }
    var findSensors: @Sendable () async -> [FoundSensor] = {
        await SensorDiscovery(finders: AgentDrivers.finders, registry: AgentDrivers.registry).run()
    }
    var test: @Sendable (SetupAnswers) async -> ConnectionTest.Outcome = { await ConnectionTest.run($0) }

    /// The configuration that the service reads.
    var serviceFile = ServiceUser.configuration
    var isServiceEnabled = access("/etc/systemd/system/multi-user.target.wants/\(Self.service)", F_OK) == 0
    /// Its control group is there as long as it has a process.
    var isServiceRunning = ["", "/systemd"].contains {
        access("/sys/fs/cgroup\($0)/system.slice/\(Self.service)", F_OK) == 0
    }
    /// A small system may have none; its owner is root then.
    var sudo = access("/usr/bin/sudo", X_OK) == 0 ? "sudo " : ""

    private static let service = "fieldpost.service"

    var usualFile: String { isRoot ? serviceFile : "fieldpost.toml" }

    func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        var path = path[...]
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        return workingDirectory == "/" ? "/\(path)" : "\(workingDirectory)/\(path)"
    }

    /// Who must be able to read what a configuration names; nil: whoever writes it now.
    ///
    /// - Returns: the service's user; one that belongs to nothing if systemd invents it (DynamicUser=).
    func serviceUser(for file: String) -> (user: ServiceUser, isInvented: Bool)? {
        guard isRoot, file == serviceFile else { return nil }
        let known = accounts.serviceUser()
        guard var user = known ?? (hasService ? ServiceUser(user: 65_534, groups: []) : nil) else { return nil }
        if hasService { user.hiddenFolders = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"] }
        return (user, known == nil)
    }

    /// How a service whose user systemd invents comes by a password that stands in root's file.
    func credentialSteps(_ passwordFile: String, _ file: String) -> [String] {
        [
            "warning: this system has no user fieldpost: a service with DynamicUser=yes cannot read \(passwordFile). Hand it over:",
            "    \(sudo)install -D -m 600 \(passwordFile) /etc/credstore/fieldpost.password",
            "and write in \(file), in the place of the other:",
            "    password_file = \"${CREDENTIALS_DIRECTORY}/fieldpost.password\"",
        ]
    }

    /// What to type next.
    func nextSteps(_ file: String) -> [String] {
        if hasService, file == serviceFile {
            guard isServiceRunning else {
                return ["Start the agent, now and with the board:", "    \(sudo)systemctl enable --now fieldpost"]
            }
            return ["The agent runs already; make it read this:", "    \(sudo)systemctl restart fieldpost"]
                + (isServiceEnabled
                    ? [] : ["Make it start with the board:", "    \(sudo)systemctl enable fieldpost"])
        }
        return [
            "Look at the sensors, and start the agent:", "    fieldpost read --config \(file)",
            "    fieldpost run --config \(file)",
        ]
    }

    private static var currentDirectory: String {
        guard let path = getcwd(nil, 0) else { return "." }
        defer { free(path) }
        return String(cString: path)
    }
}

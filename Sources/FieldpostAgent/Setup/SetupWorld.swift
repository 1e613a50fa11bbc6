internal import Sensing
internal import StoreForward

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
    var findSensors: @Sendable () async -> [FoundSensor] = { await SensorDiscovery().run() }
    var test: @Sendable (SetupAnswers) async -> ConnectionTest.Outcome = { await ConnectionTest.run($0) }

    private static let service = "fieldpost.service"
    private static let serviceFile = "/etc/fieldpost/fieldpost.toml"

    var usualFile: String { isRoot ? Self.serviceFile : "fieldpost.toml" }

    func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/") else { return path }
        var path = path[...]
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        return workingDirectory == "/" ? "/\(path)" : "\(workingDirectory)/\(path)"
    }

    /// What to type next.
    func nextSteps(_ file: String) -> [String] {
        if hasService, file == Self.serviceFile {
            let queue = (try? AgentConfiguration.load(path: file).configuration.queue.path) ?? ""
            return FileLock.isHeld("\(queue).lock")
                ? ["The agent runs already; make it read this:", "    systemctl restart fieldpost"]
                : ["Start the agent, now and with the board:", "    systemctl enable --now fieldpost"]
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

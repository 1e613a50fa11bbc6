internal import Database
internal import MQTTServer
internal import Settings
internal import StoreForward

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Looks, before a board is switched to this program, whether it could go on where the present one stops: at the
/// configuration and all that it names, the queue, the broker's store, the disk, the ports.
///
/// Nothing is created, changed, locked or connected to; the present program may run meanwhile.
public enum UpdateCheck {
    /// - Parameter file: a configuration, an agent's or a broker's.
    public static func run(file: String) -> UpdateReport {
        run(file: file, service: file == ServiceUser.configuration ? Accounts.ofThisMachine.serviceUser() : nil)
    }

    /// - Parameter service: whose the queue and the store are to be, if that is known.
    static func run(file: String, service: ServiceUser?) -> UpdateReport {
        var report = UpdateReport(file: file)
        do {
            if BrokerConfiguration.isAlone(inFile: file) {
                let (configuration, warnings) = try BrokerConfiguration.read(file: file, secrets: .checked)
                report.add(configuration: configuration, warnings, service)
            } else {
                let (configuration, warnings) = try AgentConfiguration.read(file: file, secrets: .checked)
                report.add(configuration: configuration, warnings, service)
            }
        } catch {
            for problem in error.problems {
                // The report has a mark of its own for warnings.
                var bare = problem
                bare.severity = .error
                report.add(problem.severity == .warning ? .warning : .problem, "configuration", bare.line(file: file))
            }
            if error.omitted > 0 { report.add(.problem, "configuration", "\(file): and \(error.omitted) more") }
        }
        return report
    }
}

extension UpdateReport {
    fileprivate mutating func add(configuration: AgentConfiguration, _ warnings: [String], _ service: ServiceUser?) {
        for warning in warnings { add(.warning, "configuration", warning) }
        for line in configuration.hiddenFiles { add(.warning, "configuration", "\(file): \(line)") }
        if let problem = configuration.trustProblem() { add(.problem, "configuration", "\(file): \(problem)") }
        let sensors = configuration.sensorNames.count
        let isAllSeen = warnings.isEmpty && configuration.hiddenFiles.isEmpty
        add(
            .good, "configuration",
            "\(file): device \"\(configuration.device.id)\", \(sensors) sensor\(sensors == 1 ? "" : "s")\(isAllSeen ? "; its secrets can be read" : "")"
        )
        add(DatabaseOutlook(path: configuration.queue.path, format: Outbox.format), as: "queue")
        addAccess(to: configuration.queue.path, as: "queue", service)
        if let server = configuration.server {
            add(server: server, isRunning: FileLock.isHeld("\(configuration.queue.path).lock"), service)
        }
    }

    fileprivate mutating func add(configuration: BrokerConfiguration, _ warnings: [String], _ service: ServiceUser?) {
        for warning in warnings { add(.warning, "configuration", warning) }
        add(.good, "configuration", "\(file): a broker")
        add(server: configuration, isRunning: false, service)
    }

    /// Whether a database and its folder can be written by whoever is to.
    private mutating func addAccess(to path: String, as subject: String, _ service: ServiceUser?) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        for place in [folder, path] where access(place, F_OK) == 0 {
            if access(place, W_OK) != 0 {
                // Another user may be able to.
                if errno == EROFS {
                    add(
                        .problem, subject,
                        "\(place) is on a file system that is mounted for reading only; mount it for writing")
                    return
                }
                add(
                    service?.user == geteuid() ? .problem : .warning, subject,
                    "\(place) may not be written by this user; chown or chmod it, or check as the user of the service")
                return
            }
            if geteuid() == 0, let obstacle = service?.obstacle(to: .write, place) {
                add(.problem, subject, "\(obstacle); chown it to the user of the service")
                return
            }
        }
    }

    /// - Parameter isRunning: whether the agent around it is known to be at work.
    private mutating func add(server: BrokerConfiguration, isRunning: Bool, _ service: ServiceUser?) {
        let (problems, warnings) = server.check(secrets: .checked)
        for warning in warnings { add(.warning, "configuration", "\(file): \(warning)") }
        for problem in problems { add(.problem, "configuration", "\(file): \(problem)") }
        var isRunning = isRunning
        if let path = server.server.persistence?.path {
            isRunning = isRunning || FileLock.isHeld("\(path).lock")
            add(DatabaseOutlook(path: path, format: MQTTServer.storeFormat), as: "store")
            addAccess(to: path, as: "store", service)
        }
        let taken = ListeningPorts.all()
        let firstFree = ListeningPorts.firstUnprivileged
        for listener in server.server.listeners {
            guard case .tcp(_, let port) = listener.address, port > 0 else { continue }
            if port < firstFree, geteuid() != 0 {
                add(
                    .warning, "listener",
                    "\(listener.name): port \(port) is below \(firstFree): only root, or a service with CAP_NET_BIND_SERVICE, can listen there"
                )
            }
            switch (taken.contains(port), isRunning) {
            case (false, _): add(.good, "listener", "\(listener.name): port \(port) is free")
            case (true, true):
                add(.good, "listener", "\(listener.name): port \(port) is in use, while the present program runs")
            case (true, false):
                add(
                    .warning, "listener",
                    "\(listener.name): somebody listens at port \(port); if it is not the present program, end it or choose another port"
                )
            }
        }
    }
}

/// Who holds a file locked, without taking the lock.
enum FileLock {
    /// By what the kernel says of locks (proc_locks(5)).
    static func isHeld(_ path: String) -> Bool {
        var file = stat()
        guard stat(path, &file) == 0, let locks = try? SmallFile(path: "/proc/locks", limit: 1 << 22).bytes else {
            return false
        }
        // "1: FLOCK  ADVISORY  WRITE 712 08:01:525 0 EOF"
        return String(decoding: locks, as: UTF8.self).split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            return fields.count > 5 && fields[1] == "FLOCK" && fields[5].split(separator: ":").last == "\(file.st_ino)"
        }
    }
}

/// The TCP ports of this machine that somebody listens at.
enum ListeningPorts {
    /// By proc_net_tcp: "0: 0100007F:075B 00000000:0000 0A …", in which 0A is a listener.
    static func all() -> Set<Int> {
        var ports: Set<Int> = []
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            guard let bytes = try? SmallFile(path: table, limit: 1 << 24).bytes else { continue }
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                guard fields.count > 3, fields[3] == "0A", let port = fields[1].split(separator: ":").last else {
                    continue
                }
                if let port = Int(port, radix: 16) { ports.insert(port) }
            }
        }
        return ports
    }

    /// Lower ones are for root (ip-sysctl, ip_unprivileged_port_start).
    static var firstUnprivileged: Int {
        let bytes = (try? SmallFile(path: "/proc/sys/net/ipv4/ip_unprivileged_port_start", limit: 64).bytes) ?? []
        return Int(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 1024
    }
}

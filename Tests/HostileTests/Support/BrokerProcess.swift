import Glibc
import MQTTWire
import TestSupport

/// The broker under attack: a process of its own, so that a crash is seen as its end and its memory is its own.
///
/// `HOSTILE_BROKER=mosquitto` puts Mosquitto in its place, which shows whether a finding is the broker's or the test's.
final class BrokerProcess: Sendable {
    enum Kind: String, Sendable {
        case fieldpost
        case mosquitto
    }

    /// `HOSTILE_FIELDPOST` names another build of it, such as a release's.
    private static let executable = getenv("HOSTILE_FIELDPOST").map { String(cString: $0) }

    static let kind =
        getenv("HOSTILE_BROKER").flatMap { Kind(rawValue: String(cString: $0)) } ?? .fieldpost
    /// Whether our own broker is attacked.
    static var isOurs: Bool { kind == .fieldpost }

    let port: Int
    let program: Program
    private let directory: TemporaryDirectory

    /// Starts a broker on 127.0.0.1 for anonymous clients, and waits until it serves them.
    ///
    /// - Parameters:
    ///   - lines: more lines for its `mosquitto.conf`, which both brokers read.
    ///   - directory: where its files are; by default one of its own.
    static func start(lines: [String] = [], in directory: TemporaryDirectory? = nil) async throws -> BrokerProcess {
        raiseDescriptorLimit()
        let directory = try directory ?? TemporaryDirectory()
        let port = try freePort()
        let configuration = ["listener \(port) 127.0.0.1", "allow_anonymous true", "sys_interval 1"] + lines
        let file = try directory.write(
            (configuration + (isOurs ? [] : ["user root", "set_tcp_nodelay true"])).joined(separator: "\n") + "\n",
            to: "mosquitto.conf")
        let program =
            switch kind {
            case .fieldpost:
                try await Program.start(executable ?? Program.built("fieldpost"), ["broker", "--mosquitto-conf", file])
            case .mosquitto: try await Program.start(systemProgram("mosquitto"), ["-c", file])
            }
        try await eventually("a broker that accepts connections") {
            if await program.errors.isFinished {
                throw Unexpected("it ended: \(await program.errors.lines.suffix(20).joined(separator: "\n"))")
            }
            return accepts(port: port)
        }
        return BrokerProcess(port: port, program: program, directory: directory)
    }

    private init(port: Int, program: Program, directory: TemporaryDirectory) {
        self.port = port
        self.program = program
        self.directory = directory
    }

    var isAlive: Bool {
        guard let state = readFile("/proc/\(program.processIdentifier)/stat")?.split(separator: ")").last else {
            return false
        }
        return !state.hasPrefix(" Z")
    }

    /// The memory that is its own and in no file (RssAnon), in bytes; 0 when it has ended.
    var anonymousMemory: Int {
        guard let status = readFile("/proc/\(program.processIdentifier)/status"),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
            let size = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Int($0) })
        else { return 0 }
        return size * 1024
    }

    /// How many files and sockets it has open.
    var openDescriptors: Int {
        guard let folder = opendir("/proc/\(program.processIdentifier)/fd") else { return 0 }
        defer { closedir(folder) }
        var count = -2  // "." and ".."
        while readdir(folder) != nil { count += 1 }
        return count
    }

    /// The last lines that it wrote.
    var lastWords: String {
        get async { await program.errors.lines.suffix(8).map { $0.prefix(300) }.joined(separator: "\n") }
    }

    private func readFile(_ path: String) -> String? {
        guard let stream = fopen(path, "re") else { return nil }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// Floods need more than the usual 1,024; the broker inherits it.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(resource, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }
}

import Glibc
import Logging
import SQLite
import StoreForward
import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct UpdateCheckTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        try write("[broker]\nservers = [\"mqtt://b\"]\n")
    }

    private var file: String { folder.path("a.toml") }
    private func write(_ text: String) throws { try folder.write("[device]\nid = \"d\"\n" + text, to: "a.toml") }

    private func open() async throws -> Outbox {
        try await Outbox.open(
            path: folder.path("queue.db"), logger: Logger(label: "", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Names, sizes, times and contents of everything in the folder.
    private func everything() throws -> [String: [Int]] {
        guard let stream = opendir(folder.path) else { throw CancellationError() }
        defer { closedir(stream) }
        var all: [String: [Int]] = [:]
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == ".." { continue }
            var file = stat()
            #expect(lstat(folder.path(name), &file) == 0)
            all[name] = [
                Int(file.st_ino), Int(file.st_size), file.st_mtim.tv_sec, file.st_mtim.tv_nsec, file.st_ctim.tv_sec,
                file.st_ctim.tv_nsec, name == "." ? 0 : try folder.readBytes(name).hashValue,
            ]
        }
        return all
    }

    private func check(_ expected: String..., isGood: Bool = true) throws {
        let before = try everything()
        let report = UpdateCheck.run(file: file)
        #expect(try everything() == before, "nothing is touched")
        #expect(report.isGood == isGood, "\(report.lines(asJSON: false))")
        let text = report.lines(asJSON: false).joined(separator: "\n")
        for part in expected { #expect(text.contains(part), "\(text)") }
        let json = report.lines(asJSON: true)
        #expect(json.count == 1 && json.first?.hasPrefix("{\"good\":\(isGood),") == true)
    }

    @Test func `a board without a queue`() throws {
        try check("queue.db is not there yet", "can take over")
    }

    @Test func `a queue whose agent runs, and one that it has left`() async throws {
        let outbox = try await open()
        _ = try await outbox.increment(counter: "boot")
        #expect(folder.exists("queue.db-wal") && folder.exists("queue.db-shm"))
        try check("queue.db is of format 2, as this program writes it")
        await outbox.close()
        #expect(!folder.exists("queue.db-wal"))
        try check("queue.db is of format 2, as this program writes it")
    }

    @Test func `an older queue is brought up to date, and can be had back`() async throws {
        await (try await open()).close()
        try Connection(path: folder.path("queue.db")).pragma("user_version", 1)
        try check("is of format 1; the first start brings it to 2, which programs from format 1 on can read")
        #expect(UpdateCheck.run(file: file).lines(asJSON: true).first?.contains(#""can_return":true"#) == true)
    }

    @Test func `newer queues`() async throws {
        await (try await open()).close()
        try Connection(path: folder.path("queue.db")).pragma("user_version", 2007)
        try check("of the newer format 7, which this program (2) can go on with")
        try Connection(path: folder.path("queue.db")).pragma("user_version", 9)
        try check("warning: ", "it leaves the file as it is, and begins another beside it")
        await (try await open()).close()
        try Connection(path: folder.path("queue.db")).pragma("user_version", 1002)
        try check("queue.db.format-2, which an older program has begun, is taken over")
    }

    @Test func `files that are no queue`() throws {
        try Connection(path: folder.path("queue.db")).execute("CREATE TABLE t (i)")
        try check("is a database of something else", isGood: false)
        try folder.write("nonsense", to: "queue.db")
        try check("it is damaged; it would be put aside")
        try folder.write("", to: "queue.db")
        try check("is not there yet")
    }

    @Test func `what is wrong with a configuration and its secrets is all there`() throws {
        try write(
            """
            [broker]
            servers = ["mqtts://b"]
            username = "u"
            password_file = "missing"
            [broker.tls]
            ca_file = "ca.pem"
            [[sensor]]
            name = "a"
            driver = "nonsense"
            """)
        try check("broker.password_file", "missing does not exist", "\"nonsense\" is no driver", isGood: false)
        try write("[broker]\nservers = [\"mqtts://b\"]\ntls = { ca_file = \"ca.pem\" }\n")
        try check("broker.tls: ", "ca.pem", isGood: false)
    }

    @Test func `a warning beside a problem stays one`() throws {
        try write("sensor = []\n[broker]\nservers = [\"mqtt://b\"]\nwhat = 1\n")
        let lines = UpdateCheck.run(file: file).lines(asJSON: false)
        #expect(lines.contains { $0.contains("problem: ") && $0.contains("broker.what") }, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("configuration  warning: \(file)") }, "\(lines)")
        #expect(!lines.contains { $0.contains("problem: ") && $0.contains("warning: ") }, "\(lines)")
    }

    @Test func `a folder in which this user may not write is told`() throws {
        guard geteuid() != 0 else { return }
        chmod(folder.path, 0o500)
        defer { chmod(folder.path, 0o700) }
        try check("warning: \(folder.path) may not be written by this user")
    }

    @Test func `root sees what the service's user may not write`() throws {
        guard geteuid() == 0 else { return }
        let service = ServiceUser(user: 4711, groups: [4712])
        func problems() -> [String] {
            UpdateCheck.run(file: file, service: service).findings.filter { $0.severity == .problem }.map(\.text)
        }
        #expect(problems() == ["\(folder.path) may not be written by fieldpost; chown it to the user of the service"])
        chown(folder.path, 4711, 4712)
        #expect(problems() == [])
        // As somebody leaves it who has run the agent as root.
        try folder.write("", to: "queue.db")
        #expect(problems().first?.hasPrefix("\(folder.path("queue.db")) may not be written by fieldpost") == true)
    }

    @Test func `a broker's store and its ports`() async throws {
        let port = try freePort()
        try write("[server]\nstore = { path = \"broker.db\" }\n[[listener]]\nbind = \"127.0.0.1\"\nport = \(port)\n")
        try Connection(path: folder.path("broker.db")).execute(
            "CREATE TABLE t (i); PRAGMA application_id = \(0x4650_4253); PRAGMA user_version = 3")
        try check("store          warning: \(folder.path("broker.db")) is of format 3", "port \(port) is free")
        let listening = try ListeningSocket(port: port)
        try check("warning: 127.0.0.1:\(port): somebody listens at port \(port)")
        let outbox = try await open()
        try check("port \(port) is in use, while the present program runs")
        await outbox.close()
        withExtendedLifetime(listening) {}
    }

    @Test func `a broker alone`() throws {
        try folder.write("[server]\n[[listener]]\nbind = \"127.0.0.1\"\nport = \(try freePort())\n", to: "a.toml")
        try check("a broker", "is free")
    }

    @Test func `room that is not there is a problem`() throws {
        var outlook = DatabaseOutlook(path: folder.path("queue.db"), format: Outbox.format)
        #expect(outlook.findings.map(\.0) == [.good])
        outlook.room = outlook.need - 1
        #expect(outlook.findings.map(\.0) == [.good, .problem])
        #expect(outlook.findings.last?.1.hasSuffix("are free there; make room") == true)
        // A file that is brought to another format may be written once more.
        try Connection(path: folder.path("other.db")).execute(
            "CREATE TABLE t (i); PRAGMA application_id = 1179668290; PRAGMA user_version = 1")
        let older = DatabaseOutlook(path: folder.path("other.db"), format: Outbox.format)
        #expect(older.need == outlook.need + older.size && older.size > 0)
    }
}

/// Listens, and answers nobody.
private final class ListeningSocket {
    private let descriptor: CInt

    init(port: Int) throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(port).bigEndian
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound, listen(descriptor, 1) == 0 else { throw CancellationError() }
    }

    deinit { close(descriptor) }
}

@Suite struct VersionReportTests {
    @Test func `an updater can read it`() {
        let lines = VersionReport().lines(asJSON: true)
        #expect(lines.count == 1)
        for part in [
            #""name":"fieldpost","version":"\#(FieldpostVersion.string)""#, #""mqtt":["5.0","3.1.1"]"#,
            #""queue":{"writes":2,"readable_from":1,"reads":[1,2]}"#,
            #""store":{"writes":2,"readable_from":1,"reads":[1,2]}"#, #""openssl":"3."#, #""sqlite":"3."#,
            #""static":false"#,
        ] { #expect(lines.first?.contains(part) == true, "\(lines)") }
    }
}

internal import Database
internal import Units
internal import Uplink

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What becomes of a database when this program takes it over; seen from outside, also while another one works with it.
/// Nothing is locked, created or written.
struct DatabaseOutlook: Sendable {
    enum State: Sendable, Hashable {
        /// It is made at the first start.
        case absent
        /// It is of our format, or of one that programs of ours can go on with.
        case usable(DatabaseVersion)
        /// It is brought to our format at the first start.
        case older(DatabaseVersion)
        /// It is left as it is, and a stand-in used beside it.
        case newer(DatabaseVersion)
        /// It is another program's database.
        case foreign
        /// It is no database; it would be put aside.
        case damaged
        case unreadable(reason: String)
    }

    let path: String
    let state: State
    let format: DatabaseVersion
    /// Bytes of the file and its log.
    let size: Int64
    /// Stand-ins that are taken over at the first start.
    let standIns: [String]
    /// Bytes that the first start may write beside what there is …
    let need: Int64
    /// … and those that are free there; nil if that is not known.
    var room: Int64?

    init(path: String, format: DatabaseFormat) {
        self.path = path
        self.format = format.version
        let place = DatabasePlace(finding: path, format: format)
        standIns = place.standIns
        state = Self.state(of: path, format)
        size = Self.size(of: path)
        // A migration is one transaction, which may write every page once, into the log.
        var need = Int64(DatabaseFormat.logLimit) + standIns.reduce(0) { $0 + Self.size(of: $1) }
        if case .older = state { need += size }
        self.need = need
        room = Self.room(at: path)
    }

    /// Whether the program that left the file as it is can have it back afterwards; nil when there is nothing to have back.
    var canReturn: Bool? {
        switch state {
        case .usable, .newer: true
        case .older(let version): version.written >= format.readableFrom
        case .absent, .foreign, .damaged, .unreadable: nil
        }
    }

    var findings: [(UpdateReport.Severity, String)] {
        var findings = [finding]
        if canReturn == false {
            findings.append(
                (
                    .warning,
                    "afterwards a program that knows no format from \(format.readableFrom) on cannot read it: it would leave it as it is, and queue beside it"
                ))
        }
        for file in standIns { findings.append((.good, "\(file), which an older program has begun, is taken over")) }
        if let room, room < need {
            findings.append(
                (
                    .problem,
                    "\(path): the first start may need \(ByteCount(bytes: need)), and \(ByteCount(bytes: room)) are free there; make room"
                ))
        }
        return findings
    }

    private var finding: (UpdateReport.Severity, String) {
        switch state {
        case .absent: (.good, "\(path) is not there yet; it is made at the first start")
        case .usable(let version) where version.written > format.written:
            (
                .good,
                "\(path) is of the newer format \(version.written), which this program (\(format.written)) can go on with"
            )
        case .usable(let version): (.good, "\(path) is of format \(version.written), as this program writes it")
        case .older(let version):
            (
                .good,
                "\(path) is of format \(version.written); the first start brings it to \(format.written), which programs from format \(format.readableFrom) on can read"
            )
        case .newer(let version):
            (
                .warning,
                "\(path) is of format \(version.written), for programs that know \(version.readableFrom); this one knows \(format.written): it leaves the file as it is, and begins another beside it, until the newer program is back"
            )
        case .foreign: (.problem, "\(path) is a database of something else; name another file")
        case .damaged: (.warning, "\(path) is no database: it is damaged; it would be put aside")
        case .unreadable(let reason): (.problem, "\(path): \(reason); let this user read it, or be its user")
        }
    }

    var json: JSON {
        var members = [JSON.Member("path", .string(path)), JSON.Member("state", .string(name))]
        switch state {
        case .usable(let version), .older(let version), .newer(let version):
            members.append(JSON.Member("format", .integer(version.written)))
            members.append(JSON.Member("readable_from", .integer(version.readableFrom)))
        case .absent, .foreign, .damaged, .unreadable: break
        }
        members.append(JSON.Member("writes", .integer(format.written)))
        if let canReturn { members.append(JSON.Member("can_return", .boolean(canReturn))) }
        members.append(JSON.Member("bytes", .integer(size)))
        members.append(JSON.Member("need", .integer(need)))
        if let room { members.append(JSON.Member("room", .integer(room))) }
        return .object(members)
    }

    private var name: String {
        switch state {
        case .absent: "absent"
        case .usable: "usable"
        case .older: "older"
        case .newer: "newer"
        case .foreign: "foreign"
        case .damaged: "damaged"
        case .unreadable: "unreadable"
        }
    }

    private static func state(of path: String, _ format: DatabaseFormat) -> State {
        var file = stat()
        guard stat(path, &file) == 0 else {
            return errno == ENOENT ? .absent : .unreadable(reason: String(cString: strerror(errno)))
        }
        if access(path, R_OK) != 0 { return .unreadable(reason: String(cString: strerror(errno))) }
        guard let header = DatabaseHeader(path: path) else { return file.st_size == 0 ? .absent : .damaged }
        do {
            guard let version = try format.check(header) else { return .absent }
            return version.written < format.schema ? .older(version) : .usable(version)
        } catch {
            switch error {
            case .foreign: return .foreign
            case .newer(let version): return .newer(version)
            }
        }
    }

    private static func size(of path: String) -> Int64 {
        DatabaseFile.suffixes.dropLast().reduce(0) { sum, suffix in
            var file = stat()
            return stat(path + suffix, &file) == 0 ? sum + Int64(file.st_size) : sum
        }
    }

    private static func room(at path: String) -> Int64? {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var disk = statvfs()
        guard statvfs(folder, &disk) == 0 else { return nil }
        return Int64(clamping: UInt64(disk.f_bavail) * UInt64(disk.f_frsize))
    }
}

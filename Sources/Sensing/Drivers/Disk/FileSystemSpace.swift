#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// How much room a mounted file system has.
struct FileSystemSpace {
    /// In % of what users may have; nil of a file system without a size.
    let free: Double?
    /// In bytes.
    let available: Double
    let size: Double
    /// In %; nil of a file system that makes them as it needs them.
    let freeInodes: Double?
    let isReadOnly: Bool

    /// May wait for as long as the file system does.
    init(mount: String, in context: DriverContext) throws(SensorError) {
        let path = context.path(mount)
        // A folder on which nothing is mounted has the room of the file system that it is in.
        if let mounts = Mount.all(in: context), !mounts.contains(where: { $0.point == Mount.trimmed(mount) }) {
            throw SensorError(
                .missing, path, "is not where something is mounted",
                mend: "mounted are \(mounts.filter(\.isOnDisk).map(\.point).joined(separator: ", "))")
        }
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw .system(errno, reading: path) }
        let block = Double(status.f_frsize > 0 ? status.f_frsize : status.f_bsize)
        let (all, unused, usable) = (Double(status.f_blocks), Double(status.f_bfree), Double(status.f_bavail))
        available = usable * block
        size = all * block
        free = usable.percentage(of: all - unused + usable)
        freeInodes = Double(status.f_ffree).percentage(of: Double(status.f_files))
        isReadOnly = status.f_flag & UInt(ST_RDONLY) != 0
    }
}

/// A line of /proc/self/mountinfo:
///
///     36 35 98:0 / /mnt/my\040disk rw,noatime shared:1 - ext4 /dev/sda1 rw
struct Mount: Hashable {
    let point: String
    let type: String
    let source: String

    /// Not what only memory, the kernel or an image holds.
    var isOnDisk: Bool { source.hasPrefix("/dev/") && !source.hasPrefix("/dev/loop") && type != "squashfs" }

    init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard let dash = words.firstIndex(of: "-"), dash > 4, words.count > dash + 2 else { return nil }
        point = Self.plain(words[4])
        type = String(words[dash + 1])
        source = Self.plain(words[dash + 2])
    }

    /// Nil where the kernel does not tell.
    static func all(in context: DriverContext) -> [Mount]? {
        guard let text = try? KernelFile.text(context.path("/proc/self/mountinfo")) else { return nil }
        return text.split(separator: "\n").compactMap(Mount.init)
    }

    /// Without the slash at its end.
    static func trimmed(_ path: String) -> String {
        var path = path[...]
        while path.count > 1, path.last == "/" { path.removeLast() }
        return String(path)
    }

    /// White space and backslashes are written in octal.
    private static func plain(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, let code = UInt8(Substring(digits), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Looking around in sysfs and procfs.
enum KernelFolder {
    /// More names than any class of devices has; a bound all the same.
    static let limit = 4096

    /// The names in a folder, sorted; at most ``limit`` of them.
    static func names(in path: String) throws(SensorError) -> [String] {
        guard let folder = opendir(path) else { throw .system(errno, reading: path) }
        defer { closedir(folder) }
        var names: [String] = []
        while names.count < limit, let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// The last component of where a symbolic link points, such as the device behind `hwmon0/device`.
    static func linkTarget(_ path: String) -> String? { linkComponents(path).last }

    /// The components of where a symbolic link points, as it is written; none if it is no link.
    static func linkComponents(_ path: String) -> [String] {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> [String] in
            guard let start = buffer.baseAddress else { return [] }
            let count = readlink(path, start, buffer.count)
            guard count > 0 else { return [] }
            let target = String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return target.split(separator: "/").map(String.init)
        }
    }

    /// The paths under `root` that match a pattern of `glob(7)`, sorted. Folders closed to us match nothing.
    ///
    /// Not `glob(3)`, which knows of home directories and therefore loads shared libraries for user names.
    static func matches(_ pattern: String, under root: String) -> [String] {
        var paths = [root]
        for component in pattern.split(separator: "/").map(String.init) {
            if component.hasWildcard {
                // Each folder is listed once: a second listing may be another one.
                var found: [String] = []
                for folder in paths where found.count < limit {
                    let fitting = ((try? names(in: folder)) ?? []).filter { fnmatch(component, $0, FNM_PERIOD) == 0 }
                    found += fitting.prefix(limit - found.count).map { "\(folder)/\($0)" }
                }
                paths = found
            } else {
                paths = paths.map { "\($0)/\(component)" }
            }
        }
        return paths.filter { access($0, F_OK) == 0 }
    }
}

extension StringProtocol {
    /// Whether it holds a wildcard of `glob(7)`.
    var hasWildcard: Bool { utf8.contains { $0 == 0x2A || $0 == 0x3F || $0 == 0x5B } }
}

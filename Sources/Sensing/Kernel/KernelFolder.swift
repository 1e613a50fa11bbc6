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
    static func linkTarget(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> String? in
            guard let start = buffer.baseAddress else { return nil }
            let count = readlink(path, start, buffer.count)
            guard count > 0 else { return nil }
            let target = String(decoding: buffer[..<count].lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return target.split(separator: "/").last.map(String.init)
        }
    }

    /// The paths under `root` that match a pattern of `glob(7)`, sorted. Folders closed to us match nothing.
    static func matches(_ pattern: String, under root: String) -> [String] {
        var literalRoot = ""
        for character in root {
            if #"*?[\"#.contains(character) { literalRoot.append("\\") }
            literalRoot.append(character)
        }
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(literalRoot + pattern, 0, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { index in found.gl_pathv[index].map { String(cString: $0) } }
    }
}

internal import Settings

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Whom the service runs as, and what files let them do: access(2) for somebody else, who need not be there yet.
struct ServiceUser: Sendable, Hashable {
    static let name = "fieldpost"
    /// The configuration that the service reads.
    static let configuration = "/etc/fieldpost/fieldpost.toml"

    let user: uid_t
    let groups: Set<gid_t>
    /// Folders that the unit hides from it (systemd.exec(5), ProtectHome= and PrivateTmp=).
    var hiddenFolders: [String] = []

    enum Wish: mode_t, Sendable {
        case read = 4
        case write = 2
        case search = 1
    }

    /// - Returns: what stands in the way, as "/root may not be searched by fieldpost"; nil if nothing does.
    func obstacle(to wish: Wish, _ path: String) -> String? {
        if let folder = hiddenFolders.first(where: { path.hasPrefix("\($0)/") }) {
            return "\(folder) is hidden from the service"
        }
        var real = path
        if let resolved = realpath(path, nil) {
            defer { free(resolved) }
            real = String(cString: resolved)
        }
        for path in Set([path, real]).sorted() {
            for end in path.indices.dropFirst() where path[end] == "/" {
                if let text = obstacle(to: .search, at: String(path[..<end])) { return text }
            }
        }
        return obstacle(to: wish, at: real)
    }

    private func obstacle(to wish: Wish, at path: String) -> String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return "\(path): \(String(cString: strerror(errno)))" }
        let shift: mode_t = status.st_uid == user ? 6 : groups.contains(status.st_gid) ? 3 : 0
        if user == 0 || status.st_mode >> shift & wish.rawValue != 0 { return nil }
        return switch wish {
        case .read: "\(path) may not be read by \(Self.name)"
        case .write: "\(path) may not be written by \(Self.name)"
        case .search: "\(path) may not be entered by \(Self.name)"
        }
    }
}

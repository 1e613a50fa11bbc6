#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension SensorError {
    /// What `errno` means for somebody who wants to read `path`.
    static func system(_ code: Int32, reading path: String) -> SensorError {
        switch code {
        case ENOENT, ENOTDIR: missing(path)
        case EACCES, EPERM: forbidden(path)
        case EISDIR: folder(path)
        case ENODEV, ENXIO:
            SensorError(
                .missing, path, "has lost its device (\(name(code)))", mend: "is it still connected and powered?")
        case EAGAIN:
            SensorError(.unavailable, path, "has no value yet (EAGAIN: \(text(code)))", mend: "it is tried again")
        case ENODATA:
            SensorError(
                .disabled, path, "has no value (ENODATA: \(text(code)))",
                mend: "it is switched off, or nothing is connected to it")
        case EBUSY:
            SensorError(
                .busy, path, "is in use (EBUSY: \(text(code)))",
                mend: "somebody else reads its device; it is tried again")
        case EIO, ETIMEDOUT, EREMOTEIO, EPROTO, EBADMSG:
            SensorError(
                .unavailable, path, "gave no answer from its device (\(name(code)): \(text(code)))",
                mend: "check wiring, supply and pull-up; it is tried again")
        default: SensorError(.unavailable, path, "could not be read (\(name(code)): \(text(code)))")
        }
    }

    static func folder(_ path: String) -> SensorError {
        SensorError(.malformed, path, "is a folder", mend: "name a file in it")
    }

    private static func missing(_ path: String) -> SensorError {
        let (existing, absent) = nearestExisting(path)
        return SensorError(
            .missing, path, "does not exist (no \(absent) in \(existing))",
            mend: "is the device connected, and its kernel driver loaded?")
    }

    private static func forbidden(_ path: String) -> SensorError {
        var status = stat()
        guard stat(path, &status) == 0 else {
            let (existing, _) = nearestExisting(path)
            return SensorError(
                .forbidden, path, "may not be read by this user: the folder \(existing) is closed to it",
                mend: "open the folder with a udev rule, or run the agent as a user who may enter it")
        }
        let group = groupName(status.st_gid) ?? "\(status.st_gid)"
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return SensorError(
            .forbidden, path, "may not be read by this user (mode 0\(mode), owner \(status.st_uid), group \(group))",
            mend: status.st_mode & 0o040 != 0
                ? "add the agent's user to that group: usermod -aG \(group) USER"
                : "give a group the right to read it with a udev rule, and the agent's user that group")
    }

    /// What this says of a device that is closed to us, with the udev rule that opens it to a group.
    ///
    /// - Parameter rule: `SUBSYSTEM=="gpio", GROUP="gpio", MODE="0660"`
    func with(udevRule rule: String) -> SensorError {
        guard kind == .forbidden else { return self }
        var error = self
        error.mend = (mend.map { "\($0); " } ?? "") + "the udev rule is \(rule)"
        return error
    }

    /// The deepest folder of `path` that is there and open to us, and the name it does not have.
    private static func nearestExisting(_ path: String) -> (existing: String, absent: String) {
        var existing = path[...]
        var absent = existing
        while let slash = existing.lastIndex(of: "/") {
            absent = existing[existing.index(after: slash)...]
            existing = existing[..<slash]
            if existing.isEmpty { return ("/", String(absent)) }
            if access(String(existing), F_OK) == 0 { break }
        }
        return (String(existing), String(absent))
    }

    /// Read from the file itself: `getgrgid` loads shared libraries, which a static executable cannot rely on.
    static func groupName(_ id: gid_t) -> String? {
        guard let groups = try? KernelFile.text("/etc/group") else { return nil }
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            if fields.count > 2, gid_t(fields[2]) == id { return String(fields[0]) }
        }
        return nil
    }

    /// `strerror` of glibc 2.32 and of musl is safe on any thread.
    private static func text(_ code: Int32) -> String { strerror(code).map { String(cString: $0) } ?? "unknown" }

    private static func name(_ code: Int32) -> String {
        switch code {
        case EIO: "EIO"
        case ETIMEDOUT: "ETIMEDOUT"
        case EREMOTEIO: "EREMOTEIO"
        case EPROTO: "EPROTO"
        case EBADMSG: "EBADMSG"
        case ENODEV: "ENODEV"
        case ENXIO: "ENXIO"
        case EINVAL: "EINVAL"
        case EMFILE: "EMFILE"
        default: "errno \(code)"
        }
    }
}

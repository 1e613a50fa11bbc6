internal import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension KernelFile {
    /// Writes one value, as `echo` does: at once, with a newline behind it. The file must be there.
    static func write(_ text: String, to path: String) throws(SensorError) {
        // Without O_NONBLOCK the opening of a pipe would wait for its reader.
        let file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .system(errno, writing: text, to: path) }
        defer { close(file) }

        var status = stat()
        guard fstat(file, &status) == 0 else { throw .system(errno, writing: text, to: path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SensorError(.malformed, path, "is a pipe, socket or device", mend: "name a plain file")
        }
        // The kernel takes an attribute's value in one piece.
        var line = text + "\n"
        let failure: Int32 = line.withUTF8 { bytes in
            while true {
                #if canImport(Glibc)
                let count = Glibc.write(file, bytes.baseAddress, bytes.count)
                #else
                let count = Musl.write(file, bytes.baseAddress, bytes.count)
                #endif
                if count == bytes.count { return 0 }
                if count >= 0 { return ENOSPC }
                if errno != EINTR { return errno }
            }
        }
        guard failure == 0 else { throw .system(failure, writing: text, to: path) }
    }

    /// Writes a value unless the file says it already.
    static func write(_ text: String, ifOtherThan path: String) throws(SensorError) {
        if try self.text(path) != text { try write(text, to: path) }
    }
}

extension SensorError {
    /// What `errno` means for somebody who wants to write `text` to `path`.
    static func system(_ code: Int32, writing text: String, to path: String) -> SensorError {
        switch code {
        case EACCES, EPERM: closed(path)
        case EROFS:
            SensorError(
                .forbidden, path, "is read-only for this program",
                mend: path.includes("/sys/")
                    ? "if systemd runs it: systemctl edit fieldpost, and under [Service] ProtectKernelTunables=no"
                    : "the file system is mounted so, or systemd's sandbox makes it so (ReadWritePaths=)")
        case EINVAL, ERANGE, EDOM, EOPNOTSUPP:
            SensorError(.rejected, path, "does not take \(KernelFile.quoted(text))")
        case EBUSY:
            SensorError(.busy, path, "is in use by the kernel or another program", mend: "find out who has it")
        default: .system(code, reading: path)
        }
    }

    private static func closed(_ path: String) -> SensorError {
        var status = stat()
        guard stat(path, &status) == 0 else { return .system(EACCES, reading: path) }
        let group = groupName(status.st_gid) ?? "\(status.st_gid)"
        let mode = String(status.st_mode & 0o7777, radix: 8)
        let problem = "may not be written by this user (mode 0\(mode), owner \(status.st_uid), group \(group))"
        if status.st_mode & 0o020 != 0, status.st_gid != 0 {
            return SensorError(
                .forbidden, path, problem, mend: "add the agent's user to that group: usermod -aG \(group) USER")
        }
        let rule = subsystem(of: path).map {
            #", such as SUBSYSTEM=="\#($0)", RUN+="/bin/chgrp -R GROUP /sys%p", RUN+="/bin/chmod -R g=u /sys%p""#
        }
        return SensorError(
            .forbidden, path, problem,
            mend: "give a group the right to write it with a udev rule\(rule ?? ""), and the agent's user that group")
    }

    /// "leds" for what is under /sys/class/leds, "iio" for /sys/bus/iio.
    private static func subsystem(of path: String) -> String? {
        let parts = path.split(separator: "/")
        guard let start = parts.firstIndex(of: "sys"), parts.count > start + 2,
            parts[start + 1] == "class" || parts[start + 1] == "bus"
        else { return nil }
        return String(parts[start + 2])
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Reading the small text files through which the kernel shows its devices.
enum KernelFile {
    /// A sysfs attribute has at most a page; some files of /proc are longer. What is longer than this is no attribute.
    static let limit = 64 * 1024

    /// The file's text without the white space around it; NUL bytes, as device trees end their strings with, count as
    /// white space, and what is not UTF-8 is replaced.
    static func text(_ path: String) throws(SensorError) -> String {
        // Without O_NONBLOCK the opening of a pipe would wait for its writer.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .system(errno, reading: path) }
        defer { close(file) }

        var status = stat()
        guard fstat(file, &status) == 0 else { throw .system(errno, reading: path) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFDIR: throw .folder(path)
        default: throw SensorError(.malformed, path, "is a pipe, socket or device", mend: "name a plain file")
        }

        var bytes: [UInt8] = []
        var failure: Int32 = 0
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 16) { buffer in
            while bytes.count <= limit {
                let count = read(file, buffer.baseAddress, buffer.count)
                if count > 0 {
                    bytes.append(contentsOf: buffer[..<count])
                } else if count == 0 {
                    break
                } else if errno != EINTR {
                    failure = errno
                    break
                }
            }
        }
        guard failure == 0 else { throw .system(failure, reading: path) }
        guard bytes.count <= limit else {
            throw SensorError(
                .malformed, path, "holds more than \(limit) bytes", mend: "name a smaller file: one value's attribute")
        }
        for index in bytes.indices where bytes[index] == 0 { bytes[index] = UInt8(ascii: " ") }
        guard let first = bytes.firstIndex(where: { !$0.isSpace }), let last = bytes.lastIndex(where: { !$0.isSpace })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }

    /// The file's text as a number.
    static func number(_ path: String) throws(SensorError) -> Double {
        try number(text(path), from: path)
    }

    /// A temperature that the kernel gives in m°C, in °C.
    static func celsius(_ path: String) throws(SensorError) -> Double {
        let celsius = try number(path) / 1000
        // The kernel's own "invalid" is -274 °C.
        guard celsius >= -273.15 else {
            throw SensorError(.unavailable, path, "says \(celsius) °C, below absolute zero: it has no valid value")
        }
        return celsius
    }

    /// A decimal or hexadecimal number as the kernel prints them ("25080", "25080.000000000", "-127", "0x1f").
    static func number(_ text: String, from path: String) throws(SensorError) -> Double {
        guard !text.isEmpty else {
            throw SensorError(.unavailable, path, "is empty: the kernel had no value", mend: "it is tried again")
        }
        guard let number = Double(text) else {
            throw SensorError(
                .malformed, path, "says \(quoted(text)), which is not a number",
                mend: "pick the number with a pattern, or choose another kind")
        }
        guard number.isFinite else {
            throw SensorError(.malformed, path, "says \(quoted(text)), which is not a finite number")
        }
        return number
    }

    /// For a message: at most 40 characters, on one line.
    static func quoted(_ text: String) -> String {
        let start = text.prefix(40)
        return start.debugDescription + (start.endIndex < text.endIndex ? "…" : "")
    }
}

extension UInt8 {
    fileprivate var isSpace: Bool { self == 0x20 || (0x09...0x0D).contains(self) }
}

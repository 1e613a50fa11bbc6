internal import COpenSSL

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file, or bytes, for OpenSSL to read. OpenSSL overwrites its copy of bytes when it lets go of them.
struct InputBIO: ~Copyable {
    let pointer: OpaquePointer

    init(_ source: PEMSource) throws(TLSError) {
        ErrorQueue.clear()
        switch source {
        case .file(let path): pointer = try Self.open(path)
        case .bytes(let bytes): pointer = try Self.copy(bytes)
        }
    }

    private static func open(_ path: String) throws(TLSError) -> OpaquePointer {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFDIR else {
            let reason = status.st_mode & S_IFMT == S_IFDIR ? EISDIR : errno
            throw TLSError(.unreadableFile, "\(path) cannot be read: \(String(cString: strerror(reason)))")
        }
        guard let pointer = BIO_new_file(path, "r") else {
            let reason = errno
            ErrorQueue.clear()
            throw TLSError(.unreadableFile, "\(path) cannot be read: \(String(cString: strerror(reason)))")
        }
        return pointer
    }

    private static func copy(_ bytes: [UInt8]) throws(TLSError) -> OpaquePointer {
        guard let pointer = BIO_new(BIO_s_mem()) else { throw .openSSL("BIO_new") }
        var written = 0
        guard bytes.isEmpty || BIO_write_ex(pointer, bytes, bytes.count, &written) == 1 else {
            BIO_free(pointer)
            throw .openSSL("BIO_write_ex")
        }
        return pointer
    }

    deinit { BIO_free(pointer) }
}

extension Passphrase {
    /// - Throws: ``TLSError/Code/unreadableFile`` or, if there is nothing in it, ``TLSError/Code/passphrase``.
    func read() throws(TLSError) -> [UInt8] {
        switch self {
        case .bytes(let bytes): return bytes
        case .file(let path):
            let file = try InputBIO(.file(path))
            var line = [CChar](repeating: 0, count: 1025)
            let count = BIO_gets(file.pointer, &line, Int32(line.count))
            let bytes = line.prefix(Int(max(0, count))).map(UInt8.init(bitPattern:))
                .prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            guard !bytes.isEmpty else { throw TLSError(.passphrase, "\(path): its first line holds no passphrase") }
            return Array(bytes)
        }
    }
}

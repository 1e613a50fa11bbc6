#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What a database says of itself in its first page, read without SQLite: nothing is locked, created or written, also
/// while somebody works with it, or when a log lies beside it.
///
/// sqlite.org/fileformat2.html, 1.3 (the header) and 4 (the write-ahead log, whose latest committed first page counts).
package struct DatabaseHeader: Sendable, Hashable {
    package var applicationID: Int64
    package var userVersion: Int64
    /// Raised with each change of the tables; 0: there are none yet.
    private var schemaCookie: Int64

    /// Nothing has been written yet.
    package var isEmpty: Bool { schemaCookie == 0 && applicationID == 0 }

    /// - Returns: nil when there is no file, an empty one, or one that is no database or cannot be read.
    package init?(path: String) {
        // The log first: what it does not hold now is in the file from here on.
        guard let bytes = WriteAheadLog(path: path + "-wal")?.firstPage() ?? Self.start(of: path) else { return nil }
        self.init(bytes)
    }

    static let length = 100

    private init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length, bytes.starts(with: "SQLite format 3\0".utf8) else { return nil }
        func number(_ offset: Int) -> Int64 { Int64(Int32(bitPattern: bytes.bigEndian(at: offset))) }
        schemaCookie = number(40)
        userVersion = number(60)
        applicationID = number(68)
    }

    private static func start(of path: String) -> [UInt8]? {
        ReadOnlyFile(path: path)?.read(length, at: 0)
    }
}

/// The log beside a database.
private struct WriteAheadLog {
    private let file: ReadOnlyFile
    private let pageSize: Int
    /// Words of the checksum are the writer's own: of either byte order.
    private let isBigEndian: Bool
    private let salt: [UInt8]
    private let seed: Checksum

    private static let headerLength = 32
    private static let frameHeaderLength = 24

    /// - Returns: nil if there is no log, or none that counts.
    init?(path: String) {
        guard let file = ReadOnlyFile(path: path), let header = file.read(Self.headerLength, at: 0) else { return nil }
        let magic = header.bigEndian(at: 0)
        let pageSize = Int(header.bigEndian(at: 8))
        guard magic & ~1 == 0x377F_0682, (512...65_536).contains(pageSize), pageSize.nonzeroBitCount == 1 else {
            return nil
        }
        isBigEndian = magic & 1 == 1
        var checksum = Checksum()
        checksum.add(header[..<24], isBigEndian: isBigEndian)
        guard checksum.matches(header, at: 24) else { return nil }
        seed = checksum
        salt = Array(header[16..<24])
        self.pageSize = pageSize
        self.file = file
    }

    /// The beginning of the first page as the last transaction has left it; nil when none has written it.
    func firstPage() -> [UInt8]? {
        var checksum = seed
        var committed: [UInt8]?
        var written: [UInt8]?
        var offset = Self.headerLength
        while let frame = file.read(Self.frameHeaderLength + pageSize, at: offset), Array(frame[8..<16]) == salt {
            checksum.add(frame[..<8], isBigEndian: isBigEndian)
            checksum.add(frame[Self.frameHeaderLength...], isBigEndian: isBigEndian)
            guard checksum.matches(frame, at: 16) else { break }
            if frame.bigEndian(at: 0) == 1 {
                written = Array(frame[Self.frameHeaderLength...].prefix(DatabaseHeader.length))
            }
            // Only the last frame of a transaction tells how large the database is behind it.
            if frame.bigEndian(at: 4) != 0 { committed = written ?? committed }
            offset += frame.count
        }
        return committed
    }

    /// sqlite.org/fileformat2.html, 4.2.
    private struct Checksum {
        private var first: UInt32 = 0
        private var second: UInt32 = 0

        mutating func add(_ bytes: ArraySlice<UInt8>, isBigEndian: Bool) {
            bytes.withUnsafeBytes { bytes in
                for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                    first &+= Self.word(bytes, offset, isBigEndian) &+ second
                    second &+= Self.word(bytes, offset + 4, isBigEndian) &+ first
                }
            }
        }

        private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ isBigEndian: Bool) -> UInt32 {
            let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            return isBigEndian ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
        }

        func matches(_ bytes: [UInt8], at offset: Int) -> Bool {
            bytes.bigEndian(at: offset) == first && bytes.bigEndian(at: offset + 4) == second
        }
    }
}

private final class ReadOnlyFile {
    private let descriptor: Int32

    init?(path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// - Returns: nil when there are fewer.
    func read(_ count: Int, at offset: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let got = pread(
                    descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled))
                if got > 0 { filled += got } else if got == 0 || errno != EINTR { return }
            }
        }
        return bytes.count == count ? bytes : nil
    }
}

extension [UInt8] {
    /// The four bytes from there on. They must be there.
    fileprivate func bigEndian(at offset: Int) -> UInt32 {
        self[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}

internal import Settings
internal import Units

/// The bytes of a password file or an ACL file.
struct AccessFileText {
    /// 16 MiB.
    static let limit = 16 << 20

    let bytes: [UInt8]
    /// Whether users who are neither its owner nor in its group may read it.
    let isPublic: Bool

    init(path: String) throws(AccessFileError) {
        do {
            let file = try SmallFile(path: path, limit: Self.limit)
            (bytes, isPublic) = (file.bytes, file.isPublic)
        } catch {
            // The message names the file already, and nobody wants to read it twice.
            let message =
                error.message.hasPrefix("\(path) ") ? String(error.message.dropFirst(path.count + 1)) : error.message
            throw AccessFileError(problems: [AccessFileProblem(path: path, message: message, mend: error.mend)])
        }
    }
}

/// The lines of a file without the white space at their ends, one after the other and without a list of them all.
struct AccessFileLines: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var position = 0
    private var number = 0

    /// A byte order mark at the front does not count.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// - Returns: the line's number, counted from 1, and its bytes.
    mutating func next() -> (number: Int, bytes: ArraySlice<UInt8>)? {
        guard position < bytes.count else { return nil }
        let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        defer { position = end + 1 }
        number += 1
        return (number, bytes[position..<end].withoutTrailingSpace)
    }
}

extension ArraySlice<UInt8> {
    var withoutTrailingSpace: Self {
        guard let last = lastIndex(where: { !$0.isSpace }) else { return self[startIndex..<startIndex] }
        return self[...last]
    }

    var withoutOuterSpace: Self { drop(while: \.isSpace).withoutTrailingSpace }
}

extension UInt8 {
    /// As C's `isspace` says.
    var isSpace: Bool { self == UInt8(ascii: " ") || (0x09...0x0D).contains(self) }
}

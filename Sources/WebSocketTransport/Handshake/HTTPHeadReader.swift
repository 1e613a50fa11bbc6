internal import NIOCore

/// Collects the head of an HTTP message, however it is split, up to a limit.
struct HTTPHeadReader: Sendable {
    /// Of a whole head, in bytes.
    static let limit = 16_384

    /// What a message must begin with.
    private let beginning: [UInt8]
    private var bytes: [UInt8] = []

    init(beginning: String) {
        self.beginning = Array(beginning.utf8)
    }

    /// Whether nothing has come.
    var isEmpty: Bool { bytes.isEmpty }

    /// Takes the head's bytes from what was received, and leaves those that come after it.
    ///
    /// - Returns: the head once it is whole.
    mutating func read(_ received: inout ByteBuffer) throws(HTTPHeadError) -> HTTPHead? {
        let ending: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A]
        while let byte: UInt8 = received.readInteger() {
            bytes.append(byte)
            if bytes.count <= beginning.count, byte != beginning[bytes.count - 1] {
                throw .notHTTP(bytes + received.readableBytesView.prefix(8))
            }
            guard bytes.count <= Self.limit else { throw .tooLong(limit: Self.limit) }
            if byte == 0x0A, bytes.suffix(4) == ending[...] { return try head() }
        }
        return nil
    }

    private func head() throws(HTTPHeadError) -> HTTPHead {
        var lines: [ArraySlice<UInt8>] = []
        for line in bytes.dropLast(4).split(separator: 0x0A, omittingEmptySubsequences: false) {
            // All but the last, whose end was taken off above, end with a carriage return.
            let isLast = line.endIndex == bytes.endIndex - 4
            guard isLast || line.last == 0x0D else { throw .line(String(decoding: line, as: UTF8.self)) }
            lines.append(isLast ? line : line.dropLast())
        }
        var fields: [HTTPHead.Field] = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]),
                isFieldValue(line[(colon + 1)...])
            else { throw .line(String(decoding: line, as: UTF8.self)) }
            fields.append(
                HTTPHead.Field(
                    name: String(decoding: line[..<colon], as: UTF8.self).lowercased(),
                    value: trimmed(String(decoding: line[(colon + 1)...], as: UTF8.self))))
        }
        let start = lines.first ?? []
        guard isFieldValue(start) else { throw .line(String(decoding: start, as: UTF8.self)) }
        return HTTPHead(startLine: String(decoding: start, as: UTF8.self), fields: fields)
    }
}

extension WebSocketError {
    init(_ error: HTTPHeadError, from role: Role) {
        switch error {
        case .notHTTP(let bytes):
            let guess: String =
                switch bytes.first {
                case 0x15, 0x16: "TLS: use wss:// or another port"
                case 0x10, 0x20: "MQTT without WebSocket: use mqtt:// or another port"
                default: "another protocol: check the port"
                }
            self.init(
                .notHTTP,
                "the \(role) does not speak HTTP on this port: it begins with \(quotation(of: bytes)), which looks like \(guess)"
            )
        case .tooLong(let limit):
            self.init(
                .malformedHead, "the \(role)'s HTTP head is longer than \(limit) bytes",
                status: role == .client ? 431 : nil)
        case .line(let line):
            self.init(
                .malformedHead, "the \(role)'s HTTP head has a malformed line: \(quotation(line))",
                status: role == .client ? 400 : nil)
        }
    }
}

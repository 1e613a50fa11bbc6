internal import COpenSSL

/// What a client sends so that the server can show that it knows WebSockets (RFC 6455 §1.3).
struct WebSocketKey: Sendable, Hashable {
    /// Sixteen bytes in Base64.
    let text: String

    /// A new one of random bytes.
    static func random() -> WebSocketKey {
        let bytes = (0..<2).flatMap { _ in
            withUnsafeBytes(of: UInt64.random(in: 0 ... .max)) { Array($0) }
        }
        return WebSocketKey(text: base64(bytes))
    }

    init(text: String) {
        self.text = text
    }

    /// A client's, if it is one.
    init?(checking text: String) {
        let bytes = Array(text.utf8)
        // 22 digits hold 16 bytes.
        let isBase64 = bytes.prefix(22).allSatisfy { isAlphanumeric($0) || "+/".utf8.contains($0) }
        guard bytes.count == 24, bytes.suffix(2) == Array("==".utf8)[...], isBase64 else { return nil }
        self.text = text
    }

    /// What a server answers (RFC 6455 §4.2.2).
    var accept: String {
        let bytes = Array((text + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
        var digest = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
        SHA1(bytes, bytes.count, &digest)
        return base64(digest)
    }
}

/// RFC 4648 §4.
func base64(_ bytes: [UInt8]) -> String {
    // EVP_EncodeBlock(3): four characters for three bytes, and a zero.
    var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
    let length = EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
    return String(decoding: text.prefix(Int(length)), as: UTF8.self)
}

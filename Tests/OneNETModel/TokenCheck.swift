internal import COpenSSL

/// Whether a device's password is a token, as the platform's documents say it; made without the agent's own code: HMAC
/// from its definition (RFC 2104) over OpenSSL's bare hashes.
public enum TokenCheck {
    /// - Parameters:
    ///   - key: the device's access key in Base64.
    ///   - now: seconds since 1970.
    /// - Returns: why it is refused; nil if it is good.
    public static func objection(to token: String, product: String, device: String, key: String, now: Int64) -> String?
    {
        var fields: [String: String] = [:]
        for field in token.split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let value = decoded(parts[1]) else { return "malformed" }
            fields[String(parts[0])] = value
        }
        guard fields.count == 5, let resource = fields["res"], let expiry = fields["et"], let seconds = Int64(expiry),
            let method = fields["method"], let signature = fields["sign"], let version = fields["version"]
        else { return "fields are missing" }
        guard version == "2018-10-31" else { return "another version" }
        guard resource == "products/\(product)/devices/\(device)" else { return "another resource: \(resource)" }
        guard seconds > now else { return "expired" }
        guard let keyBytes = bytes(base64: key) else { return "the model's own key is not Base64" }
        let text = "\(expiry)\n\(method)\n\(resource)\n\(version)"
        guard let expected = code(method, keyBytes, Array(text.utf8)) else { return "unknown method" }
        return bytes(base64: signature) == expected ? nil : "the signature does not match"
    }

    private static func hash(_ method: String, _ bytes: [UInt8]) -> [UInt8]? {
        let function: OpaquePointer?
        switch method {
        case "md5": function = EVP_md5()
        case "sha1": function = EVP_sha1()
        case "sha256": function = EVP_sha256()
        default: return nil
        }
        var digest = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        guard EVP_Digest(bytes, bytes.count, &digest, &count, function, nil) == 1 else { return nil }
        return Array(digest.prefix(Int(count)))
    }

    private static func code(_ method: String, _ key: [UInt8], _ text: [UInt8]) -> [UInt8]? {
        // All three hashes work on blocks of 64 bytes.
        var block = key
        if block.count > 64 { block = hash(method, key) ?? [] }
        block += [UInt8](repeating: 0, count: 64 - block.count)
        guard let inner = hash(method, block.map { $0 ^ 0x36 } + text) else { return nil }
        return hash(method, block.map { $0 ^ 0x5C } + inner)
    }

    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                // What the documents want written as %XX must not come bare.
                if "+ /?#&=".utf8.contains(byte) { return nil }
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func bytes(base64 text: String) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.utf8.count)
        let characters = Array(text.utf8)
        let count = Int(EVP_DecodeBlock(&bytes, characters, Int32(characters.count)))
        guard count >= 0 else { return nil }
        // OpenSSL counts the padding.
        return Array(bytes.prefix(count - characters.suffix(2).count { $0 == UInt8(ascii: "=") }))
    }
}

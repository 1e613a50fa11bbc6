internal import OpenSSLTransport
internal import Settings
internal import Units

/// Pre-shared keys as Mosquitto has them: one `identity:key` to a line, the key in hexadecimal.
enum PreSharedKeyFile {
    /// - Throws: what is wrong with the file, which it names; never a key.
    static func read(_ path: String) throws(InvalidText) -> [PreSharedKey] {
        let text = try SmallFile(path: path, limit: 1 << 20).bytes
        var keys: [PreSharedKey] = []
        for (number, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                let identity = String(validating: line[..<colon], as: UTF8.self),
                let key = TLSSettings.bytes(ofHexadecimal: Array(line[(colon + 1)...]))
            else {
                throw InvalidText(
                    "\(path):\(number + 1) is no identity with its key",
                    mend: "write identity:key, the key in hexadecimal")
            }
            keys.append(PreSharedKey(identity: identity, key: key))
        }
        if keys.isEmpty { throw InvalidText("\(path) holds no key", mend: "write one identity:key to a line") }
        return keys
    }
}

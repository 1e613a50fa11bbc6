internal import MQTT
internal import Units

/// `mqtt://[user[:password]@]host[:port]/topic`, or `mqtts://…`, in which user, password and topic may have percent
/// escapes. What follows the port of `ws://…` and `wss://…` is the path of the WebSocket, and no topic.
struct BrokerURL: Sendable, Hashable {
    var address: Endpoint
    var username: String?
    var password: String?
    var topic: String?

    /// - Throws: ``InvalidText``, without what may be a password.
    init(parsing text: String) throws(InvalidText) {
        guard let (scheme, rest) = text.split(at: "://") else {
            throw InvalidText("--url is no broker's URL", mend: #"write one like "mqtt://broker.example/topic""#)
        }
        let (authority, path) = rest.split(at: "/") ?? (rest, "")
        var place = authority
        if let at = authority.lastIndex(of: "@") {
            place = authority[authority.index(after: at)...]
            let user = authority[..<at]
            let (name, password) = user.split(at: ":").map { ($0, Optional($1)) } ?? (user, nil)
            username = try Self.unescaped(name)
            self.password = try password.map { text throws(InvalidText) in try Self.unescaped(text) }
        }
        address = try Endpoint(parsing: "\(scheme)://\(place)")
        if address.transport.path != nil {
            address = try Endpoint(parsing: "\(scheme)://\(place)/\(path)")
        } else if !path.isEmpty {
            topic = try Self.unescaped(path)
        }
    }

    private static func unescaped(_ text: Substring) throws(InvalidText) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, let code = UInt8(String(Substring(digits)), radix: 16) else {
                throw InvalidText("--url has a % without two hexadecimal digits", mend: "a % itself is written %25")
            }
            bytes.append(code)
            rest = rest.dropFirst(2)
        }
        guard let string = String(validating: bytes, as: UTF8.self) else {
            throw InvalidText("--url has escapes that are not UTF-8", mend: "escape the bytes of the UTF-8 text")
        }
        return string
    }
}

internal import NIOCore

/// A client's opening handshake: a request, and the answer to it (RFC 6455 §4.1).
struct ClientHandshake: Sendable {
    /// What is sent first.
    let request: String
    private let path: String
    private let subprotocol: String
    private let accept: String
    private var reader = HTTPHeadReader(beginning: "HTTP/1.")

    /// - Parameters:
    ///   - isSecure: whether TLS is underneath, which makes 443 the port that need not be named.
    /// - Throws: ``WebSocketError/Code/invalidSetting``.
    init(
        _ configuration: WebSocketClientConfiguration, host: String, port: Int, isSecure: Bool,
        key: WebSocketKey = .random()
    ) throws(WebSocketError) {
        path = configuration.path
        subprotocol = configuration.subprotocol
        accept = key.accept
        try Self.check(configuration, host: host)
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        let authority = port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
        let fields =
            [
                ("Host", authority), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
                ("Sec-WebSocket-Key", key.text), ("Sec-WebSocket-Version", "13"),
                ("Sec-WebSocket-Protocol", subprotocol),
            ] + configuration.headers.map { ($0.name, $0.value) }
        request = "GET \(path) HTTP/1.1\r\n" + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
    }

    /// Whether the server has not said anything.
    var isServerSilent: Bool { reader.isEmpty }

    /// Takes the answer from what was received, and leaves what comes after it.
    ///
    /// - Returns: whether the handshake is done.
    mutating func receive(_ bytes: inout ByteBuffer) throws(WebSocketError) -> Bool {
        let head: HTTPHead?
        do throws(HTTPHeadError) {
            head = try reader.read(&bytes)
        } catch {
            throw WebSocketError(error, from: .server)
        }
        guard let head else { return false }
        try check(head)
        return true
    }

    // MARK: What is asked

    /// What the handshake says itself, or what would change how it is understood.
    private static let ownFields: Set<String> = [
        "host", "upgrade", "connection", "content-length", "transfer-encoding", "expect",
    ]

    private static func check(_ configuration: WebSocketClientConfiguration, host: String) throws(WebSocketError) {
        let isVisible: (UInt8) -> Bool = { (0x21...0x7E).contains($0) }
        guard !host.isEmpty, host.utf8.allSatisfy({ isVisible($0) && !"/?#@".utf8.contains($0) }) else {
            throw WebSocketError(
                .invalidSetting, "\(quotation(host)) is no host: name one in ASCII letters, or an IP address")
        }
        let path = configuration.path
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ isVisible($0) && $0 != UInt8(ascii: "#") }) else {
            throw WebSocketError(
                .invalidSetting,
                "\(quotation(path)) is no path of a WebSocket: it begins with / and has neither spaces nor #; write other characters as %XX"
            )
        }
        guard isToken(configuration.subprotocol.utf8) else {
            throw WebSocketError(
                .invalidSetting,
                "\(quotation(configuration.subprotocol)) is no name of a subprotocol: letters, digits and hyphens only")
        }
        for header in configuration.headers {
            let name = header.name.lowercased()
            guard isToken(header.name.utf8), isFieldValue(header.value.utf8) else {
                throw WebSocketError(
                    .invalidSetting,
                    "the header \(quotation(header.name)) has a space or a line break in its name, or a control character in its value"
                )
            }
            guard !ownFields.contains(name), !name.hasPrefix("sec-websocket-") else {
                throw WebSocketError(
                    .invalidSetting, "the header \(header.name) is set by the handshake itself: take it out")
            }
        }
    }

    // MARK: The answer

    private func check(_ head: HTTPHead) throws(WebSocketError) {
        let parts = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard let version = parts.first, version.utf8.count == 8, parts.count >= 2, parts[1].utf8.count == 3,
            let status = Int(parts[1]), (100...599).contains(status)
        else {
            throw WebSocketError(
                .malformedHead, "the server's HTTP answer begins with the malformed line \(quotation(head.startLine))")
        }
        guard status == 101 else {
            throw refusal(status, reason: parts.count > 2 ? String(parts[2]) : "", head)
        }
        guard version == "HTTP/1.1" else {
            throw Self.wrong("the server agrees in \(version), and WebSockets need HTTP/1.1")
        }
        guard head.values("upgrade").map({ $0.lowercased() }) == ["websocket"],
            head.list("connection", has: "upgrade")
        else {
            throw Self.wrong(
                "the server agrees to something else than a WebSocket: its answer lacks “Upgrade: websocket” or “Connection: Upgrade”; check what a proxy in between does"
            )
        }
        guard head.values("sec-websocket-accept") == [accept] else {
            throw Self.wrong(
                "the server's Sec-WebSocket-Accept is not the answer to our key: something in between answers in its place, or from a cache"
            )
        }
        if let extensions = head.values("sec-websocket-extensions").first {
            throw Self.wrong("the server wants the extension \(quotation(extensions)), and none was offered")
        }
        switch head.values("sec-websocket-protocol") {
        case [subprotocol]: break
        case []:
            throw WebSocketError(
                .subprotocolRefused,
                "the server opens a WebSocket at \(path) without the subprotocol \(subprotocol): is something else spoken at this path?",
                status: 101)
        case let others:
            throw WebSocketError(
                .subprotocolRefused,
                "the server chose the subprotocol \(quotation(others.joined(separator: ", "))), and only \(subprotocol) was offered",
                status: 101)
        }
    }

    private static func wrong(_ description: String) -> WebSocketError {
        WebSocketError(.wrongAnswer, description, status: 101)
    }

    private func refusal(_ status: Int, reason: String, _ head: HTTPHead) -> WebSocketError {
        let answer = reason.isEmpty ? "\(status)" : "\(status) \(quotation(reason))"
        let (code, mend): (WebSocketError.Code, String) =
            switch status {
            case 300..<400:
                (
                    .redirected,
                    "it wants us to go to \(head.values("location").first.map { quotation($0) } ?? "another place"); if that is right, put it into the configuration"
                )
            case 401, 407:
                (
                    .unauthorized,
                    "it wants to know who we are; set the header \(status == 401 ? "Authorization" : "Proxy-Authorization")"
                )
            case 403: (.unauthorized, "it does not let us in; check the path, the headers and the rights")
            case 404, 410: (.notFound, "nothing is there; check the path")
            case 200..<300:
                (.refused, "it is a web server that knows no WebSocket at this path; check the path and the port")
            case 426: (.refused, "it wants another protocol or version; check the port, and proxies in between")
            case 500...: (.refused, "the server or what is behind it has failed; look there")
            default: (.refused, "check the path, the headers and the port")
            }
        return WebSocketError(
            code, "the server refuses a WebSocket at \(path) with HTTP status \(answer): \(mend)", status: status)
    }
}

internal import NIOCore

/// A server's opening handshake: a request, and our answer to it (RFC 6455 §4.2).
struct ServerHandshake: Sendable {
    struct Request: Hashable, Sendable {
        /// As the client asks for it, with its query.
        let target: String
        let subprotocol: String
        /// What is sent back.
        let response: String
    }

    private let path: String?
    private let subprotocols: [String]
    private var reader = HTTPHeadReader(beginning: "GET ")

    init(_ configuration: WebSocketServerConfiguration) {
        path = configuration.path
        subprotocols = configuration.subprotocols
    }

    /// Whether the client has not said anything.
    var isClientSilent: Bool { reader.isEmpty }

    /// Takes the request from what was received, and leaves what comes after it.
    ///
    /// - Returns: the request, once it is whole and if it is acceptable.
    /// - Throws: an error whose status tells the client why not, see ``refusal(_:)``.
    mutating func receive(_ bytes: inout ByteBuffer) throws(WebSocketError) -> Request? {
        let head: HTTPHead?
        do throws(HTTPHeadError) {
            head = try reader.read(&bytes)
        } catch {
            throw WebSocketError(error, from: .client)
        }
        return if let head { try answer(head) } else { nil }
    }

    private func answer(_ head: HTTPHead) throws(WebSocketError) -> Request {
        let parts = head.startLine.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].hasPrefix("/"), parts[2] == "HTTP/1.1", head.values("host").count == 1 else {
            throw Self.bad("is not one of HTTP/1.1 with a Host: \(quotation(head.startLine))")
        }
        if let path, parts[1].prefix(while: { $0 != "?" }) != path {
            throw Self.bad("is for \(quotation(parts[1])), and \(path) is the path here", status: 404)
        }
        guard head.list("upgrade", has: "websocket"), head.list("connection", has: "upgrade") else {
            throw Self.bad("does not ask for a WebSocket", status: 426)
        }
        guard head.values("sec-websocket-version") == ["13"] else {
            throw Self.bad("is not for version 13 of WebSocket", status: 426)
        }
        let keys = head.values("sec-websocket-key")
        guard keys.count == 1, let key = keys.first.flatMap({ WebSocketKey(checking: $0) }) else {
            throw Self.bad("has no Sec-WebSocket-Key of 16 bytes in Base64")
        }
        let offered = head.list("sec-websocket-protocol")
        guard let subprotocol = subprotocols.first(where: { offered.contains($0) }) else {
            throw WebSocketError(
                .subprotocolRefused,
                "the client's request does not offer the subprotocol \(subprotocols.joined(separator: " or "))",
                status: 400)
        }
        return Request(
            target: String(parts[1]), subprotocol: subprotocol,
            response:
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: \(key.accept)\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n"
        )
    }

    private static func bad(_ what: String, status: Int = 400) -> WebSocketError {
        WebSocketError(.badRequest, "the client's request \(what)", status: status)
    }

    /// What a client is told when its request is refused; nil where HTTP makes no sense.
    static func refusal(_ error: WebSocketError) -> String? {
        guard let status = error.status else { return nil }
        let reason =
            switch status {
            case 404: "Not Found"
            case 426: "Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
            case 431: "Request Header Fields Too Large"
            default: "Bad Request"
            }
        let body = error.description + "\n"
        return
            "HTTP/1.1 \(status) \(reason)\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }
}

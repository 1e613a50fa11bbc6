import NIOCore
import TestSupport
import Testing

@testable import WebSocketTransport

struct HandshakeTests {
    /// RFC 6455 §1.3.
    private static let key = WebSocketKey(text: "dGhlIHNhbXBsZSBub25jZQ==")
    private static let agreed = [
        "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: mqtt",
    ]

    private func client(
        _ configuration: WebSocketClientConfiguration = .init(), host: String = "broker.example", port: Int = 9001,
        isSecure: Bool = false
    ) throws(WebSocketError) -> ClientHandshake {
        try ClientHandshake(configuration, host: host, port: port, isSecure: isSecure, key: Self.key)
    }

    /// The error that an answer leads to.
    private func error(_ lines: [String]) throws -> WebSocketError? {
        var handshake = try client()
        var bytes = ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n")
        do throws(WebSocketError) {
            #expect(try handshake.receive(&bytes))
            return nil
        } catch {
            return error
        }
    }

    @Test("The key of RFC 6455 §1.3 has the answer that it names there")
    func accept() {
        #expect(Self.key.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test("A key is 16 random bytes in Base64")
    func keys() {
        let keys = (0..<100).map { _ in WebSocketKey.random().text }
        #expect(Set(keys).count == 100)
        #expect(keys.allSatisfy { WebSocketKey(checking: $0) != nil })
        for text in [
            "", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25jZ===",
            "dGhlIHNhbXBsZSBub25\u{e9}==",
        ] {
            #expect(WebSocketKey(checking: text) == nil, "\(text)")
        }
    }

    // MARK: The request

    @Test("The request asks for path, host, WebSocket and subprotocol, with the headers one adds")
    func request() throws {
        let configuration = WebSocketClientConfiguration(
            path: "/mqtt?a=1", headers: [.init("Authorization", "Basic YTpi")])
        #expect(
            try client(configuration).request == """
                GET /mqtt?a=1 HTTP/1.1\r
                Host: broker.example:9001\r
                Upgrade: websocket\r
                Connection: Upgrade\r
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
                Sec-WebSocket-Version: 13\r
                Sec-WebSocket-Protocol: mqtt\r
                Authorization: Basic YTpi\r
                \r

                """)
    }

    @Test(
        "A host is named with its port, unless that is the usual one",
        arguments: [
            ("a", 80, false, "a"), ("a", 443, true, "a"), ("a", 443, false, "a:443"), ("a", 80, true, "a:80"),
            ("::1", 80, false, "[::1]"), ("::1", 8, true, "[::1]:8"), ("10.0.0.1", 8, true, "10.0.0.1:8"),
        ])
    func host(host: String, port: Int, isSecure: Bool, header: String) throws {
        #expect(try client(host: host, port: port, isSecure: isSecure).request.contains("\r\nHost: \(header)\r\n"))
    }

    @Test(
        "What cannot be asked is refused before",
        arguments: [
            (.init(path: "mqtt"), "a", "“mqtt” is no path"), (.init(path: ""), "a", "“” is no path"),
            (.init(path: "/a b"), "a", "is no path"), (.init(path: "/a\r\nX: y"), "a", "“/a..X: y” is no path"),
            (.init(path: "/#a"), "a", "is no path"), (.init(path: "/é"), "a", "write other characters as %XX"),
            (.init(subprotocol: "a b"), "a", "is no name of a subprotocol"), (.init(), "", "is no host"),
            (.init(), "a/b", "is no host"), (.init(), "a\r\nb", "is no host"),
            (.init(headers: [.init("A b", "c")]), "a", "the header “A b”"),
            (.init(headers: [.init("A", "c\r\nd: e")]), "a", "the header “A”"),
            (.init(headers: [.init("HOST", "c")]), "a", "the header HOST is set by the handshake itself"),
            (.init(headers: [.init("Sec-WebSocket-Extensions", "c")]), "a", "take it out"),
        ] as [(WebSocketClientConfiguration, String, String)])
    func invalid(configuration: WebSocketClientConfiguration, host: String, words: String) throws {
        let error = #expect(throws: WebSocketError.self) { try client(configuration, host: host) }
        #expect(error?.code == .invalidSetting)
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    // MARK: The answer

    @Test("An answer is taken however it is split and written, and what follows it is left")
    func everySplit() throws {
        let answer = Array(
            ("HTTP/1.1 101 \r\nserver: x\r\nUPGRADE:WebSocket\r\nconnection:  keep-alive, upgrade \r\n"
                + Self.agreed[3...].joined(separator: "\r\n") + "\r\n\r\n").utf8)
        for place in 0...answer.count {
            var handshake = try client()
            var first = ByteBuffer(bytes: answer[..<place])
            let isDone = try handshake.receive(&first)
            #expect(isDone == (place == answer.count))
            #expect(first.readableBytes == 0)
            guard !isDone else { continue }
            var rest = ByteBuffer(bytes: answer[place...] + [0x82, 0x01, 0x41])
            #expect(try handshake.receive(&rest))
            #expect(Array(buffer: rest) == [0x82, 0x01, 0x41])
        }
    }

    struct Refusal: Sendable {
        let lines: [String]
        let code: WebSocketError.Code
        let status: Int?
        let words: String

        init(_ lines: [String], _ code: WebSocketError.Code, _ status: Int?, _ words: String) {
            self.lines = lines
            self.code = code
            self.status = status
            self.words = words
        }
    }

    /// Lines with one of them taken out or replaced; or, behind the last, added.
    private static func altered(_ lines: [String], _ place: Int, _ line: String? = nil) -> [String] {
        var lines = lines
        lines.replaceSubrange(place..<min(place + 1, lines.count), with: line.map { [$0] } ?? [])
        return lines
    }

    private static func altered(_ place: Int, _ line: String? = nil) -> [String] { altered(agreed, place, line) }

    @Test(
        "An answer that is no agreement is told in words",
        arguments: [
            Refusal(
                ["HTTP/1.1 404 Not Found"], .notFound, 404,
                "the server refuses a WebSocket at /mqtt with HTTP status 404 “Not Found”: nothing is there; check the path"
            ),
            Refusal(["HTTP/1.1 401 "], .unauthorized, 401, "wants to know who we are; set the header Authorization"),
            Refusal(["HTTP/1.0 403 No"], .unauthorized, 403, "it does not let us in"),
            Refusal(["HTTP/1.1 301 Moved", "Location: https://x/y"], .redirected, 301, "go to “https://x/y”"),
            Refusal(["HTTP/1.1 302"], .redirected, 302, "go to another place"),
            Refusal(["HTTP/1.1 200 OK"], .refused, 200, "a web server that knows no WebSocket at this path"),
            Refusal(["HTTP/1.1 503 Busy"], .refused, 503, "what is behind it has failed"),
            Refusal(["HTTP/1.1 426 Upgrade"], .refused, 426, "another protocol or version"),
            Refusal(["HTTP/1.1 400 Bad"], .refused, 400, "check the path, the headers and the port"),
        ])
    func refusals(refusal: Refusal) throws { try check(refusal) }

    @Test(
        "An answer that is malformed is told in words",
        arguments: [
            Refusal(
                ["HTTP/1.1 301 Moved", "Location: https://x/\u{1b}y"], .malformedHead, nil,
                "malformed line: “Location: https://x/.y”"),
            Refusal(["HTTP/1.1 1010 x"], .malformedHead, nil, "malformed line “HTTP/1.1 1010 x”"),
            Refusal(["HTTP/1.1 +10 x"], .malformedHead, nil, "malformed line"),
            Refusal(["HTTP/1.1"], .malformedHead, nil, "malformed line"),
            Refusal(["HTTP/1.1 101 x", "No colon"], .malformedHead, nil, "malformed line: “No colon”"),
            Refusal(["HTTP/1.1 101 x", "A : b"], .malformedHead, nil, "malformed line"),
            Refusal(["HTTP/1.1 101 x", "A: b", " folded"], .malformedHead, nil, "malformed line"),
            Refusal(["HTTP/1.1 101 x\nA: b"], .malformedHead, nil, "malformed line"),
        ])
    func malformed(refusal: Refusal) throws { try check(refusal) }

    @Test(
        "An answer that agrees to something else is told in words",
        arguments: [
            Refusal(altered(0, "HTTP/1.0 101 x"), .wrongAnswer, 101, "in HTTP/1.0"),
            Refusal(altered(1), .wrongAnswer, 101, "lacks “Upgrade: websocket”"),
            Refusal(altered(2), .wrongAnswer, 101, "what a proxy in between does"),
            Refusal(altered(3), .wrongAnswer, 101, "not the answer to our key"),
            Refusal(
                altered(3, "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo="), .wrongAnswer, 101,
                "not the answer to our key"),
            Refusal(altered(5, agreed[3]), .wrongAnswer, 101, "not the answer to our key"),
            Refusal(
                altered(5, "Sec-WebSocket-Extensions: permessage-deflate"), .wrongAnswer, 101,
                "extension “permessage-deflate”, and none was offered"),
            Refusal(altered(4), .subprotocolRefused, 101, "at /mqtt without the subprotocol mqtt"),
            Refusal(altered(4, "Sec-WebSocket-Protocol: chat"), .subprotocolRefused, 101, "the subprotocol “chat”"),
            Refusal(altered(5, agreed[4]), .subprotocolRefused, 101, "“mqtt, mqtt”"),
        ])
    func disagreements(refusal: Refusal) throws { try check(refusal) }

    private func check(_ refusal: Refusal) throws {
        let error = try #require(try error(refusal.lines))
        #expect(error.code == refusal.code)
        #expect(error.status == refusal.status)
        #expect(error.description.contains(refusal.words), "\(error)")
    }

    @Test("Agreement is agreement")
    func agreement() throws {
        #expect(try error(Self.agreed) == nil)
    }

    @Test(
        "What is not HTTP is named at its first byte",
        arguments: [
            ([0x15, 3, 3, 0, 2], "15 03 03 00 02 (“.....”), which looks like TLS: use wss://"),
            ([0x20, 2, 0, 0], "MQTT without WebSocket"), (Array("SSH-2.0".utf8), "another protocol: check the port"),
            (Array("HTTP/2".utf8), "another protocol"),
        ] as [([UInt8], String)])
    func notHTTP(bytes: [UInt8], words: String) throws {
        var handshake = try client()
        var buffer = ByteBuffer(bytes: bytes)
        let error = #expect(throws: WebSocketError.self) { try handshake.receive(&buffer) }
        #expect(error?.code == .notHTTP)
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test("A head without an end is not collected for ever")
    func endless() throws {
        var handshake = try client()
        var bytes = ByteBuffer(string: "HTTP/1.1 200 OK\r\nX: " + String(repeating: "x", count: 20_000))
        let error = #expect(throws: WebSocketError.self) { try handshake.receive(&bytes) }
        #expect(error?.description == "the server's HTTP head is longer than 16384 bytes")
        #expect(bytes.readableBytes > 3000)
    }

    // MARK: The server's side

    private static let asked = [
        "GET /mqtt HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: chat, mqtt",
    ]

    private func answer(
        _ lines: [String], _ configuration: WebSocketServerConfiguration = .init()
    ) throws(WebSocketError) -> ServerHandshake.Request? {
        var handshake = ServerHandshake(configuration)
        var bytes = ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n")
        return try handshake.receive(&bytes)
    }

    @Test("A server answers a request as RFC 6455 §1.3 does")
    func serverAgrees() throws {
        let request = try #require(try answer(["GET /mqtt?x=1 HTTP/1.1"] + Self.asked[1...]))
        #expect(request.target == "/mqtt?x=1")
        #expect(request.subprotocol == "mqtt")
        #expect(request.response == Self.agreed.joined(separator: "\r\n") + "\r\n\r\n")
    }

    @Test(
        "A server chooses the best of the subprotocols that are offered",
        arguments: [
            ("mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("mqttv3.1, mqtt", "mqtt"), ("chat, mqttv3.1", "mqttv3.1"),
        ])
    func serverChooses(offered: String, chosen: String) throws {
        let lines = Self.altered(Self.asked, 6, "Sec-WebSocket-Protocol: \(offered)")
        let request = try #require(try answer(lines, .init(subprotocols: ["mqtt", "mqttv3.1"])))
        #expect(request.subprotocol == chosen)
        #expect(request.response.contains("Sec-WebSocket-Protocol: \(chosen)\r\n"))
    }

    @Test(
        "A server refuses what is no request of ours",
        arguments: [
            Refusal(altered(asked, 0, "GET /mqttx HTTP/1.1"), .badRequest, 404, "for “/mqttx”, and /mqtt is the path"),
            Refusal(altered(asked, 0, "GET /mqtt HTTP/1.0"), .badRequest, 400, "is not one of HTTP/1.1"),
            Refusal(altered(asked, 0, "POST /mqtt HTTP/1.1"), .notHTTP, nil, "does not speak HTTP"),
            Refusal(altered(asked, 1), .badRequest, 400, "with a Host"),
            Refusal(altered(asked, 2), .badRequest, 426, "does not ask for a WebSocket"),
            Refusal(altered(asked, 4), .badRequest, 400, "has no Sec-WebSocket-Key"),
            Refusal(altered(asked, 5, "Sec-WebSocket-Version: 8"), .badRequest, 426, "is not for version 13"),
            Refusal(altered(asked, 6), .subprotocolRefused, 400, "does not offer the subprotocol mqtt"),
            Refusal(altered(asked, 3, "No colon"), .malformedHead, 400, "malformed line"),
        ])
    func serverRefuses(refusal: Refusal) throws {
        let error = try #require(#expect(throws: WebSocketError.self) { try answer(refusal.lines) })
        #expect(error.code == refusal.code)
        #expect(error.status == refusal.status)
        #expect(error.description.contains(refusal.words), "\(error)")
        let response = ServerHandshake.refusal(error)
        #expect(response?.prefix(13) == refusal.status.map { "HTTP/1.1 \($0) " })
    }

    @Test("Hostile bytes end in an error or wait for more (S3)")
    func hostile() throws {
        let templates = [Self.agreed, Self.asked].map { Array(($0.joined(separator: "\r\n") + "\r\n\r\n").utf8) }
        for seed in 0..<2000 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            var bytes = templates[Int(seed % 2)]
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                    in: 0 ... .max, using: &generator)
            }
            var buffer = ByteBuffer(bytes: bytes)
            do throws(WebSocketError) {
                if seed % 2 == 0 {
                    var handshake = try client()
                    _ = try handshake.receive(&buffer)
                } else {
                    var handshake = ServerHandshake(WebSocketServerConfiguration())
                    _ = try handshake.receive(&buffer)
                }
            } catch {
                #expect(!error.description.utf8.contains { $0 < 0x20 }, "seed \(seed): \(error)")
            }
        }
    }
}

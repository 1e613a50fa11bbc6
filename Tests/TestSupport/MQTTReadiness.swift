internal import Glibc

/// Whether a broker on 127.0.0.1 answers a CONNECT of MQTT 3.1.1 from an anonymous client with a CONNACK that accepts
/// it: servers listen before they can do that.
///
/// - Parameter patience: how long the answer may take.
func acceptsMQTT(port: Int, patience: Duration = .seconds(2)) -> Bool {
    guard let descriptor = connected(port: port) else { return false }
    defer { close(descriptor) }
    let (seconds, attoseconds) = patience.components
    var limit = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    // A clean session, no keep-alive, no identifier (3.1.1 §3.1).
    let connect: [UInt8] = [0x10, 12, 0, 4] + Array("MQTT".utf8) + [4, 0x02, 0, 0, 0, 0]
    guard send(descriptor, connect, connect.count, CInt(MSG_NOSIGNAL)) == connect.count else { return false }
    var answer = [UInt8](repeating: 0xFF, count: 4)
    guard recv(descriptor, &answer, answer.count, CInt(MSG_WAITALL)) == 4, answer == [0x20, 2, 0, 0] else {
        return false
    }
    let disconnect: [UInt8] = [0xE0, 0]
    return send(descriptor, disconnect, disconnect.count, CInt(MSG_NOSIGNAL)) == disconnect.count
}

/// What an HTTP server on 127.0.0.1 answers to a GET, headers and all; nil if it does not within two seconds.
func httpGet(port: Int, _ path: String) -> String? {
    guard let descriptor = connected(port: port) else { return nil }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 2, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let request = Array("GET \(path) HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".utf8)
    guard send(descriptor, request, request.count, CInt(MSG_NOSIGNAL)) == request.count else { return nil }
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 * 1024)
    while true {
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count >= 0 else { return nil }
        guard count > 0 else { return String(decoding: answer, as: UTF8.self) }
        answer += chunk[..<count]
    }
}

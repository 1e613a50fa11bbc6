import Glibc
import MQTTWire
import NIOCore

/// A TCP connection to 127.0.0.1 whose owner may send whatever it likes.
///
/// Calls block, with a limit: use it on a thread that may wait, see ``onThread(_:)``. What comes in is decoded
/// strictly, as a client would.
final class RawConnection {
    /// What the peer did instead of answering.
    enum Failure: Error, Equatable, CustomStringConvertible {
        case system(String, CInt)
        case closed
        case silent
        case malformed(DecodingError)

        var description: String {
            switch self {
            case .system(let call, let number): "\(call): \(String(cString: strerror(number)))"
            case .closed: "the broker closed the connection"
            case .silent: "the broker did not answer in time"
            case .malformed(let error): "the broker sent a malformed packet: \(error)"
            }
        }
    }

    let descriptor: CInt
    private var decoder: PacketDecoder
    private var received = ByteBuffer()
    private let version: ProtocolVersion

    /// - Parameters:
    ///   - version: in which packets are sent and answers understood.
    ///   - receiveBuffer: bytes that the kernel may hold for a connection that is not read (doubled by Linux).
    init(port: Int, version: ProtocolVersion = .v5, receiveBuffer: CInt? = nil) throws(Failure) {
        descriptor = try Self.open(port: port, receiveBuffer: receiveBuffer)
        self.version = version
        decoder = PacketDecoder(version: version, maximumPacketSize: 1 << 28)
    }

    deinit { Glibc.close(descriptor) }

    /// A connected socket. The caller closes it.
    ///
    /// - Parameter waits: false: the socket does not block, and is connected when it becomes writable.
    static func open(port: Int, receiveBuffer: CInt? = nil, waits: Bool = true) throws(Failure) -> CInt {
        let mode = waits ? SOCK_CLOEXEC.rawValue : SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | mode), 0)
        guard descriptor >= 0 else { throw .system("socket", errno) }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
        }
        var on: CInt = 1
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(port).bigEndian
        let connected = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 || !waits && errno == EINPROGRESS else {
            let number = errno
            Glibc.close(descriptor)
            throw .system("connect", number)
        }
        return descriptor
    }

    /// Sends all of it, waiting while the broker does not read.
    func send(_ bytes: [UInt8], within limit: Duration = .seconds(10)) throws(Failure) {
        let deadline = ContinuousClock.now + limit
        var sent = 0
        while sent < bytes.count {
            sent += try trySend(bytes[sent...])
            guard sent < bytes.count else { return }
            try wait(for: POLLOUT, until: deadline)
        }
    }

    /// Sends what goes without waiting.
    ///
    /// - Returns: how many bytes went.
    func trySend(_ bytes: ArraySlice<UInt8>) throws(Failure) -> Int {
        let count = bytes.withUnsafeBytes {
            Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return 0 }
        if errno == EPIPE || errno == ECONNRESET { throw .closed }
        throw .system("send", errno)
    }

    func send(_ packets: Packet..., within limit: Duration = .seconds(10)) throws {
        try send(packets.flatMap { try $0.bytes(version) }, within: limit)
    }

    /// The next packet of the broker.
    func receive(within limit: Duration = .seconds(10)) throws(Failure) -> Packet {
        let deadline = ContinuousClock.now + limit
        while true {
            if let packet = try receivedPacket() { return packet }
            try wait(for: POLLIN, until: deadline)
            if try !fill() { throw .closed }
        }
    }

    /// The next packet of the broker if it has come, or nil.
    func receiveNow() throws(Failure) -> Packet? {
        if let packet = try receivedPacket() { return packet }
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&state, 1, 0) == 1 else { return nil }
        if try !fill() { throw .closed }
        return try receivedPacket()
    }

    /// Waits until something has come on one of these connections.
    static func wait(for connections: [RawConnection], atMost limit: Duration) {
        var states = connections.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        poll(&states, nfds_t(states.count), CInt(limit / .milliseconds(1)))
    }

    /// Waits until the broker closes the connection.
    ///
    /// - Returns: what it sent before.
    func receiveUntilClosed(within limit: Duration = .seconds(10)) throws(Failure) -> [Packet] {
        let deadline = ContinuousClock.now + limit
        var packets: [Packet] = []
        while true {
            while let packet = try receivedPacket() { packets.append(packet) }
            try wait(for: POLLIN, until: deadline)
            if try !fill() { return packets }
        }
    }

    /// Whether the broker has closed the connection by now; takes what it sent out of the way.
    func isClosed() throws(Failure) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&state, 1, 0) == 1 {
            if try !fill() { return true }
            while try receivedPacket() != nil {}
        }
        return false
    }

    /// Whether the broker has closed the connection by now; throws away what it sent, whatever that is.
    func isEnded() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = recv(descriptor, &chunk, chunk.count, CInt(MSG_DONTWAIT))
            if count <= 0 { return count == 0 || errno != EAGAIN }
        }
    }

    /// Sends CONNECT and takes CONNACK.
    @discardableResult
    func open(_ connect: Connect) throws -> ConnAck {
        try send(.connect(connect))
        guard case .connack(let answer) = try receive() else { throw Unexpected("no CONNACK came first") }
        guard !answer.reasonCode.isError else { throw Unexpected("refused: \(answer)") }
        return answer
    }

    /// Closes with a RST, as a crashing program or a firewall does.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    }

    /// A packet that has come already.
    private func receivedPacket() throws(Failure) -> Packet? {
        do {
            let packet = try decoder.decode(from: &received)
            if received.readableBytes == 0 { received.clear() }
            return packet
        } catch {
            throw .malformed(error)
        }
    }

    /// Takes what is there. False at the end of the stream.
    private func fill() throws(Failure) -> Bool {
        var isOpen = true
        received.writeWithUnsafeMutableBytes(minimumWritableBytes: 64 * 1024) {
            let count = recv(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT))
            isOpen = count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR)
            return max(0, count)
        }
        return isOpen
    }

    private func wait(for events: CInt, until deadline: ContinuousClock.Instant) throws(Failure) {
        let left = deadline - .now
        guard left > .zero else { throw .silent }
        var state = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        _ = poll(&state, 1, max(1, CInt(left / .milliseconds(1))))
    }
}

extension Packet {
    /// On the wire.
    func bytes(_ version: ProtocolVersion = .v5) throws -> [UInt8] {
        var buffer = ByteBuffer()
        try encode(into: &buffer, version: version)
        return Array(buffer.readableBytesView)
    }
}

/// Something else than expected came.
struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

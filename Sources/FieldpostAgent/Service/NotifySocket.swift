#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A service manager's socket, to which each message is one datagram (sd_notify(3)). Nothing here waits.
final class NotifySocket: Sendable {
    enum Outcome: Equatable {
        case sent
        /// So much lies there unread that nothing more goes in; a later try may succeed.
        case full
        /// Nobody listens there, or we may not speak.
        case failed(code: Int32)
    }

    private let descriptor: CInt
    /// As the kernel wants it: a path with its zero byte, an abstract name with one in front.
    private let name: [UInt8]

    /// - Parameter address: a path, or `@` and an abstract name.
    /// - Throws: ``Unusable``; of other kinds, as `vsock:…`, there is no need on a board.
    init(_ address: String) throws(Unusable) {
        let bytes = Array(address.utf8)
        switch bytes.first {
        case UInt8(ascii: "/"): name = bytes + [0]
        case UInt8(ascii: "@"): name = [0] + bytes.dropFirst()
        default: throw Unusable(reason: "\(address) is neither a path nor an abstract name")
        }
        guard bytes.count > 1, name.count <= MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
            throw Unusable(reason: "\(address) cannot be the name of a socket")
        }
        #if canImport(Darwin)
        descriptor = socket(AF_UNIX, SOCK_DGRAM, 0)
        #elseif canImport(Glibc)
        descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        #else
        descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
        #endif
        guard descriptor >= 0 else { throw Unusable(reason: String(cString: strerror(errno))) }
    }

    struct Unusable: Error {
        var reason: String
    }

    deinit { close(descriptor) }

    func send(_ datagram: String) -> Outcome {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = (MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 0) + name.count
        let bytes = Array(datagram.utf8)
        while true {
            let count = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(descriptor, bytes, bytes.count, CInt(MSG_DONTWAIT) | Self.noSignal, $0, socklen_t(length))
                }
            }
            if count >= 0 { return .sent }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .full
            default: return .failed(code: errno)
            }
        }
    }

    #if canImport(Darwin)
    private static let noSignal: CInt = 0
    #else
    private static let noSignal = CInt(MSG_NOSIGNAL)
    #endif
}

#if canImport(Musl)
internal import Musl
#else
internal import Glibc
#endif

/// A free TCP port of 127.0.0.1 that nobody else gets as long as this value lives, whether somebody listens on it or
/// not.
///
/// The socket is bound but never listens: connections are refused, and the kernel gives the port to no one who asks
/// for any free port. Who asks for this very port with SO_REUSEADDR, as servers do, may listen on it, end, and listen
/// again (`socket(7)`).
public final class ReservedPort: Sendable {
    /// The port's number.
    public let number: Int
    private let descriptor: CInt

    /// Reserves a port that the kernel chooses.
    ///
    /// - Throws: ``RelayError/noPort(errno:)``.
    public init() throws(RelayError) {
        #if canImport(Musl)
        let type = SOCK_STREAM | SOCK_CLOEXEC
        #else
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        #endif
        let descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw .noPort(errno: errno) }
        var one: CInt = 1
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let done =
            setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size)) == 0
            && withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
                }
            }
        guard done else {
            let reason = errno
            close(descriptor)
            throw .noPort(errno: reason)
        }
        self.descriptor = descriptor
        number = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit {
        close(descriptor)
    }
}

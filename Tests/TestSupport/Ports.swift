internal import Glibc
internal import Relay
internal import Synchronization

/// Those that this process has given out.
private let given = Mutex<Set<Int>>([])

/// A TCP port of 127.0.0.1 that is free now, and that nobody is given by chance: it lies below those that Linux gives to
/// whoever asks for any (`net.ipv4.ip_local_port_range`), and is given out once. ``ReservedPort`` cannot be taken at all.
public func freePort() throws -> Int {
    for _ in 0..<200 {
        let port = Int.random(in: 10_240..<32_000)
        if given.withLock({ $0.insert(port).inserted }), isFree(port) { return port }
    }
    return try ReservedPort().number
}

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var address = loopback(port)
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = in_port_t(port).bigEndian
    return address
}

/// Whether somebody accepts TCP connections on 127.0.0.1 at this port now.
public func accepts(port: Int) -> Bool {
    guard let descriptor = connected(port: port) else { return false }
    close(descriptor)
    return true
}

/// A TCP connection to a port of 127.0.0.1, to be closed by the caller; nil if nobody accepts it.
func connected(port: Int) -> CInt? {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var address = loopback(port)
    let isConnected = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
    guard isConnected else {
        close(descriptor)
        return nil
    }
    return descriptor
}

/// The port at this end of a TCP connection over IPv4; 0 if it is none.
func localPort(of descriptor: CInt) -> Int {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isKnown = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
    }
    return isKnown ? Int(UInt16(bigEndian: address.sin_port)) : 0
}

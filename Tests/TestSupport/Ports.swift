internal import Glibc
internal import Relay

/// A TCP port of 127.0.0.1 that is free now. Somebody else may take it before you do: ``ReservedPort`` cannot be taken.
public func freePort() throws -> Int { try ReservedPort().number }

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
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = in_port_t(port).bigEndian
    let isConnected = withUnsafePointer(to: address) { pointer in
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

internal import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Connecting to a device on the network.
enum TCPConnection {
    /// "gateway:502", "[fe80::1]:502".
    static func place(host: String, port: Int) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Tries each of the host's addresses until one takes the connection.
    ///
    /// A name is looked up by the C library, which has bounds of its own for that (`resolv.conf(5)`).
    static func open(
        host: String, port: Int, within limit: Duration
    ) throws(SensorError) -> Descriptor {
        let place = place(host: host, port: port)
        let deadline = ContinuousClock.now + limit
        var hints = addrinfo()
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard code == 0 else {
            throw SensorError(
                .missing, place, "is not known by name (\(String(cString: gai_strerror(code))))",
                mend: "check host, or give its address")
        }
        var failure = ETIMEDOUT
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            do {
                return try open(entry.pointee, until: deadline)
            } catch {
                failure = error.code
            }
        }
        throw SensorError(
            .unavailable, place, "takes no connection (\(Descriptor.Failure.text(failure)))",
            mend: failure == ECONNREFUSED
                ? "check port, and whether the device's service is switched on and has a connection to spare"
                : "is it switched on, and in a network that this board reaches?")
    }

    private static func open(
        _ address: addrinfo, until deadline: ContinuousClock.Instant
    ) throws(Descriptor.Failure) -> Descriptor {
        #if canImport(Glibc)
        let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        #else
        let flags = SOCK_NONBLOCK | SOCK_CLOEXEC
        #endif
        let number = socket(address.ai_family, address.ai_socktype | flags, address.ai_protocol)
        guard number >= 0 else { throw Descriptor.Failure(code: errno) }
        let connection = Descriptor(number, isSocket: true)
        if connect(number, address.ai_addr, address.ai_addrlen) != 0 {
            guard errno == EINPROGRESS else { throw Descriptor.Failure(code: errno) }
            try connection.wait(for: Int32(POLLOUT), until: deadline)
            var failure: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            guard getsockopt(number, SOL_SOCKET, SO_ERROR, &failure, &size) == 0, failure == 0 else {
                throw Descriptor.Failure(code: failure == 0 ? errno : failure)
            }
        }
        // A request is one small packet, which nothing is worth waiting for.
        var on: Int32 = 1
        setsockopt(number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        return connection
    }
}

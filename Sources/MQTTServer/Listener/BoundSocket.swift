internal import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A socket that is bound to its address and listens, so that nobody else can; no connection is taken from it yet.
struct BoundSocket: Sendable {
    let descriptor: CInt
    let address: SocketAddress

    /// Sets how many connections the kernel may hold ready.
    func listen(backlog: Int) { _ = systemListen(descriptor, CInt(clamping: max(1, backlog))) }

    /// When nobody is going to listen at it.
    func abandon() {
        _ = systemClose(descriptor)
        if let path = address.pathname { unlink(path) }
    }

    /// All sockets that a listener's address stands for. It may ask the network for a name, so it does not belong on an
    /// event loop.
    ///
    /// A host name is bound at every address that it has. `::` takes IPv4 clients too, as `0.0.0.0` does only IPv4.
    @concurrent static func bind(_ listener: Listener) async throws(ServerError) -> [BoundSocket] {
        switch listener.address {
        case .unix(let path): return [try bind(path: path, listener.name, backlog: listener.backlog)]
        case .tcp(let host, let port):
            guard (0...65_535).contains(port) else {
                throw ServerError(
                    .invalidSetting, listener: listener.name, "there is no port \(port); they end at 65535")
            }
            return try bind(try resolve(host, port, listener.name), isAnyHost: host == "::", listener)
        }
    }

    // MARK: TCP

    private static func resolve(_ host: String, _ port: Int, _ name: String) throws(ServerError) -> [SocketAddress] {
        if let address = try? SocketAddress(ipAddress: host, port: port) { return [address] }
        var hints = addrinfo()
        hints.ai_socktype = streamType
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, "\(port)", &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        guard result == 0 else {
            throw ServerError(
                .unknownHost, listener: name,
                "the host \"\(host)\" is not known (\(String(cString: gai_strerror(result)))); give an address of this board, or 0.0.0.0 for all"
            )
        }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            next = entry.pointee.ai_next
            guard let bytes = entry.pointee.ai_addr else { continue }
            let address: SocketAddress? =
                switch entry.pointee.ai_family {
                case AF_INET: SocketAddress(bytes.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee })
                case AF_INET6: SocketAddress(bytes.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee })
                default: nil
                }
            if let address, !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }

    /// A name may have addresses that this board has not, such as `::1` of localhost; one is enough.
    private static func bind(
        _ addresses: [SocketAddress], isAnyHost: Bool, _ listener: Listener
    ) throws(ServerError) -> [BoundSocket] {
        var sockets: [BoundSocket] = []
        var missing: ServerError?
        for var address in addresses {
            // A free port is one for all of the name's addresses.
            if address.port == 0 { address.port = sockets.first?.address.port ?? 0 }
            do throws(ServerError) {
                sockets.append(try bind(address, isAnyHost: isAnyHost, listener))
            } catch {
                guard error.code == .addressNotAvailable else {
                    sockets.forEach { $0.abandon() }
                    throw error
                }
                missing = error
            }
        }
        if let missing, sockets.isEmpty { throw missing }
        return sockets
    }

    private static func bind(
        _ address: SocketAddress, isAnyHost: Bool, _ listener: Listener
    ) throws(ServerError) -> BoundSocket {
        let family = address.protocol == .inet6 ? AF_INET6 : AF_INET
        let descriptor = try open(family, listener.name)
        set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        // Connections inherit it.
        set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
        if family == AF_INET6 { set(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, isAnyHost ? 0 : 1) }
        // Two sockets may be bound to one address, as long as neither listens.
        guard address.withSockAddr({ systemBind(descriptor, $0, socklen_t($1)) }) == 0,
            systemListen(descriptor, CInt(clamping: max(1, listener.backlog))) == 0
        else {
            let code = errno
            _ = systemClose(descriptor)
            throw failure(code, listener, port: address.port ?? 0)
        }
        return BoundSocket(descriptor: descriptor, address: bound(descriptor) ?? address)
    }

    private static func bound(_ descriptor: CInt) -> SocketAddress? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        guard result == 0 else { return nil }
        return withUnsafePointer(to: storage) { pointer in
            switch CInt(pointer.pointee.ss_family) {
            case AF_INET: SocketAddress(pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee })
            case AF_INET6: SocketAddress(pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { $0.pointee })
            default: nil
            }
        }
    }

    private static func failure(_ code: CInt, _ listener: Listener, port: Int) -> ServerError {
        let place = listener.address.description
        switch code {
        case EADDRINUSE:
            let holder = PortHolder.find(port: port).map { " by \($0)" } ?? ""
            return ServerError(
                .addressInUse, listener: listener.name,
                "\(place) is in use\(holder); stop what listens there, or give another port")
        case EACCES, EPERM:
            return ServerError(
                .permissionDenied, listener: listener.name,
                "this process may not listen at \(place)\(port < 1024 ? ": ports below 1024 need the capability CAP_NET_BIND_SERVICE (setcap, or AmbientCapabilities= of systemd); or give a port from 1024 on" : "")"
            )
        case EADDRNOTAVAIL, EAFNOSUPPORT:
            return ServerError(
                .addressNotAvailable, listener: listener.name,
                "this board has no address for \(place) at present; `ip address` shows those that it has")
        default:
            return ServerError(.cannotListen, listener: listener.name, "cannot listen at \(place): \(text(code))")
        }
    }

    // MARK: Unix domain

    private static func bind(path: String, _ name: String, backlog: Int) throws(ServerError) -> BoundSocket {
        guard let address = try? SocketAddress(unixDomainSocketPath: path) else {
            throw ServerError(
                .invalidSetting, listener: name, "the path \"\(path)\" is empty or too long for a socket (107 bytes)")
        }
        try removeStale(path, address, name)
        let descriptor = try open(AF_UNIX, name)
        guard address.withSockAddr({ systemBind(descriptor, $0, socklen_t($1)) }) == 0 else {
            let code = errno
            _ = systemClose(descriptor)
            let mend =
                switch code {
                case ENOENT: "; make its folder first"
                case EACCES, EPERM, EROFS: "; this process must be allowed to write in its folder"
                default: ""
                }
            let kind: ServerError.Code = code == EACCES || code == EPERM ? .permissionDenied : .cannotListen
            throw ServerError(kind, listener: name, "cannot make the socket \(path): \(text(code))\(mend)")
        }
        // Before anybody is listening, so that there is no moment in which others may connect.
        guard chmod(path, 0o660) == 0 else {
            let code = errno
            _ = systemClose(descriptor)
            unlink(path)
            throw ServerError(.cannotListen, listener: name, "cannot set the mode of \(path): \(text(code))")
        }
        // As long as it does not, it would pass for one that was left behind.
        _ = systemListen(descriptor, CInt(clamping: max(1, backlog)))
        return BoundSocket(descriptor: descriptor, address: address)
    }

    /// A socket that an earlier process has left behind is in the way of the next; one that somebody listens at, or
    /// something else, stays.
    private static func removeStale(_ path: String, _ address: SocketAddress, _ name: String) throws(ServerError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ServerError(
                .addressInUse, listener: name, "\(path) is there and is no socket; give another path, or remove it")
        }
        let probe = try open(AF_UNIX, name)
        defer { _ = systemClose(probe) }
        let result = address.withSockAddr { systemConnect(probe, $0, socklen_t($1)) }
        guard result != 0, errno == ECONNREFUSED else {
            throw ServerError(
                .addressInUse, listener: name,
                "somebody listens at \(path); stop that program, or give another path")
        }
        unlink(path)
    }

    // MARK: System calls

    private static func open(_ family: CInt, _ name: String) throws(ServerError) -> CInt {
        #if os(Linux)
        // So that a live socket with a full backlog does not hold us up.
        let descriptor = socket(family, streamType | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        #else
        let descriptor = socket(family, streamType, 0)
        #endif
        guard descriptor >= 0 else {
            let code = errno
            throw ServerError(
                code == EAFNOSUPPORT ? .addressNotAvailable : .cannotListen, listener: name,
                "the system gives no socket: \(text(code))")
        }
        return descriptor
    }

    private static func set(_ descriptor: CInt, _ level: CInt, _ option: CInt, _ value: CInt) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
    }

    private static func text(_ code: CInt) -> String { String(cString: strerror(code)) }
}

#if os(Linux)
private let streamType = CInt(SOCK_STREAM.rawValue)
#else
private let streamType = SOCK_STREAM
#endif

// The type has functions of these names.
private func systemBind(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> CInt {
    bind(descriptor, address, size)
}

private func systemConnect(_ descriptor: CInt, _ address: UnsafePointer<sockaddr>, _ size: socklen_t) -> CInt {
    connect(descriptor, address, size)
}

private func systemListen(_ descriptor: CInt, _ backlog: CInt) -> CInt { listen(descriptor, backlog) }

private func systemClose(_ descriptor: CInt) -> CInt { close(descriptor) }

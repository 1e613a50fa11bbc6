internal import NIOCore
internal import NIOPosix
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What kept bytes from travelling, in words for whoever looks after the board.
enum NetworkFailure {
    /// The peer closed and has no use for what was sent.
    static func isReset(_ error: any Error) -> Bool {
        guard let error = error as? IOError else { return false }
        return error.errnoCode == ECONNRESET || error.errnoCode == EPIPE
    }

    static func text(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            var reasons: [String] = []
            for failure in error.connectionErrors {
                let reason = text(failure.error)
                if !reasons.contains(reason) { reasons.append(reason) }
            }
            if !reasons.isEmpty { return reasons.joined(separator: "; ") }
            return "the name \(error.host) is not resolved"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case is SocketAddressError: return "the name is not resolved"
        case ChannelError.connectTimeout(let time): return "no connection within \(Duration(time).compact)"
        case ChannelError.ioOnClosedChannel, ChannelError.alreadyClosed: return "the connection is closed"
        default: return "\(error)"
        }
    }
}

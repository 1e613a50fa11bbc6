internal import CLinux

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// One descriptor that is readable while one of several is, or as long as it is told to be.
///
/// A plugin's events, its words on standard error and its end come by three descriptors; its driver gives away one. What
/// came while an answer was awaited is no longer in any of them: for that there is ``raise()``.
final class ReadySet: Sendable {
    private let epoll: PipeEnd
    private let event: PipeEnd

    /// Nil with `errno` set.
    init?(_ members: [PipeEnd?]) {
        let set = epoll_create1(clinux_epoll_cloexec)
        guard set >= 0 else { return nil }
        epoll = PipeEnd(set)
        let event = eventfd(0, clinux_eventfd_flags)
        guard event >= 0 else { return nil }
        self.event = PipeEnd(event)
        for member in members + [self.event] {
            guard let member else { continue }
            var interest = epoll_event(events: clinux_epoll_in, data: epoll_data(fd: member.number))
            guard epoll_ctl(set, EPOLL_CTL_ADD, member.number, &interest) == 0 else { return nil }
        }
    }

    var number: Int32 { epoll.number }

    func remove(_ member: PipeEnd) { _ = epoll_ctl(epoll.number, EPOLL_CTL_DEL, member.number, nil) }

    /// Makes it readable, whatever its members are.
    func raise() { _ = event.write(withUnsafeBytes(of: UInt64(1)) { Array($0) }, until: .now) }

    /// Lets it be as its members are.
    func lower() { withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { _ = event.read(into: $0) } }
}

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
    private let epoll: Descriptor
    private let event: Descriptor

    /// Nil with `errno` set.
    init?(_ members: [Descriptor?]) {
        let set = clinux_make_set()
        guard set >= 0 else { return nil }
        epoll = Descriptor(set)
        let event = clinux_make_event()
        guard event >= 0 else { return nil }
        self.event = Descriptor(event)
        for member in members + [self.event] {
            guard let member else { continue }
            guard clinux_add_to_set(set, member.number) == 0 else { return nil }
        }
    }

    var number: Int32 { epoll.number }

    func remove(_ member: Descriptor) { _ = clinux_remove_from_set(epoll.number, member.number) }

    /// Makes it readable, whatever its members are.
    func raise() { _ = event.write(withUnsafeBytes(of: UInt64(1)) { Array($0) }, until: .now) }

    /// Lets it be as its members are.
    func lower() { withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { _ = event.read(into: $0) } }
}

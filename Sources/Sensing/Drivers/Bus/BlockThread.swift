#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Does nothing for a while: on a thread that may block.
func blockThread(for time: Duration) {
    let (seconds, attoseconds) = time.components
    guard seconds >= 0, attoseconds >= 0 else { return }
    var request = timespec(tv_sec: time_t(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var rest = timespec()
    while nanosleep(&request, &rest) != 0, errno == EINTR { request = rest }
}

internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The programs of this process that have not been seen to end, by their process groups.
///
/// The kernel kills a program with the agent, but not what that has started. Usually its driver sees to that; but one whose
/// read is under way when the agent ends has no time to.
package enum RunningPrograms {
    private static let all = Mutex<Set<Int32>>([])

    static func add(_ id: Int32) { all.withLock { _ = $0.insert(id) } }

    /// To be called before the process is reaped: from then on its number may be another's.
    static func remove(_ id: Int32) { all.withLock { _ = $0.remove(id) } }

    /// Kills them with all that they have started: this process is about to end.
    package static func kill() {
        all.withLock { for id in $0 { _ = signal(id) } }
    }

    private static func signal(_ id: Int32) -> Int32 {
        #if canImport(Glibc)
        Glibc.kill(-id, SIGKILL)
        #else
        Musl.kill(-id, SIGKILL)
        #endif
    }
}

import Glibc
import NIOPosix

/// Runs work that blocks on a thread of its own.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    let pool = NIOThreadPool(numberOfThreads: 1)
    pool.start()
    do {
        let result = try await pool.runIfActive(body)
        try await pool.shutdownGracefully()
        return result
    } catch {
        try await pool.shutdownGracefully()
        throw error
    }
}

/// Blocks this thread.
func usleep(for duration: Duration) {
    let microseconds = duration / .microseconds(1)
    if microseconds > 0 { Glibc.usleep(UInt32(microseconds)) }
}

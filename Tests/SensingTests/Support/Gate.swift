import Glibc

/// Work that hangs until it is let go: a thread blocks in reading a pipe. `@unchecked Sendable`: both ends are constants.
final class Gate: @unchecked Sendable {
    private let reading: Int32
    private let writing: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw SystemFailure(code: errno) }
        reading = ends[0]
        writing = ends[1]
    }

    deinit {
        close(reading)
        close(writing)
    }

    /// Blocks until ``open()``; each opening lets one through.
    func pass() {
        var byte: UInt8 = 0
        while read(reading, &byte, 1) < 0, errno == EINTR {}
    }

    func open() {
        var byte: UInt8 = 1
        _ = write(writing, &byte, 1)
    }
}

import Glibc
import Testing

@testable import Sensing

/// A serial line whose other end is the test.
final class PseudoTerminal: Sendable {
    /// The device.
    let path: String
    private let other: Shared<Int32>

    init() throws {
        let file = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)
        var isLocked: Int32 = 0
        var number: UInt32 = 0
        // TIOCSPTLCK and TIOCGPTN of <asm-generic/ioctls.h>, as unlockpt and ptsname use them.
        guard file >= 0, ioctl(file, 0x4004_5431, &isLocked) == 0, ioctl(file, 0x8004_5430, &number) == 0 else {
            throw SystemFailure(code: errno)
        }
        path = "/dev/pts/\(number)"
        other = Shared(file)
    }

    deinit { hangUp() }

    func send(_ bytes: [UInt8]) {
        let count = Glibc.write(other.current, bytes, bytes.count)
        #expect(count == bytes.count)
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    /// What has come from the driver within a while; nil if nothing has.
    func receive(within milliseconds: Int32 = 10_000) -> [UInt8]? {
        var request = pollfd(fd: other.current, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, milliseconds) > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = Glibc.read(other.current, &bytes, bytes.count)
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    /// Pulls the plug.
    func hangUp() {
        other.change {
            if $0 >= 0 { close($0) }
            $0 = -1
        }
    }
}

/// A device at the other end that answers what it is asked, on a thread of its own, until it is let go.
final class AnsweringDevice: Sendable {
    let line: PseudoTerminal
    private let isDone = Shared(false)
    private let asked = Shared<[[UInt8]]>([])

    /// - Parameter answer: what is sent, in pieces, for what has come.
    init(_ answer: @escaping @Sendable ([UInt8]) -> [[UInt8]]) throws {
        let line = try PseudoTerminal()
        self.line = line
        let (isDone, asked) = (isDone, asked)
        _ = WorkerThread.start {
            while !isDone.current {
                guard let question = line.receive(within: 20) else { continue }
                asked.change { $0.append(question) }
                for piece in answer(question) { line.send(piece) }
            }
        }
    }

    deinit { isDone.change { $0 = true } }

    var questions: [[UInt8]] { asked.current }
}

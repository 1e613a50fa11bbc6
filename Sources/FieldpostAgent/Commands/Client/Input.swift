internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// A file or standard input, read on a thread of its own: a pipe may keep silent for as long as it likes.
final class Input: Sendable {
    private let descriptor: CInt
    private let name: String
    private let thread = NIOThreadPool(numberOfThreads: 1)

    /// - Parameter path: nil is standard input.
    init(file path: String?) throws(CommandFailure) {
        name = path ?? "standard input"
        guard path != nil || Console.isOpen(STDIN_FILENO) else {
            throw CommandFailure(.inputOutput, "standard input is closed")
        }
        descriptor = path.map { open($0, O_RDONLY | O_CLOEXEC) } ?? STDIN_FILENO
        guard descriptor >= 0 else {
            throw CommandFailure(.inputOutput, "\(name): \(String(cString: strerror(errno)))")
        }
        thread.start()
    }

    deinit {
        if descriptor > STDERR_FILENO { close(descriptor) }
        thread.shutdownGracefully { _ in }
    }

    /// - Returns: what is there, up to 64 KiB; nil at the end.
    func read() async throws -> ByteBuffer? {
        try await thread.runIfActive { [descriptor, name] in
            var chunk = [UInt8](repeating: 0, count: 64 * 1024)
            while true {
                #if canImport(Glibc)
                let count = Glibc.read(descriptor, &chunk, chunk.count)
                #elseif canImport(Musl)
                let count = Musl.read(descriptor, &chunk, chunk.count)
                #else
                let count = Darwin.read(descriptor, &chunk, chunk.count)
                #endif
                if count > 0 { return ByteBuffer(bytes: chunk[..<count]) }
                if count == 0 { return nil }
                guard errno == EINTR else {
                    throw CommandFailure(.inputOutput, "\(name): \(String(cString: strerror(errno)))")
                }
            }
        }
    }

    /// Everything up to the end.
    func readAll() async throws -> ByteBuffer {
        var all = ByteBuffer()
        while var chunk = try await read() {
            all.writeBuffer(&chunk)
            try check(all.readableBytes, "")
        }
        return all
    }

    /// Hands the lines over without their line feeds, as they come and up to 128 at once; the last one also when it has
    /// no line feed.
    func forEachLines(_ body: ([ByteBuffer]) async throws -> Void) async throws {
        var rest = ByteBuffer()
        // What was searched already, so that a long line is not searched again with each chunk.
        var searched = 0
        while var chunk = try await read() {
            rest.writeBuffer(&chunk)
            var lines: [ByteBuffer] = []
            while let end = rest.readableBytesView.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")),
                let line = rest.readSlice(length: end - rest.readerIndex)
            {
                rest.moveReaderIndex(forwardBy: 1)
                searched = 0
                lines.append(line)
                guard lines.count == 128 else { continue }
                try await body(lines)
                lines.removeAll(keepingCapacity: true)
            }
            if !lines.isEmpty { try await body(lines) }
            searched = rest.readableBytes
            try check(searched, "a line of ")
            // A copy of its own, so that it does not keep the lines before it.
            if rest.readerIndex > 0 { rest = ByteBuffer(bytes: rest.readableBytesView) }
        }
        if rest.readableBytes > 0 { try await body([rest]) }
    }

    private func check(_ count: Int, _ part: String) throws(CommandFailure) {
        guard count > ClientSettings.largestPacket else { return }
        throw CommandFailure(.inputOutput, "\(part)\(name) is larger than an MQTT message can be (256 MB)")
    }
}

internal import Glibc

/// A service manager's end of `NOTIFY_SOCKET`, in a folder of its own: keeps each datagram, as text.
public final class NotifyListener: Sendable {
    /// What `NOTIFY_SOCKET` is to say.
    public let path: String
    /// One for each datagram; its lines are still apart.
    public let datagrams = LineLog()
    private let directory: TemporaryDirectory
    private let reading: Task<Void, Never>

    public init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("notify")
        let descriptor = socket(
            AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("making a socket") }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { [path] in $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(descriptor)
            throw SystemError("binding \(path)")
        }
        reading = Task { [datagrams] in
            defer { close(descriptor) }
            var buffer = [UInt8](repeating: 0, count: 4096)
            while !Task.isCancelled {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count >= 0 {
                    await datagrams.append(String(decoding: buffer[..<count], as: UTF8.self))
                } else {
                    try? await Task.sleep(for: .milliseconds(2))
                }
            }
        }
    }

    deinit { reading.cancel() }

    /// Waits for a datagram that contains `text`, behind the first `count` ones.
    ///
    /// - Returns: it, and how many there were up to it.
    @discardableResult
    public func next(
        _ text: String, after count: Int = 0, timeout: Duration = .seconds(20)
    ) async throws -> (datagram: String, count: Int) {
        let all = try await datagrams.wait(for: "“\(text)” on the notify socket", timeout: timeout) { all in
            all.dropFirst(count).contains { $0.contains(text) }
        }
        guard let index = all.indices.dropFirst(count).first(where: { all[$0].contains(text) }) else { return ("", 0) }
        return (all[index], index + 1)
    }
}

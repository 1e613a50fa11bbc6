import Glibc
import TestSupport
import Testing

@testable import FieldpostAgent

@Suite struct NotifySocketTests {
    /// A socket that is bound to this name; `@` for an abstract one.
    private final class Receiver {
        let descriptor: CInt

        init(_ address: String) throws {
            descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            let isAbstract = address.hasPrefix("@")
            let bytes = isAbstract ? [0] + Array(address.utf8.dropFirst()) : Array(address.utf8) + [0]
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
            let length = MemoryLayout<sa_family_t>.size + bytes.count
            let result = withUnsafePointer(to: &name) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(length)) }
            }
            try #require(result == 0)
        }

        deinit { close(descriptor) }

        func receive() -> String? {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    @Test func aMessageIsOneDatagramToAPathOrAnAbstractName() throws {
        let directory = try TemporaryDirectory()
        for address in [directory.path("notify"), "@\(directory.path)"] {
            let receiver = try Receiver(address)
            #expect(try NotifySocket(address).send("READY=1\nSTATUS=ü") == .sent)
            #expect(receiver.receive() == "READY=1\nSTATUS=ü")
            #expect(receiver.receive() == nil)
        }
    }

    @Test func nobodyThereIsToldAndAReturnIsNoticed() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("notify")
        let socket = try NotifySocket(path)
        #expect(socket.send("a") == .failed(code: ENOENT))
        do {
            let receiver = try Receiver(path)
            #expect(socket.send("b") == .sent)
            #expect(receiver.receive() == "b")
        }
        #expect(socket.send("c") == .failed(code: ECONNREFUSED))
    }

    @Test func aReceiverThatDoesNotReadHoldsNobodyUp() throws {
        let directory = try TemporaryDirectory()
        let receiver = try Receiver(directory.path("notify"))
        let socket = try NotifySocket(directory.path("notify"))
        var sent = 0
        while sent < 100_000, socket.send("WATCHDOG=1") == .sent { sent += 1 }
        #expect(sent > 0 && sent < 100_000)
        #expect(socket.send("WATCHDOG=1") == .full)
        #expect(receiver.receive() == "WATCHDOG=1")
        #expect(socket.send("WATCHDOG=1") == .sent)
    }

    @Test(arguments: ["vsock:2:1234", "relative", "", "@", "/" + String(repeating: "x", count: 107)])
    func whatIsNoSocketsNameIsRefused(address: String) {
        #expect(throws: NotifySocket.Unusable.self) { try NotifySocket(address) }
    }
}

import Testing

@testable import FieldpostAgent

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

@Suite struct LogOutputTests {
    @Test("A log that nobody reads holds nobody up; what is lost is counted, and told once somebody reads")
    func unread() throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { for end in ends { close(end) } }
        let output = LogOutput(ends[1], patience: .milliseconds(1))
        let line = String(repeating: "x", count: 9999)
        let began = ContinuousClock.now
        for number in 1...100 { output.write("\(number) \(line)") { "\($0) are missing" } }
        #expect(ContinuousClock.now - began < .seconds(5))

        let full = try read(from: ends[0])
        let whole = full.filter { $0.hasSuffix(line) }.count
        #expect((1..<100).contains(whole))
        output.write("again") { "\($0) are missing" }
        #expect(try read(from: ends[0]).suffix(2) == ["\(100 - whole) are missing", "again"])
        output.write("and again") { "\($0) are missing" }
        #expect(try read(from: ends[0]) == ["and again"])
    }

    /// The lines that are there.
    private func read(from descriptor: CInt) throws -> [String] {
        var bytes: [UInt8] = []
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        while poll(&request, 1, 0) == 1 {
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = chunk.withUnsafeMutableBytes { buffer in
                #if canImport(Glibc)
                Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                #elseif canImport(Musl)
                Musl.read(descriptor, buffer.baseAddress, buffer.count)
                #else
                Darwin.read(descriptor, buffer.baseAddress, buffer.count)
                #endif
            }
            try #require(count > 0)
            bytes += chunk.prefix(count)
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}

import Glibc
import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import StoreForward

/// The real thing: a process that fills and drains a queue is killed by `SIGKILL` at a random moment.
@Suite(.serialized) struct KillTests {
    /// What the child is told by; without it the child's test does nothing.
    private static let variable = "OUTBOX_KILLED_CHILD"

    @Test func `what was accepted survives kill -9, with numbers that go on (D1)`() async throws {
        let folder = try Folder()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix64(seed: seed)
        var accepted: Int64 = 0
        var done: Set<Int64> = []
        for round in 0..<6 {
            let child = try Child(Self.variable + "=" + folder.queue)
            var wanted = Int.random(in: 1...400, using: &random)
            // A line for each number that was accepted, and one for each that the child is about to acknowledge.
            while wanted > 0, let line = child.readLine() {
                wanted -= 1
                guard let number = Int64(line.dropFirst()) else { continue }
                if line.hasPrefix("+") { accepted = max(accepted, number) } else { done.insert(number) }
            }
            #expect(wanted == 0, "the child ended early; round \(round), seed \(seed)")
            child.kill()
            while let line = child.readLine() {
                guard let number = Int64(line.dropFirst()) else { continue }
                if line.hasPrefix("+") { accepted = max(accepted, number) } else { done.insert(number) }
            }
            let (status, messages) = try Outbox.inspect(path: folder.queue, limit: .max)
            let present = Set(messages.map(\.sequence))
            #expect(present.count == messages.count)
            #expect(messages.allSatisfy { String(buffer: $0.message.payload) == "\($0.sequence)" })
            let missing = (1..<max(1, accepted + 1)).filter { !present.contains($0) && !done.contains($0) }
            #expect(missing.isEmpty, "lost: \(missing); round \(round), seed \(seed)")
            #expect(status.nextSequence > accepted)
            #expect(status.losses == OutboxStatus.Losses())
            // What was committed and not yet reported counts as accepted from now on.
            accepted = status.nextSequence - 1
        }
    }

    @Test(.enabled(if: getenv(variable) != nil)) func `fills and drains a queue until it is killed`() async throws {
        let path = String(cString: try #require(getenv(Self.variable)))
        let outbox = try await Outbox.open(
            path: path, options: OutboxOptions(durability: .strict, commitInterval: .milliseconds(1)))
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    while true {
                        let ids = try await outbox.append { first in
                            try (first..<first + 3).map {
                                try message("\($0)", Priority(rawValue: UInt8($0 % 4)) ?? .normal)
                            }
                        }
                        report(ids.map { "+\(RowID($0.rawValue).sequence)\n" }.joined())
                    }
                }
            }
            group.addTask {
                while true {
                    let ids = try await outbox.next(maximumCount: 5, maximumBytes: .max).map(\.id)
                    report(ids.map { "-\(RowID($0.rawValue).sequence)\n" }.joined())
                    try await outbox.acknowledge(ids)
                    if ids.count > 3 { try await outbox.flush() }
                }
            }
            try await group.waitForAll()
        }
    }
}

private let reportDescriptor: Int32 = 9

private func report(_ lines: String) {
    var lines = lines
    lines.withUTF8 { _ = write(reportDescriptor, $0.baseAddress, $0.count) }
}

/// This test program once more, in which only the child's test runs.
private final class Child {
    private var pid = pid_t()
    private let input: Int32
    private var buffer: [UInt8] = []

    init(_ environment: String) throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw Folder.Failure() }
        input = ends[0]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], reportDescriptor)
        posix_spawn_file_actions_addclose(&actions, ends[0])
        let arguments = [
            "child", "--testing-library", "swift-testing", "--filter", "fills and drains a queue",
        ]
        var argv = arguments.map { strdup($0) } + [nil]
        var inherited: [String] = []
        var variables = environ
        while let variable = variables.pointee {
            inherited.append(String(cString: variable))
            variables += 1
        }
        var envp = (inherited + [environment]).map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        let code = posix_spawn(&pid, "/proc/self/exe", &actions, nil, &argv, &envp)
        close(ends[1])
        guard code == 0 else { throw Folder.Failure() }
    }

    deinit {
        kill()
        close(input)
    }

    func kill() {
        guard pid > 0 else { return }
        Glibc.kill(pid, SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        pid = 0
    }

    /// - Returns: nil at the end, also of a line that was cut off.
    func readLine() -> String? {
        while true {
            if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
                defer { buffer.removeSubrange(...end) }
                return String(decoding: buffer[..<end], as: UTF8.self)
            }
            var chunk = [UInt8](repeating: 0, count: 4096)
            let count = read(input, &chunk, chunk.count)
            guard count > 0 else { return nil }
            buffer += chunk.prefix(count)
        }
    }
}

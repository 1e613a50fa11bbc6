import Glibc
import Logging
import NIOCore
import TestSupport
import Testing
import Units

@testable import MQTTServer

/// The real thing: a process that commits batch after batch is killed by SIGKILL at a random moment.
@Suite(.serialized) struct StoreKillTests {
    private static let pathVariable = "STORE_KILLED_CHILD"
    private static let seedVariable = "STORE_KILLED_SEED"
    /// Both processes take this for the time, so that deadlines stay as they are.
    private static let now = NIODeadline.uptimeNanoseconds(1_000_000_000)

    @Test func `after kill -9 the file holds every batch that was acknowledged, each whole or not at all`() async throws
    {
        let directory = try TemporaryDirectory()
        let seed = UInt64.random(in: 0...1 << 32)
        var random = SplitMix64(seed: seed)
        var (store, state) = try await Self.open(directory.path("broker.db"))
        await store.close()
        for round in 0..<8 {
            let comment: Comment = "round \(round), seed \(seed)"
            let child = try await Program.start(
                Program.built("fieldpostPackageTests.xctest"),
                ["--testing-library", "swift-testing", "--filter", "commits batches until"],
                environment: [
                    Self.pathVariable: directory.path("broker.db"), Self.seedVariable: "\(seed &+ UInt64(round))",
                ])
            let wanted = Int.random(in: 1...150, using: &random)
            try await child.output.wait(for: "\(wanted) batches", timeout: .seconds(60)) { lines in
                lines.contains("+\(wanted)")
            }
            await child.kill()
            let acknowledged =
                await child.output.lines.filter { $0.hasPrefix("+") }.compactMap { Int($0.dropFirst()) }.max() ?? 0
            var generator = ChangeGenerator(state, seed: seed &+ UInt64(round), now: Self.now)
            for _ in 0..<acknowledged { _ = generator.next(20) }
            var expected = [generator.model]
            _ = generator.next(20)
            expected.append(generator.model)
            (store, state) = try await Self.open(directory.path("broker.db"))
            await store.close()
            #expect(expected.contains(StoreModel(state)), comment)
        }
    }

    @Test(.enabled(if: getenv(pathVariable) != nil)) func `commits batches until it is killed`() async throws {
        let path = String(cString: try #require(getenv(Self.pathVariable)))
        let seed = UInt64(String(cString: try #require(getenv(Self.seedVariable)))) ?? 0
        let (store, state) = try await Self.open(path)
        var generator = ChangeGenerator(state, seed: seed, now: Self.now)
        for batch in 1... {
            let status = await store.commit(generator.next(20), at: Self.now)
            guard status.failure == nil else { return }
            let line = Array("+\(batch)\n".utf8)
            _ = write(STDOUT_FILENO, line, line.count)
        }
    }

    private static func open(_ path: String) async throws -> (SQLiteStore, StoredState) {
        try await SQLiteStore.open(
            ServerConfiguration.Persistence(path: path), at: now,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            wall: { Timestamp(milliseconds: 1_780_000_000_000) })
    }
}

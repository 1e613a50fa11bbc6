import Glibc
import MQTTWire
import TestSupport
import Testing

extension Hostile {
    /// A seeded fuzz over real sockets. `FUZZ_SECONDS` says how long in all (60), `FUZZ_SEED` repeats a run as far as
    /// sockets can be repeated.
    @Suite(.serialized) struct FuzzTests {
        private static let seconds = variable("FUZZ_SECONDS").flatMap { Double($0) } ?? 60
        private static let seed = variable("FUZZ_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)

        private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

        @Test(arguments: FuzzState.allCases)
        func `S3: whatever is sent, the broker lives, serves others and never answers malformed`(state: FuzzState)
            async throws
        {
            let duration = Duration.seconds(Self.seconds / Double(FuzzState.allCases.count))
            let seed = Self.seed &+ UInt64(state.rawValue)
            try await withBroker { broker in
                let port = broker.port
                let aftermath = try await attack(broker, "fuzz, \(state), seed \(Self.seed)", memory: 160 << 20) {
                    var scripts = try ScriptGenerator(state: state, seed: seed)
                    return try Swarm(port: port, width: 64).run(for: duration) { scripts.next() }
                }
                let report = aftermath.result
                let answers = report.answers.sorted { $0.value > $1.value }.map { "\($0.key): \($0.value)" }
                print("\(state): \(report.connections) connections; \(answers.joined(separator: ", "))")
                for (fault, example) in report.faults {
                    Issue.record(
                        "\(state), seed \(Self.seed): \(fault); \(example.count) times, first to \(example.to)")
                }
                #expect(report.connections > Int(Self.seconds), "otherwise this has shown nothing")
                #expect(report.answers.count >= (state == .noise ? 1 : 2), "\(answers)")
            }
        }
    }
}

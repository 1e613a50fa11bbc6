import Glibc
import MQTTWire
import TestSupport
import Testing

/// The client's session against model servers, over a network that loses and delays and in which everything dies: many
/// thousand schedules from seeds. `SIMULATION_SEEDS=1000000..<2000000` tries others.
@Suite struct SimulationTests {
    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [true, false])
    func `whatever is cut or dies, nothing is lost, doubled or out of order (D1, D3, D4)`(
        version: ProtocolVersion, isDurable: Bool
    ) async {
        var coverage = Coverage()
        for seed in Self.seeds ?? (isDurable ? 0..<40_000 : 0..<12_000) {
            if seed & 255 == 0 { await Task.yield() }
            let schedule = Schedule(version: version, isDurable: isDurable, seed: seed)
            var world = World(schedule.setup, coverage: coverage)
            do throws(Failure) {
                try world.run(schedule)
            } catch {
                Issue.record("seed \(seed): \(error)\n\(schedule.shrunk()?.description ?? "")")
                return
            }
            coverage = world.coverage
        }
        print("MQTT \(version), \(isDurable ? "durable" : "in memory"): \(coverage)")
        let missed = Landmark.allCases.filter { $0.isExpected(version, isDurable) && coverage[$0] == 0 }
        #expect(missed.isEmpty, "a simulation that never comes by these proves little")
    }

    private static var seeds: Range<UInt64>? {
        guard let text = getenv("SIMULATION_SEEDS").map({ String(cString: $0) }) else { return nil }
        let bounds = text.split(separator: "..<").compactMap { UInt64($0) }
        return bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]..<bounds[1] : nil
    }

    @Test func `a failing schedule shrinks to what matters`() throws {
        // Nobody ever answers: what is appended never completes, whatever else happens.
        let seed = try #require((0..<1000 as Range<UInt64>).first { seed in
            World.failure(of: Self.broken(seed)) != nil
        })
        let shrunk = try #require(Self.broken(seed).shrunk())
        #expect(shrunk.failure.rule == .lost)
        #expect(shrunk.schedule.steps.count < 12, "\(shrunk)")
    }

    private static func broken(_ seed: UInt64) -> Schedule {
        var schedule = Schedule(version: .v5, isDurable: true, seed: seed)
        schedule.setup.fault = .forgetsOnceSent
        return schedule
    }
}

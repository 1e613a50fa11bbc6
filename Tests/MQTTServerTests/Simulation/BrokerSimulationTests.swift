import Glibc
import Testing

/// Clients' sessions against the broker, over a network that loses and delays and in which everything dies: thousands of
/// schedules from seeds. `SIMULATION_SEEDS=1000000..<2000000` tries others.
@Suite(.serialized) struct BrokerSimulationTests {
    @Test("Whatever is cut or dies, nothing that was acknowledged is lost, doubled, out of order or told too early")
    func schedules() async {
        var coverage = BrokerCoverage()
        for seed in Self.seeds ?? 0..<2_000 {
            if seed & 7 == 0 { await Task.yield() }
            let schedule = BrokerSchedule(seed: seed)
            var world = BrokerWorld(schedule.setup, coverage: coverage)
            do throws(BrokerFailure) {
                try world.run(schedule)
            } catch {
                Issue.record("seed \(seed): \(error)\n\(schedule.shrunk())")
                return
            }
            coverage = world.coverage
        }
        print("Clients against the broker: \(coverage)")
        let missed = BrokerLandmark.allCases.filter { coverage[$0] == 0 }
        #expect(missed.isEmpty, "a simulation that never comes by these proves little")
    }

    private static var seeds: Range<UInt64>? {
        guard let text = getenv("SIMULATION_SEEDS").map({ String(cString: $0) }) else { return nil }
        let bounds = text.split(separator: "..<").compactMap { UInt64($0) }
        return bounds.count == 2 && bounds[0] <= bounds[1] ? bounds[0]..<bounds[1] : nil
    }
}

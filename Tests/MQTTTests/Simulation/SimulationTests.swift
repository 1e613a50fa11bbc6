import MQTTWire
import TestSupport
import Testing

/// The client's session against model servers, over a network that loses and delays and in which everything dies: many
/// thousand schedules from seeds.
@Suite struct SimulationTests {
    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [true, false])
    func `whatever is cut or dies, nothing is lost, doubled or out of order (D1, D3, D4)`(
        version: ProtocolVersion, isDurable: Bool
    ) async {
        var coverage = Coverage()
        for seed in 1...(isDurable ? 40_000 : 12_000) as ClosedRange<UInt64> {
            if seed & 255 == 0 { await Task.yield() }
            let schedule = Schedule(version: version, isDurable: isDurable, seed: seed)
            var world = World(schedule.setup, coverage: coverage)
            do throws(Failure) {
                try world.run(schedule)
            } catch {
                let shrunk = schedule.shrunk()
                Issue.record(
                    """
                    seed \(seed): \(error.rule.rawValue): \(error.detail)
                    \(shrunk.map { "\($0.schedule.setup)\n  · " + World.story(of: $0.schedule) } ?? "")
                    """)
                return
            }
            coverage = world.coverage
        }
        print("MQTT \(version), \(isDurable ? "durable" : "memory"): \(coverage)")
    }
}

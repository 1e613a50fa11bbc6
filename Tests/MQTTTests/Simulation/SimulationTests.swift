import Glibc
import MQTTWire
import TestSupport
import Testing

/// The client's session against model servers, over a network that loses and delays and in which everything dies: many
/// thousand schedules from seeds. One core, and in short turns, for the sake of tests with deadlines. `SIMULATION_SEEDS=1000000..<2000000` tries others.
@Suite(.serialized) struct SimulationTests {
    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [true, false])
    func `whatever is cut or dies, nothing is lost, doubled or out of order (D1, D3, D4)`(
        version: ProtocolVersion, isDurable: Bool
    ) async {
        var coverage = Coverage()
        for seed in Self.seeds ?? (isDurable ? 0..<40_000 : 0..<12_000) {
            if seed & 7 == 0 { await Task.yield() }
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

    /// Those that a few thousand schedules find; the others have a schedule of their own below.
    @Test(arguments: Fault.allCases.filter { $0 != .takesOldReleasesForNew })
    func `a mistake is found, and its schedule shrinks to what matters`(fault: Fault) throws {
        for seed in 0..<40_000 as Range<UInt64> {
            var schedule = Schedule(version: .v5, isDurable: true, seed: seed)
            schedule.setup.fault = fault
            guard World.failure(of: schedule) != nil else { continue }
            let shrunk = try #require(schedule.shrunk())
            print(
                "\(fault): \(schedule.steps.count) steps of seed \(seed) shrink to \(shrunk.schedule.steps.count): \(shrunk.failure)"
            )
            #expect(shrunk.schedule.steps.count <= 15, "\(shrunk)")
            return
        }
        Issue.record("\(fault) is not found")
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func `a batch that the store gave out before it knew of a new session holds nothing released (D1)`(
        version: ProtocolVersion
    ) {
        var setup = Setup(version: version, isDurable: true)
        setup.beginsConnected = true
        setup.deliversAtRelease = true
        setup.maximumInFlight = 1
        var schedule = Schedule(
            setup,
            [
                .init(.append), .init(.advance), .init(.advance), .init(.storeWorks), .init(.clientCrashes),
                .init(.advance), .init(.serverCrashes, 202), .init(.advance), .init(.connect), .init(.serverReads),
                .init(.clientReads),
            ])
        #expect(World.failure(of: schedule)?.description == nil, "\(World.story(of: schedule))")
        schedule.setup.fault = .takesOldReleasesForNew
        #expect(World.failure(of: schedule)?.rule == .lost, "\(World.story(of: schedule))")
    }
}

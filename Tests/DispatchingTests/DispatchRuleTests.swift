import Dispatching
import Pipeline
import TestSupport
import Testing
import Units

@Suite struct DispatchRuleTests {
    private let rule = DispatchRule()

    /// The first is sent.
    private func first(
        _ workers: [(Worker, Int)], _ severity: AlarmSeverity = .warning, at position: Position? = north(0)
    ) -> String? {
        rule.ranking(workers.map { (worker: $0.0, load: $0.1) }, severity: severity, position: position, at: noon(0))
            .first?.name
    }

    private func worker(
        _ name: String, _ metres: Double?, heard: Int = 0, positionAt: Int? = nil, onDuty: Bool = true
    ) -> Worker {
        Worker(
            name: name, position: metres.map(north), positionAt: positionAt.map(noon), isOnDuty: onDuty,
            heardAt: noon(heard))
    }

    @Test func theNearestGoes() {
        #expect(first([(worker("anna", 900), 0), (worker("bo", 300), 0), (worker("cy", 600), 0)]) == "bo")
    }

    @Test func aTaskCountsLikeFiveHundredMetresAndLessTheMoreItMatters() {
        let workers = [(worker("near", 100), 2), (worker("far", 1000), 0)]
        #expect(first(workers) == "far")
        #expect(first(workers, .serious) == "near")
        #expect(first([(worker("near", 100), 3), (worker("far", 1000), 0)], .critical) == "near")
        let close = [(worker("near", 100), 2), (worker("far", 500), 0)]
        #expect(first(close, .serious) == "far")
        #expect(first(close, .critical) == "near")
    }

    @Test func whoHasEnoughIsSpared() {
        let full = [(worker("near", 100), 4), (worker("far", 90_000), 0)]
        #expect(first(full) == "far")
        #expect(first([full[0]]) == nil)
        #expect(first([full[0]], .critical) == "near")
    }

    @Test func whoIsNotThereIsNotSent() {
        #expect(first([(worker("off", 1, onDuty: false), 0)]) == nil)
        #expect(first([(worker("silent", 1, heard: -7201), 0)]) == nil)
        #expect(first([(worker("quiet", 1, heard: -7200), 0)]) == "quiet")
    }

    @Test func anOldPositionCountsAsUnknown() {
        let old = worker("old", 1, heard: -900), older = worker("older", 1, heard: -901)
        #expect(rule.distance(of: old, to: north(0), at: noon(0)) != nil)
        #expect(rule.distance(of: older, to: north(0), at: noon(0)) == nil)
        #expect(rule.cost(of: older, load: 0, severity: .info, position: north(0), at: noon(0)) == 5000)
        #expect(first([(older, 0), (worker("known", 4999), 0)]) == "known")
        #expect(first([(older, 0), (worker("known", 5001), 0)]) == "older")
        #expect(first([(worker("spoke", 1, positionAt: -901), 0), (worker("known", 4999), 0)]) == "known")
    }

    @Test func withoutADevicesPlaceTheTasksDecide() {
        #expect(first([(worker("near", 1), 1), (worker("far", 9000), 0)], at: nil) == "far")
        #expect(first([(worker("unknown", nil), 0), (worker("near", 1), 1)], at: nil) == "unknown")
    }

    @Test func thoseWhoCostTheSameAreAskedByTasksAndName() {
        #expect(first([(worker("bo", 100), 0), (worker("anna", 100), 0)]) == "anna")
        #expect(first([(worker("anna", 100), 2), (worker("bo", 100), 1)], .critical) == "bo")
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func whatIsBetterIsNeverWorse(seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        func position() -> Position {
            Position(
                latitude: Double.random(in: -90...90, using: &generator),
                longitude: Double.random(in: -180...180, using: &generator))
        }
        let severity = try #require(AlarmSeverity.allCases.randomElement(using: &generator))
        let device = Int.random(in: 0..<5, using: &generator) == 0 ? nil : position()
        let workers = (0..<8).map { index in
            let worker = Worker(
                name: "w\(index)", position: Bool.random(using: &generator) ? position() : nil,
                isOnDuty: Int.random(in: 0..<4, using: &generator) > 0,
                heardAt: noon(-Int.random(in: 0...9000, using: &generator)))
            return (worker: worker, load: Int.random(in: 0...6, using: &generator))
        }
        let ranking = rule.ranking(workers, severity: severity, position: device, at: noon(0))
        #expect(ranking.allSatisfy { $0.isOnDuty && noon(0) - $0.heardAt <= rule.maximumSilence }, "seed \(seed)")
        #expect(
            ranking
                == rule.ranking(workers.shuffled(using: &generator), severity: severity, position: device, at: noon(0)),
            "seed \(seed)")

        func cost(_ worker: Worker, _ load: Int) -> Double? {
            rule.cost(of: worker, load: load, severity: severity, position: device, at: noon(0))
        }
        for (worker, load) in workers {
            guard let before = cost(worker, load) else { continue }
            #expect(before >= 0)
            if load > 0 { #expect(try #require(cost(worker, load - 1)) <= before, "seed \(seed): fewer tasks") }
            if let device, let distance = rule.distance(of: worker, to: device, at: noon(0)),
                let place = worker.position
            {
                var nearer = worker
                nearer.position = Position(
                    latitude: (device.latitude + place.latitude) / 2, longitude: device.longitude)
                if nearer.position.map({ $0.distance(to: device) < distance }) == true {
                    #expect(try #require(cost(nearer, load)) <= before, "seed \(seed): nearer")
                }
            }
        }
    }
}

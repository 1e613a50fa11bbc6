import MQTTWire
import TestSupport
import Testing

@testable import MQTT

@Suite struct VersionChoiceTests {
    private let here = Endpoint(host: "here")
    private let there = Endpoint(host: "there")
    private let unspoken = ConnectFailure.refused(.unsupportedProtocolVersion, explanation: nil)

    private func fails(_ choice: inout VersionChoice, _ failure: ConnectFailure, at endpoint: Endpoint) -> Bool {
        choice.failed(failure, at: endpoint)
    }

    @Test func aGivenVersionIsKept() {
        for version in [ProtocolVersion.v5, .v3_1_1] {
            var choice = VersionChoice(fixed: version)
            for failure in [unspoken, .closed, .unreachable("x")] {
                for _ in 1...10 { #expect(!fails(&choice, failure, at: here)) }
                #expect(choice.version(for: here) == version)
            }
        }
    }

    @Test func aServerThatSaysItDoesNotSpeak5IsAskedIn3_1_1AtOnceAndOnce() {
        for failure in [
            unspoken, .closed, .refused(.protocolError, explanation: nil), .refused(.malformedPacket, explanation: nil),
        ] {
            var choice = VersionChoice(fixed: nil)
            #expect(choice.version(for: here) == .v5)
            #expect(fails(&choice, failure, at: here))
            #expect(choice.version(for: here) == .v3_1_1)
            #expect(choice.version(for: there) == .v5, "each endpoint for itself")
            #expect(!fails(&choice, failure, at: here), "once")
            #expect(choice.version(for: here) == .v5, "and then from the beginning")
        }
    }

    @Test func whatSaysNothingOfTheVersionChangesNothing() {
        for failure in [
            ConnectFailure.unreachable("x"), .timedOut(after: .seconds(1), stage: .connack), .invalid("x"),
            .protocolError("HTTP"), .refused(.badUserNameOrPassword, explanation: nil),
        ] {
            var choice = VersionChoice(fixed: nil)
            for _ in 1...20 { #expect(!fails(&choice, failure, at: here), "\(failure)") }
            #expect(choice.version(for: here) == .v5)
        }
    }

    @Test func whatWorkedIsRemembered() {
        var choice = VersionChoice(fixed: nil)
        _ = choice.failed(.closed, at: here)
        choice.connected(to: here)
        #expect(choice.version(for: here) == .v3_1_1)
        #expect(!fails(&choice, .unreachable("cable"), at: here))
        #expect(choice.version(for: here) == .v3_1_1)
    }

    @Test func aServerThatRefusesAPasswordIn3_1_1SpeaksIt() {
        var choice = VersionChoice(fixed: nil)
        #expect(fails(&choice, .closed, at: here))
        #expect(!fails(&choice, .refused(.badUserNameOrPassword, explanation: nil), at: here))
        #expect(choice.version(for: here) == .v3_1_1)
    }

    /// A broker that closes connections while it starts, or whose proxy does.
    @Test func aBrokerThatSpoke5AndClosesIsNotDemoted() {
        var choice = VersionChoice(fixed: nil)
        choice.connected(to: here)
        var trials = 0
        for _ in 1...100 {
            #expect(choice.version(for: here) == .v5)
            if choice.failed(.closed, at: here) {
                trials += 1
                #expect(choice.version(for: here) == .v3_1_1)
                #expect(!fails(&choice, .closed, at: here))
            }
        }
        #expect(trials == 100 / VersionChoice.patience)
        // Something else in between begins the count anew.
        for _ in 1...50 {
            #expect(!fails(&choice, .closed, at: here))
            #expect(!fails(&choice, .unreachable("x"), at: here))
        }
    }

    @Test func aBrokerThatWasReplacedByAnOlderOneIsFound() {
        var choice = VersionChoice(fixed: nil)
        choice.connected(to: here)
        #expect(fails(&choice, unspoken, at: here), "it says so: at once")
        choice.connected(to: here)
        #expect(choice.version(for: here) == .v3_1_1)

        choice = VersionChoice(fixed: nil, known: [here: .v5])
        while !choice.failed(.closed, at: here) {}
        choice.connected(to: here)
        #expect(choice.version(for: here) == .v3_1_1)
    }

    @Test func aBrokerThatWasUpgradedIsAskedIn5Again() {
        // One that speaks 5.0 only: it says so, or in a form that 3.1.1 cannot read.
        var choice = VersionChoice(fixed: nil, known: [here: .v3_1_1])
        #expect(fails(&choice, unspoken, at: here))
        #expect(choice.version(for: here) == .v5)
        // One that speaks both, and was away for long.
        for failure in [ConnectFailure.unreachable("refused"), .closed, .protocolError("connack")] {
            choice = VersionChoice(fixed: nil, known: [here: .v3_1_1])
            for _ in 1..<VersionChoice.patience {
                #expect(!fails(&choice, failure, at: here))
                #expect(choice.version(for: here) == .v3_1_1, "a session is lost with its version")
            }
            _ = choice.failed(failure, at: here)
            #expect(choice.version(for: here) == .v5)
        }
    }

    /// Whatever a server does, no more than two versions are tried without waiting, and one that speaks only one
    /// version, when it is there, is spoken to in it soon.
    @Test func anyHistoryEndsInTheRightVersion() {
        for seed in 0..<500 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            var choice = VersionChoice(fixed: nil)
            var spoken: Set<ProtocolVersion> = [.v5]
            for _ in 1...20 {
                spoken = [[.v5], [.v3_1_1], [.v5, .v3_1_1]].randomElement(using: &generator) ?? []
                for _ in 1...Int.random(in: 1...10, using: &generator) {
                    _ = attempt(&choice) { _ in
                        [.closed, .unreachable("x"), .timedOut(after: .seconds(1), stage: .connack), unspoken]
                            .randomElement(using: &generator)
                    }
                }
                var rounds = 0
                while !attempt(&choice, { spoken.contains($0) ? nil : $0 == .v5 ? .closed : unspoken }) { rounds += 1 }
                #expect(rounds <= VersionChoice.patience, "seed \(seed)")
                #expect(spoken.contains(choice.version(for: here)), "seed \(seed)")
            }
        }
    }

    /// - Returns: whether a connection came about.
    private func attempt(_ choice: inout VersionChoice, _ answer: (ProtocolVersion) -> ConnectFailure?) -> Bool {
        for _ in 1...3 {
            guard let failure = answer(choice.version(for: here)) else {
                choice.connected(to: here)
                return true
            }
            guard choice.failed(failure, at: here) else { return false }
        }
        Issue.record("a fourth connection without a pause")
        return false
    }

    @Test func theMemoryIsBounded() {
        var choice = VersionChoice(fixed: nil)
        for number in 0..<1000 { choice.connected(to: Endpoint(host: "h\(number)")) }
        for number in 0..<1000 { _ = choice.failed(.closed, at: Endpoint(host: "h\(number)")) }
        #expect(choice.count <= 2 * VersionChoice.maximumCount)
    }
}

import TestSupport
import Testing

@testable import MQTT

@Suite struct EndpointSelectionTests {
    private static func endpoint(_ name: String) -> Endpoint { Endpoint(host: name) }
    private static func endpoints(_ names: String) -> [Endpoint] { names.map { endpoint(String($0)) } }

    /// A selection that is told what happens, and remembers whom it asked.
    private struct Board {
        var selection: EndpointSelection
        var generator: SplitMix64

        init(
            _ names: String, order: EndpointOrder = .listed, cap: Duration = .seconds(120),
            returnAfter: Duration? = nil,
            seed: UInt64 = 1
        ) {
            generator = SplitMix64(seed: seed)
            selection = EndpointSelection(
                endpoints(names), order: order, backoff: Backoff(base: .seconds(1), cap: cap),
                returnAfter: returnAfter, using: &generator)
        }

        var current: String { selection.current?.host ?? "-" }

        mutating func fails(_ decision: ReconnectDecision = .retrySoon) -> EndpointSelection.Next {
            selection.next(after: .notConnected, decision, using: &generator)
        }

        mutating func ends(after uptime: Duration, _ decision: ReconnectDecision = .retrySoon) -> EndpointSelection.Next
        {
            selection.next(after: .ended(after: uptime), decision, using: &generator)
        }

        mutating func isSent(to names: String, forGood: Bool = false) -> EndpointSelection.Next {
            selection.next(
                after: .notConnected, .otherEndpoint,
                redirect: EndpointSelection.Redirect(
                    endpoints: EndpointSelectionTests.endpoints(names), isPermanent: forGood), using: &generator)
        }
    }

    // MARK: Rounds

    @Test func theEndpointsAreAskedInTurnAndTheBackoffRisesWithEachRound() {
        var board = Board("abc")
        var asked = ""
        for round in 1...6 {
            for number in 1...3 {
                asked += board.current
                let next = board.fails()
                if number < 3 {
                    #expect(next.delay <= .seconds(1), "within a round nobody waits for long")
                } else {
                    #expect(board.selection.backoff.failures == round)
                    #expect(next.delay <= .seconds(1 << (round - 1)))
                }
            }
        }
        #expect(asked == "abcabcabcabcabcabc")
    }

    @Test func theMildestDecisionOfARoundCounts() {
        var board = Board("abc")
        _ = board.fails(.giveUp)
        _ = board.fails(.retrySoon)
        var next = board.fails(.retrySlowly)
        #expect(next.delay <= .seconds(1) && !next.isHopeless, "b may come back")
        _ = board.fails(.giveUp)
        _ = board.fails(.giveUp)
        next = board.fails(.retrySlowly)
        #expect(next.delay >= .seconds(60) && !next.isHopeless)
        for _ in 1...2 {
            next = board.fails(.giveUp)
            #expect(!next.isHopeless, "the others have not been asked")
        }
        next = board.fails(.giveUp)
        #expect(next.delay >= .seconds(60) && next.isHopeless)
    }

    @Test func aSingleEndpointHasRoundsOfItsOwn() {
        var board = Board("a")
        for failures in 1...10 {
            _ = board.fails()
            #expect(board.selection.backoff.failures == failures)
            #expect(board.current == "a")
        }
        let next = board.fails(.giveUp)
        #expect(next.isHopeless)
    }

    @Test func anEmptyListHasNobodyToAsk() {
        var board = Board("")
        #expect(board.selection.current == nil)
        _ = board.fails()
        _ = board.ends(after: .zero)
        board.selection.goBack()
        #expect(board.selection.current == nil)
    }

    @Test func anEndpointIsListedOnce() {
        #expect(Board("aba").selection.endpoints == Self.endpoints("ab"))
    }

    // MARK: The session's place

    @Test func whereAStableConnectionStoodTheSessionIsAskedForFirst() {
        var board = Board("abc")
        _ = board.fails()
        #expect(board.current == "b")
        let next = board.ends(after: .seconds(100))
        #expect(next.delay <= .seconds(1))
        #expect(board.current == "b")
        // And with each round again: it may be the network.
        var asked = ""
        for _ in 1...6 {
            asked += board.current
            _ = board.fails()
        }
        #expect(asked == "bcabca")
    }

    @Test func aProcessBeginsWhereTheSessionIs() {
        var board = Board("abc")
        board.selection.begin(at: Self.endpoint("c"))
        #expect(board.current == "c")
        board.selection.begin(at: Self.endpoint("x"))
        #expect(board.current == "c")
    }

    @Test func anEndpointThatThrowsUsOutTwiceIsLeft() {
        var board = Board("ab")
        var asked = ""
        for _ in 1...8 {
            asked += board.current
            _ = board.ends(after: .seconds(1))
        }
        #expect(asked == "aabbaabb")
        #expect(board.selection.backoff.failures == 6, "two of eight waits were within a round")
    }

    @Test func anEndpointThatWantsUsElsewhereIsLeftAtOnce() {
        for (names, next) in [("ab", "b"), ("a", "a")] {
            var board = Board(names)
            let wait = board.ends(after: .seconds(100), .otherEndpoint).delay
            #expect(wait <= .seconds(1))
            #expect(board.current == next)
        }
    }

    @Test func asTheOtherOneWithOurNameWeAreInNoHurry() {
        var board = Board("ab")
        let next = board.ends(after: .seconds(3600), .retrySlowly)
        #expect(board.current == "a")
        #expect(next.delay >= .seconds(60) && !next.isHopeless)
    }

    // MARK: Shuffling

    @Test func aShuffledFleetSpreads() {
        var firsts: [String: Int] = [:]
        for seed in 0..<4000 as Range<UInt64> {
            let board = Board("abcd", order: .shuffled, returnAfter: .seconds(1), seed: seed)
            firsts[board.current, default: 0] += 1
            #expect(Set(board.selection.endpoints) == Set(Self.endpoints("abcd")))
        }
        #expect(firsts.count == 4 && firsts.values.allSatisfy { (880...1120).contains($0) }, "\(firsts)")
        var board = Board("abcd", order: .shuffled, returnAfter: .seconds(1))
        _ = board.fails()
        #expect(board.selection.returnDelay == nil, "none is preferred")
    }

    // MARK: Redirects

    @Test func aServerCanSendUsElsewhereForThisOnce() {
        var board = Board("ab")
        let next = board.isSent(to: "xy")
        #expect(next.delay <= .seconds(1))
        #expect(board.current == "x")
        _ = board.fails()
        #expect(board.current == "y")
        #expect(board.selection.returnDelay == nil, "we were sent")
        _ = board.ends(after: .seconds(100))
        #expect(board.current == "y", "the session is there")
        _ = board.fails()
        #expect(board.current == "b", "one that sends us to nobody has failed as well")
        #expect(board.selection.endpoints == Self.endpoints("ab"))
    }

    @Test func aServerCanMoveForGood() {
        var board = Board("abc")
        _ = board.fails()
        _ = board.isSent(to: "xy", forGood: true)
        #expect(board.selection.endpoints == Self.endpoints("axycb"), "the old address is the last resort")
        #expect(board.current == "x")
        // Again, and to one that is on the list already.
        _ = board.isSent(to: "ca", forGood: true)
        #expect(board.selection.endpoints == Self.endpoints("caybx"))
        #expect(board.current == "c")
        _ = board.isSent(to: "c", forGood: true)
        #expect(board.selection.endpoints == Self.endpoints("caybx"), "to itself")
        #expect(board.current == "c")
    }

    @Test func aCircleOfRedirectsEndsInThePatienceOfTheBackoff() {
        var board = Board("a")
        var waits: [Duration] = []
        for number in 1...600 {
            let next = board.isSent(to: number.isMultiple(of: 2) ? "a" : "b")
            if next.delay > .seconds(1) { waits.append(next.delay) }
        }
        #expect(waits.count > 50, "every sixth answer waits, less those that were short by chance")
        #expect(board.selection.backoff.ceiling == .seconds(120))
    }

    @Test func aStableConnectionForgivesTheRedirectsBeforeIt() {
        var board = Board("a")
        for _ in 1...20 {
            for _ in 1...EndpointSelection.maximumRedirects {
                _ = board.isSent(to: "x")
                #expect(board.current == "x")
            }
            _ = board.ends(after: .seconds(100))
        }
        #expect(board.selection.backoff.failures == 1)
    }

    // MARK: The way back

    @Test func fromAnotherEndpointThereIsAWayBack() {
        var board = Board("ab", returnAfter: .seconds(300))
        #expect(board.selection.returnDelay == nil)
        _ = board.fails()
        #expect(board.selection.preferred?.host == "a")
        #expect(board.selection.returnDelay == .seconds(300))
        board.selection.goBack()
        #expect(board.current == "a")
        #expect(board.selection.returnDelay == nil)
    }

    @Test func aFailedReturnLeadsBackAndTheNextComesLater() {
        var board = Board("abc", returnAfter: .seconds(300))
        _ = board.fails()
        var delays: [Int64] = []
        for _ in 1...6 {
            delays.append(board.selection.returnDelay?.components.seconds ?? 0)
            board.selection.goBack()
            let next = board.fails()
            #expect(next.delay <= .seconds(1))
            #expect(board.current == "b", "where we were welcome")
        }
        #expect(delays == [300, 600, 1200, 2400, 3600, 3600])
        board.selection.returnFailed()
        #expect(board.selection.returnDelay == .seconds(3600))
        // A stable connection there, and all is forgotten.
        board.selection.goBack()
        _ = board.ends(after: .seconds(100))
        #expect(board.current == "a")
        _ = board.fails()
        #expect(board.selection.returnDelay == .seconds(300))
    }

    @Test func aPreferredEndpointThatThrowsUsOutIsLookedForLessAndLess() {
        var board = Board("ab", returnAfter: .seconds(300))
        _ = board.fails()
        board.selection.goBack()
        _ = board.ends(after: .seconds(1))
        #expect(board.current == "a")
        _ = board.ends(after: .seconds(1))
        #expect(board.current == "b")
        #expect(board.selection.returnDelay == .seconds(600))
    }

    @Test func withoutATimeThereIsNoWayBack() {
        var board = Board("ab")
        _ = board.fails()
        #expect(board.selection.preferred == nil)
        board.selection.goBack()
        #expect(board.current == "b")
    }

    // MARK: Any history

    /// Servers that come and go, kick, redirect and refuse: whatever they do, one that is there and takes us is found
    /// within a round, and the list stays bounded and keeps what was configured.
    @Test func anyHistoryFindsTheOneThatIsThere() {
        let names = Self.endpoints("abcde")
        for seed in 0..<500 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            var selection = EndpointSelection(
                names, order: seed.isMultiple(of: 3) ? .shuffled : .listed, backoff: Backoff(cap: .seconds(10)),
                returnAfter: .seconds(300), using: &generator)
            var faults: Set<String> = []
            for _ in 1...100 {
                let outcome: EndpointSelection.Outcome =
                    Bool.random(using: &generator)
                    ? .notConnected
                    : .ended(after: .seconds(Int.random(in: 0...100, using: &generator)))
                var redirect: EndpointSelection.Redirect?
                if Int.random(in: 0..<4, using: &generator) == 0 {
                    redirect = EndpointSelection.Redirect(
                        endpoints: Set((1...3).map { _ in Int.random(in: 0...30, using: &generator) }).sorted().map {
                            Self.endpoint("h\($0)")
                        }, isPermanent: Bool.random(using: &generator))
                }
                if Int.random(in: 0..<5, using: &generator) == 0 { selection.goBack() }
                let decision = ReconnectDecision.allCases.randomElement(using: &generator) ?? .retrySoon
                let next = selection.next(after: outcome, decision, redirect: redirect, using: &generator)
                let list = selection.endpoints
                if next.delay < .zero || next.delay > .seconds(10) { faults.insert("a wait of \(next.delay)") }
                if list.count > names.count + 16 { faults.insert("a list of \(list.count)") }
                if !names.allSatisfy(list.contains) { faults.insert("a configured endpoint is missing") }
                if Set(list).count < list.count { faults.insert("an endpoint stands there twice") }
            }
            #expect(faults.isEmpty, "seed \(seed)")
            // From now on only one is there.
            let there = names.randomElement(using: &generator)
            var asked = 0
            while selection.current != there, asked < 100 {
                _ = selection.next(after: .notConnected, .retrySoon, using: &generator)
                asked += 1
            }
            #expect(asked <= selection.endpoints.count + 3, "seed \(seed)")
        }
    }

    /// A fleet on a cluster of which one node dies: the others get what they can bear, and each its share.
    @Test func aFleetWhoseNodeDiesSpreadsOverTheOthersInASecond() {
        var arrivals: [String: [Int]] = [:]
        for seed in 0..<3000 as Range<UInt64> {
            var board = Board("abcd", order: .shuffled, seed: seed)
            guard board.current == "a" else { continue }
            // The connection drops, the node does not answer, and the next one is asked.
            var time = board.ends(after: .seconds(1000)).delay
            time += board.fails().delay
            arrivals[board.current, default: []].append(Int(time / .milliseconds(100)))
        }
        #expect(arrivals.keys.sorted() == ["b", "c", "d"])
        for (node, times) in arrivals {
            #expect((180...320).contains(times.count), "\(node) has \(times.count) of 750")
            #expect(times.allSatisfy { $0 < 20 })
            for tenth in 0..<20 { #expect(times.filter { $0 == tenth }.count < times.count / 5, "\(node)") }
        }
    }
}

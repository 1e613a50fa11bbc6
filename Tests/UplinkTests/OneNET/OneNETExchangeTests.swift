import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import Uplink

@Suite struct OneNETExchangeTests {
    private let start = ContinuousClock.now
    private let limits = OneNETExchange.Limits(
        window: 4, answerWithin: .seconds(10), retry: .seconds(5), attempts: 3)

    private func stored(_ number: Int64) throws -> StoredMessage {
        StoredMessage(
            id: MessageID(rawValue: number),
            message: Message(topic: try TopicName("$sys/1/2/thing/property/post"), payload: ByteBuffer()))
    }

    /// One post that left and that the broker has.
    private func exchange(with number: Int64 = 1) throws -> OneNETExchange {
        var exchange = OneNETExchange(limits)
        #expect(exchange.give(try stored(number), key: "\(number)", at: start))
        #expect(exchange.taken([MessageID(rawValue: number)], at: start) == [])
        return exchange
    }

    private func ids(_ messages: [StoredMessage]) -> [Int64] { messages.map(\.id.rawValue) }

    @Test func onlyCode200LetsAPostGo() throws {
        var exchange = try exchange()
        #expect(exchange.room(at: start) == 3)
        guard case .delivered(let post) = exchange.answered(OneNETAnswer(id: "1", code: 200), at: start) else {
            Issue.record("not delivered")
            return
        }
        #expect(post.stored.id.rawValue == 1)
        #expect(exchange.posts.isEmpty)
        #expect(exchange.room(at: start) == 4)
    }

    @Test func whatIsNoPostIsForgottenOnceTheBrokerHasIt() throws {
        var exchange = try exchange()
        #expect(exchange.taken([MessageID(rawValue: 7), MessageID(rawValue: 1)], at: start).map(\.rawValue) == [7])
    }

    @Test func anAnswerThatDoesNotComeHasThePostSentAgainWithPatience() throws {
        var exchange = try exchange()
        var now = start
        for wait in [5, 10, 20, 40, 80, 160, 300, 300] {
            #expect(exchange.nextDue(after: now) == now + .seconds(10))
            now += .seconds(10)
            #expect(exchange.advance(to: now).isEmpty)
            #expect(exchange.dueCount(at: now) == 0)
            #expect(exchange.nextDue(after: now) == now + .seconds(wait))
            now += .seconds(wait)
            #expect(ids(exchange.due(9, at: now)) == [1])
            #expect(exchange.due(9, at: now).isEmpty)
            #expect(exchange.nextDue(after: now) == nil, "until the broker has it")
            _ = exchange.taken([MessageID(rawValue: 1)], at: now)
        }
        #expect(exchange.statistics.unanswered == 8)
        #expect(exchange.statistics.repeated == 8)
    }

    @Test(arguments: [98, 400, 2409, 10417])
    func whatWillNeverBeTakenIsThrownAway(code: Int) throws {
        var exchange = try exchange()
        guard case .refused = exchange.answered(OneNETAnswer(id: "1", code: code), at: start) else {
            Issue.record("\(code) is not for good")
            return
        }
        #expect(exchange.posts.isEmpty)
        #expect(exchange.statistics.refused == 1)
    }

    @Test func whileThePlatformIsBusyAPostIsNeverGivenUp() throws {
        var exchange = try exchange()
        var now = start
        for _ in 0..<50 {
            guard case .later = exchange.answered(OneNETAnswer(id: "1", code: 503), at: now) else {
                Issue.record("given up")
                return
            }
            now += .seconds(300)
            #expect(ids(exchange.due(1, at: now)) == [1])
            _ = exchange.taken([MessageID(rawValue: 1)], at: now)
        }
    }

    @Test func aPostThatFailsWhileOthersDoNotIsGivenUp() throws {
        var exchange = try exchange()
        var now = start
        for attempt in 1...3 {
            now += .seconds(1)
            let other = Int64(100 + attempt)
            _ = exchange.give(try stored(other), key: "\(other)", at: now)
            _ = exchange.answered(OneNETAnswer(id: "\(other)", code: 200), at: now)
            now += .seconds(10)
            #expect(exchange.advance(to: now).map(\.stored.id.rawValue) == (attempt == 3 ? [1] : []))
            now += .seconds(300)
            _ = exchange.due(1, at: now)
            _ = exchange.taken([MessageID(rawValue: 1)], at: now)
        }
        #expect(exchange.posts.isEmpty)
        #expect(exchange.statistics.givenUp == 1)
    }

    @Test func aCodeThatNobodyKnowsIsTriedAFewTimes() throws {
        var exchange = try exchange()
        var now = start
        var outcomes: [String] = []
        for _ in 0..<3 {
            if case .refused = exchange.answered(OneNETAnswer(id: "1", code: 777), at: now) {
                outcomes.append("refused")
            } else {
                outcomes.append("later")
            }
            now += .seconds(300)
            _ = exchange.due(1, at: now)
            _ = exchange.taken([MessageID(rawValue: 1)], at: now)
        }
        #expect(outcomes == ["later", "later", "refused"])
    }

    @Test func lateAndRepeatedAnswersAreCounted() throws {
        var exchange = try exchange()
        _ = exchange.advance(to: start + .seconds(10))
        // Late, but it is the same post.
        guard case .delivered = exchange.answered(OneNETAnswer(id: "1", code: 200), at: start + .seconds(11)) else {
            Issue.record("a late answer is an answer")
            return
        }
        for id in ["1", "2", ""] {
            guard case .unknown = exchange.answered(OneNETAnswer(id: id, code: 200), at: start) else {
                Issue.record("nobody waits for \(id)")
                return
            }
        }
        #expect(exchange.statistics.unknownAnswers == 3)
    }

    @Test func aRefusalThatComesTwiceCountsOnce() throws {
        var exchange = try exchange()
        for _ in 0..<5 {
            guard case .later = exchange.answered(OneNETAnswer(id: "1", code: 777), at: start) else {
                Issue.record("given up")
                return
            }
        }
        #expect(exchange.statistics.postponed == 1)
    }

    @Test func aPostIsNotRepeatedBeforeTheBrokerHasIt() throws {
        var exchange = OneNETExchange(limits)
        _ = exchange.give(try stored(1), key: "1", at: start)
        _ = exchange.answered(OneNETAnswer(id: "1", code: 500), at: start)
        #expect(exchange.dueCount(at: start + .seconds(60)) == 0)
        _ = exchange.taken([MessageID(rawValue: 1)], at: start + .seconds(60))
        #expect(ids(exchange.due(1, at: start + .seconds(60))) == [1])
    }

    @Test func anAnswerMayOvertakeTheBrokersAcknowledgement() throws {
        var exchange = OneNETExchange(limits)
        _ = exchange.give(try stored(1), key: "1", at: start)
        guard case .delivered = exchange.answered(OneNETAnswer(id: "1", code: 200), at: start) else {
            Issue.record("not delivered")
            return
        }
        #expect(exchange.taken([MessageID(rawValue: 1)], at: start).count == 1)
    }

    @Test func aNewConnectionAsksForWhatTheLastOneLeft() throws {
        var exchange = try exchange()
        _ = exchange.give(try stored(2), key: "2", at: start)
        exchange.connectionBegan(isGated: false, at: start)
        // The second is still the client's own to repeat.
        #expect(ids(exchange.due(9, at: start)) == [1])
    }

    @Test func whileSubDevicesAreNotLoggedInNothingLeaves() throws {
        var exchange = try exchange()
        exchange.connectionBegan(isGated: true, at: start)
        #expect(exchange.room(at: start) == 0)
        #expect(exchange.dueCount(at: start) == 0)
        #expect(exchange.nextDue(after: start) == start + .seconds(10))
        #expect(exchange.dueCount(at: start + .seconds(10)) == 1, "in the end it is tried all the same")
        exchange.open()
        #expect(ids(exchange.due(1, at: start)) == [1])
    }

    @Test func twoPostsOfOneIDFollowEachOther() throws {
        var exchange = try exchange()
        #expect(!exchange.give(try stored(2), key: "1", at: start))
        #expect(exchange.due(9, at: start + .seconds(5)).isEmpty)
        guard case .delivered(let first) = exchange.answered(OneNETAnswer(id: "1", code: 200), at: start) else {
            Issue.record("not delivered")
            return
        }
        #expect(first.stored.id.rawValue == 1)
        #expect(ids(exchange.due(9, at: start + .seconds(10))) == [2])
        #expect(exchange.statistics.repeated == 0)
        guard case .delivered(let second) = exchange.answered(OneNETAnswer(id: "1", code: 200), at: start) else {
            Issue.record("not delivered")
            return
        }
        #expect(second.stored.id.rawValue == 2)
    }

    @Test func whatWasRewoundIsNotForgottenByAnOldAcknowledgement() throws {
        var exchange = OneNETExchange(limits)
        _ = exchange.give(try stored(1), key: "1", at: start)
        exchange.rewind()
        #expect(exchange.taken([MessageID(rawValue: 1)], at: start) == [])
        #expect(exchange.give(try stored(1), key: "1", at: start))
    }

    /// A platform that loses, delays, repeats and refuses, and a line that is cut: everything ends, nothing is lost,
    /// and no more than the window is under way.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func nothingIsLostAndEverythingEnds(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var limits = limits
        limits.attempts = 1000
        var exchange = OneNETExchange(limits)
        var now = start
        var waiting = try (1...60).map { try stored(Int64($0)) }
        waiting.reverse()
        /// What the client holds and the broker has not acknowledged.
        var unacknowledged: [MessageID] = []
        /// Answers on their way, of this connection.
        var answers: [(at: ContinuousClock.Instant, OneNETAnswer)] = []
        var platformHas: Set<Int64> = []
        var delivered: Set<Int64> = []
        var refused: Set<Int64> = []
        var steps = 0
        while delivered.count + refused.count < 60 {
            steps += 1
            guard steps < 20_000 else {
                Issue.record("it does not end; seed \(seed)")
                return
            }
            now += .milliseconds(Int.random(in: 1...2000, using: &random))
            #expect(exchange.advance(to: now).isEmpty)
            for post in exchange.due(Int.random(in: 1...4, using: &random), at: now) { unacknowledged.append(post.id) }
            while exchange.room(at: now) > 0, let next = waiting.popLast() {
                if exchange.give(next, key: "\(next.id.rawValue)", at: now) { unacknowledged.append(next.id) }
            }
            #expect(exchange.posts.count <= limits.window)
            if !unacknowledged.isEmpty, Bool.random(using: &random) {
                let id = unacknowledged.removeFirst()
                #expect(
                    exchange.taken([id], at: now).isEmpty || delivered.contains(id.rawValue)
                        || refused.contains(id.rawValue))
                let key = "\(id.rawValue)"
                switch Int.random(in: 0..<10, using: &random) {
                case 0: break
                case 1: answers.append((now, OneNETAnswer(id: key, code: 500)))
                case 2 where id.rawValue % 10 == 0: answers.append((now, OneNETAnswer(id: key, code: 2409)))
                case 3:
                    platformHas.insert(id.rawValue)
                case 4:
                    platformHas.insert(id.rawValue)
                    answers.append((now, OneNETAnswer(id: key, code: 200)))
                    answers.append((now, OneNETAnswer(id: key, code: 200)))
                case 5:
                    platformHas.insert(id.rawValue)
                    answers.append((now + .seconds(30), OneNETAnswer(id: key, code: 200)))
                default:
                    platformHas.insert(id.rawValue)
                    answers.append((now, OneNETAnswer(id: key, code: 200)))
                }
            }
            for (_, answer) in answers.filter({ $0.at <= now }) {
                switch exchange.answered(answer, at: now) {
                case .delivered(let post): #expect(delivered.insert(post.stored.id.rawValue).inserted)
                case .refused(let post): #expect(refused.insert(post.stored.id.rawValue).inserted)
                case .later, .unknown: break
                }
            }
            answers.removeAll { $0.at <= now }
            if Int.random(in: 0..<50, using: &random) == 0 {
                exchange.connectionEnded(at: now)
                answers.removeAll()
                exchange.connectionBegan(isGated: Bool.random(using: &random), at: now)
            }
        }
        #expect(exchange.posts.isEmpty)
        #expect(delivered.isSubset(of: platformHas), "seed \(seed)")
        #expect(refused.allSatisfy { $0 % 10 == 0 }, "seed \(seed)")
    }
}

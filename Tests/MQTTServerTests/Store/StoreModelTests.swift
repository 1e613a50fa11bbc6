import MQTTWire
import NIOCore
import TestSupport
import Testing
import Units

@testable import MQTTServer

/// Thousands of random changes, and a reopening every now and then that must give back what they come to.
@Suite struct StoreModelTests {
    @Test(arguments: UInt64(0)..<8)
    func `what was committed is there after a clean end, a kill, and a kill within a commit`(seed: UInt64) async throws
    {
        var place = try StorePlace()
        var (store, state) = try await place.open()
        var generator = ChangeGenerator(state, seed: seed, now: place.now)
        var random = SplitMix64(seed: seed &+ 1000)
        var counts = (closed: 0, killed: 0, cut: 0, replaced: 0)
        for step in 0..<150 {
            let comment: Comment = "seed \(seed), step \(step)"
            place.advance(milliseconds: .random(in: 0...3000, using: &random))
            generator.now = place.now
            let before = generator.model
            let log = place.logSize
            let file = try place.directory.readBytes("broker.db")
            let status = await store.commit(
                generator.next(.random(in: 1...60, using: &random)), at: generator.now)
            #expect(status.failure == nil && !status.wantsEverything && status.unsaved == 0, comment)

            var expected = [generator.model]
            switch Int.random(in: 0..<12, using: &random) {
            case 0:
                await store.close()
                counts.closed += 1
            case 1...2:
                place = try await store.crashCopy(of: place)
                counts.killed += 1
            case 3...4 where try place.logSize > log && place.directory.readBytes("broker.db") == file:
                // The batch was appended to the log, and to nothing else: its writing is stopped anywhere.
                let size = Int.random(in: log...place.logSize, using: &random)
                place = try await store.crashCopy(of: place, logSize: size)
                expected.append(before)
                counts.cut += 1
            case 5:
                let status = await store.replaceEverything(with: generator.state, at: generator.now)
                #expect(status.failure == nil, comment)
                counts.replaced += 1
                continue
            default: continue
            }
            // Time passes while nobody looks, and the board's own clock starts anew.
            place.advance(milliseconds: .random(in: 0...3000, using: &random))
            let old = place.now
            place.reboot(at: .uptimeNanoseconds(.random(in: 0...1 << 50, using: &random)))
            (store, state) = try await place.open()
            let found = StoreModel(state)
            #expect(expected.contains { $0.moved(from: old, to: place.now) == found }, comment)
            #expect(state.nextSessionID >= generator.nextSession || expected.count > 1, comment)
            #expect((0...4200).contains(state.nextMessageID - generator.nextMessage) || expected.count > 1, comment)
            for contents in state.sessions where expected.count == 1 {
                let given = generator.nextSequences[contents.session.id] ?? 0
                #expect((-1...65).contains(contents.nextSequence - given), comment)
                #expect(contents.nextSequence > contents.queue.last?.sequence ?? -1, comment)
            }
            generator.restart(with: state, now: place.now)
        }
        await store.close()
        #expect(counts.closed > 2 && counts.killed > 8 && counts.cut > 8 && counts.replaced > 2, "\(counts)")
        #expect(generator.kinds.count == 17 && generator.kinds.values.allSatisfy { $0 > 10 }, "\(generator.kinds)")
    }

    @Test func `numbers that were given do not come again, also when what had them is gone`() async throws {
        let place = try StorePlace()
        let (store, _) = try await place.open()
        var changes: [Change] = [.session(session(1)), .session(session(2))]
        for id in Int64(1)...5000 {
            changes += try retained(id, "t")
            changes.append(
                .queued(
                    1,
                    StoredEntry(
                        sequence: id, message: id, qos: .exactlyOnce, retain: false, subscriptionIdentifiers: [])))
        }
        changes.append(.retainedRemoved(try TopicName("t")))
        for id in Int64(1)...5000 { changes += [.dequeued(1, sequence: id), .messageDeleted(id)] }
        changes.append(.sessionDeleted(2))
        _ = await store.commit(changes, at: place.now)
        let (after, state) = try await store.crashCopy(of: place).open()
        #expect(state.sessions.count == 1)
        #expect(state.messages.isEmpty)
        #expect(state.sessions[0].nextSequence > 5000)
        #expect(state.nextMessageID > 5000)
        #expect(state.nextSessionID > 2)
        await after.close()
        await store.close()
    }

    @Test func `a property that does not belong to a message is left out`() async throws {
        let place = try StorePlace()
        let (store, _) = try await place.open()
        let topic = try TopicName("t")
        let message = ServerMessage(
            topic: topic, payload: ByteBuffer(), properties: [.topicAlias(1), .contentType("x"), .reasonString("")])
        let status = await store.commit(
            [
                .message(StoredMessage(id: 1, message: message, publisher: "")), .retained(topic, message: 1),
            ], at: place.now)
        #expect(status.failure == nil)
        await store.close()
        let (again, state) = try await place.open()
        #expect(state.messages.map(\.message.properties) == [[.contentType("x")]])
        await again.close()
    }

    @Test func `the log stays small and the size is told`() async throws {
        let place = try StorePlace()
        let (store, _) = try await place.open()
        var status = ServerStoreStatus()
        for id in Int64(1)...200 {
            let before: [Change] = id > 1 ? [.messageDeleted(id - 1)] : []
            status = await store.commit(try retained(id, "t", bytes: 100_000) + before, at: place.now)
        }
        #expect(place.logSize <= 2 << 20)
        #expect(status.size > 100_000 && status.size < 4 << 20)
        await store.close()
        #expect(place.logSize == 0)
    }
}

import MQTTWire
import NIOCore
import Testing

@testable import MQTTServer

/// Wills (5.0 §3.1.2.5, §3.1.3.2).
@Suite struct BrokerWillTests {
    /// With a reader at 1 that is subscribed to everything.
    private func bench(
        storesChanges: Bool = false, _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) throws -> Bench {
        var bench = Bench(storesChanges: storesChanges, configure)
        bench.connect(1, expiry: .max)
        try bench.subscribe(1, "#") { $0.retainAsPublished = true }
        _ = bench.take(1)
        return bench
    }

    @Test("A will is published when the connection is lost, and not after DISCONNECT", arguments: [0, 1, 2, 3])
    func endings(how: Int) throws {
        var bench = try bench()
        bench.connect(2, version: how == 3 ? .v3_1_1 : .v5, will: try .test("will", qos: .exactlyOnce, retain: true))
        switch how {
        case 0: bench.cut(2)
        case 1: bench.disconnect(2, .disconnectWithWill)
        default: bench.disconnect(2)
        }
        let got = bench.consume(1)
        #expect(got.map { String(buffer: $0.payload) } == (how < 2 ? ["gone"] : []))
        #expect(got.map(\.qos) == (how < 2 ? [.exactlyOnce] : []))
        #expect(got.map(\.retain) == (how < 2 ? [true] : []))
        #expect(bench.broker.retained.count == (how < 2 ? 1 : 0))
        bench.pass(.seconds(100))
        #expect(bench.consume(1).isEmpty)
    }

    @Test("A protocol error and an administrator bring the will as well")
    func byServer() throws {
        var bench = try bench()
        bench.connect(2, will: try .test("will", "a"))
        bench.receive(2, .pingresp)
        bench.connect(3, will: try .test("will", "b"))
        _ = bench.perform { $0.disconnect("c3", .administrativeAction, at: $1) }
        #expect(bench.texts(1) == ["a", "b"])
    }

    @Test("A delayed will comes when the session ends, if that is sooner")
    func sessionEndsFirst() throws {
        var bench = try bench()
        bench.connect(2, expiry: 5, will: try .test("will", delay: 60))
        bench.cut(2)
        bench.pass(.milliseconds(4_900))
        #expect(bench.texts(1).isEmpty)
        bench.pass(.milliseconds(300))
        #expect(bench.texts(1) == ["gone"])
        // With a session that ends with the connection: at once.
        bench.connect(2, will: try .test("will", delay: 60))
        bench.cut(2)
        #expect(bench.texts(1) == ["gone"])
        bench.connect(2, expiry: 60, will: try .test("will", delay: 30))
        bench.cut(2)
        _ = bench.perform { $0.deleteSession(of: "c2", at: $1) }
        #expect(bench.texts(1) == ["gone"])
        bench.connect(2, expiry: 60, will: try .test("will", delay: 30))
        bench.disconnect(2, .disconnectWithWill, expiry: 0)
        #expect(bench.texts(1) == ["gone"])
    }

    @Test("A delayed will is withheld when the client comes back to its session, and published at a clean start")
    func comesBack() throws {
        var bench = try bench(storesChanges: true)
        bench.connect(2, expiry: 60, will: try .test("will", delay: 10))
        bench.cut(2)
        #expect(bench.store.wills.count == 1)
        bench.pass(.seconds(5))
        bench.connect(2, clean: false, expiry: 60)
        #expect(bench.store.wills.isEmpty)
        bench.pass(.seconds(60))
        bench.cut(2)
        #expect(bench.texts(1).isEmpty)
        bench.connect(2, clean: false, expiry: 60, will: try .test("will", delay: 10))
        bench.cut(2)
        bench.connect(2, clean: true, expiry: 60)
        #expect(bench.texts(1) == ["gone"])
        #expect(bench.store.wills.isEmpty)
    }

    @Test("Take-over brings the will at once, but for a delayed one whose session goes on")
    func takeOver() throws {
        var bench = try bench()
        bench.connect(2, "same", expiry: 60, will: try .test("will", "1"))
        bench.connect(3, "same", clean: false, expiry: 60, will: try .test("will", "2", delay: 10))
        #expect(bench.texts(1) == ["1"])
        bench.connect(2, "same", clean: false, expiry: 60, will: try .test("will", "3", delay: 10))
        bench.pass(.seconds(30))
        #expect(bench.texts(1).isEmpty)
        bench.connect(3, "same", clean: true)
        #expect(bench.texts(1) == ["3"])
    }

    @Test("A will that its client may not publish is not published, nor one to $SYS, nor one that the hook refuses")
    func refused() throws {
        let seen = Seen()
        var bench = try bench {
            $0.hooks.interceptPublish = { message, client in
                seen.note(client?.identifier)
                return message.topic.string == "hook" ? .refuse(.notAuthorized) : .accept
            }
        }
        for topic in ["no/will", "$SYS/will", "hook", "yes"] {
            bench.connect(2, will: try .test(topic, topic), policy: Forbidding(publishing: "no/"))
            bench.cut(2)
        }
        #expect(bench.texts(1) == ["yes"])
        #expect(seen.all == ["c2", "c2"])
    }

    @Test("A will that could not be published as given is refused under 5.0, and lowered under 3.1.1")
    func impossible() throws {
        var bench = try bench {
            $0.limits.maximumQoS = .atLeastOnce
            $0.limits.isRetainAvailable = false
        }
        bench.connect(2, will: try .test("will", qos: .exactlyOnce))
        #expect(bench.take(2).connack?.reasonCode == .qosNotSupported)
        bench.connect(2, will: try .test("will", retain: true))
        #expect(bench.take(2).connack?.reasonCode == .retainNotSupported)
        bench.connect(2, version: .v3_1_1, will: try .test("will", qos: .exactlyOnce, retain: true))
        bench.cut(2)
        let got = bench.consume(1)
        #expect(got.map(\.qos) == [.atLeastOnce])
        #expect(got.map(\.retain) == [false])
        #expect(bench.broker.retained.count == 0)
    }

    @Test("An empty will that is to be retained removes the retained message")
    func removes() throws {
        var bench = try bench()
        bench.connect(2, will: try .test("will", "", retain: true))
        try bench.publish(2, "will", "online", retain: true)
        bench.cut(2)
        #expect(bench.broker.retained.count == 0)
    }

    @Test("The will's properties travel, but for its delay")
    func properties() throws {
        var bench = try bench()
        var will = try Will.test("will", delay: 1)
        will.properties.contentType = "text"
        will.properties.messageExpiryInterval = 100
        bench.connect(2, expiry: 60, will: will)
        bench.cut(2)
        bench.pass(.seconds(2))
        let got = bench.publishes(1)
        #expect(got.first?.properties.contentType == "text")
        #expect(got.first?.properties.willDelayInterval == nil)
        #expect(got.first?.properties.messageExpiryInterval == 100)
    }

    // MARK: Another process

    @Test("After a restart clients have ten seconds to come back, then their wills are published", arguments: [0, 60])
    func grace(expiry: UInt32) throws {
        var bench = try bench(storesChanges: true)
        bench.connect(2, expiry: expiry, will: try .test("will", "two"))
        bench.connect(3, expiry: expiry, will: try .test("will", "three"))
        bench.restart()
        bench.connect(1, clean: false, expiry: .max)
        bench.pass(.seconds(9))
        bench.connect(3, clean: expiry == 0, expiry: expiry)
        #expect(bench.texts(1).isEmpty)
        bench.pass(.seconds(2))
        #expect(bench.texts(1) == ["two"])
        bench.pass(.seconds(100))
        #expect(bench.texts(1).isEmpty)
        #expect(bench.store.wills.isEmpty)
    }

    @Test("After a restart a delayed will comes no later than its session's end")
    func graceAndSession() throws {
        var bench = try bench(storesChanges: true)
        bench.connect(2, expiry: 20, will: try .test("will", "short session", delay: 1_000))
        bench.connect(3, expiry: 0, will: try .test("will", "no session", delay: 1_000))
        bench.connect(4, expiry: 2_000, will: try .test("will", "long session", delay: 1_000))
        bench.restart()
        bench.connect(1, clean: false, expiry: .max)
        bench.pass(.seconds(11))
        #expect(bench.texts(1) == ["no session"])
        bench.pass(.seconds(10))
        #expect(bench.texts(1) == ["short session"])
        // A clean start ends the session, and brings the will.
        bench.connect(4, clean: true)
        #expect(bench.texts(1) == ["long session"])
    }

    @Test("A will that may not be published is not published by a later process either")
    func refusedAfterRestart() throws {
        var bench = try bench(storesChanges: true)
        bench.connect(2, expiry: 60, will: try .test("no/will"), policy: Forbidding(publishing: "no/"))
        #expect(bench.store.wills.isEmpty)
        bench.restart()
        bench.connect(1, clean: false, expiry: .max)
        bench.pass(.seconds(100))
        #expect(bench.texts(1).isEmpty)
    }

    @Test("A client that is refused when it comes back still has its will published")
    func refusedReturn() throws {
        var bench = try bench(storesChanges: true) { $0.limits.maximumSessions = 2 }
        bench.connect(2, will: try .test("will"))
        bench.restart()
        bench.connect(1, clean: false, expiry: .max)
        bench.connect(3)
        bench.connect(2)
        #expect(bench.take(2).connack?.reasonCode == .quotaExceeded)
        bench.pass(.seconds(11))
        #expect(bench.texts(1) == ["gone"])
    }
}

import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTT

/// What waited for the connection leaves room for what is new.
@Suite(.timeLimit(.minutes(3))) struct BacklogTests {
    @Test func aPaceGivesNoMoreThanItsRateAndABurst() {
        let start = ContinuousClock.now
        var pace = Pace(rate: 100, now: start)
        var given = 0
        for milliseconds in 0...10_000 {
            let count = pace.available(at: start + .milliseconds(milliseconds))
            pace.take(count)
            given += count
        }
        #expect((1000...1025).contains(given))
        #expect(pace.available(at: start + .milliseconds(10_000)) == 0)
        #expect(pace.wait > .zero && pace.wait <= .milliseconds(10))
        #expect(pace.available(at: start + .seconds(3600)) == 25, "a long rest does not add up")
        #expect(pace.available(at: start) == 25, "a clock does not go back")
        var slow = Pace(rate: 0.01, now: start)
        #expect(slow.available(at: start) == 1)
        slow.take(1)
        #expect(slow.available(at: start + .seconds(99)) == 0)
        #expect(slow.available(at: start + .seconds(100)) == 1)
    }

    @Test(arguments: [QoS.atMostOnce, .atLeastOnce])
    func aPacedBacklogIsMarkedAndAnAlarmDoesNotWaitForIt(qos: QoS) async throws {
        try await withMosquitto { broker in
            let listener = try await MosquittoSub.start(port: broker.port, ["#"], format: "%p")
            var configuration = quick(port: broker.port)
            configuration.backlogRate = 30
            configuration.markBacklog = { $0.payload.writeString(" old") }
            let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            for number in 1...45 { try await client.publish(message("t", "\(number)", qos)) }
            let running = Task { await client.run() }
            try await listener.wait { $0.contains("8 old") }
            var alarm = try message("alarm", "alarm", qos)
            alarm.priority = .high
            try await client.publish(alarm)
            try await client.publish(message("t", "46", qos))
            let lines = try await listener.wait { $0.count == 47 }
            #expect(lines.filter { $0 != "alarm" } == (1...45).map { "\($0) old" } + ["46"], "D4")
            #expect(try #require(lines.firstIndex(of: "alarm")) < 45)
            await client.disconnect()
            await running.value
            try await listener.stop()
        }
    }

    /// Looking after the connection must not put off the next message.
    @Test func aPaceThatIsSlowerThanKeepAliveGoesOn() async throws {
        try await withMosquitto { broker in
            let store = MemoryStore()
            for number in 1...3 { _ = try store.append([message("t", "\(number)")]) }
            var configuration = quick(port: broker.port)
            configuration.keepAlive = .seconds(1)
            configuration.backlogRate = 0.9
            let client = MQTTClient(
                configuration, store: store, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
            let running = Task { await client.run() }
            try await eventually("the backlog") { await client.statistics.completed == 3 }
            await client.disconnect()
            await running.value
        }
    }
}

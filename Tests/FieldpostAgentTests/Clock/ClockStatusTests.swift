import MQTT
import MQTTWire
import NIOCore
import StoreForward
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

/// T2: what the status says on a board that comes up without knowing the time.
@Suite struct ClockStatusTests {
    private func members(_ payload: ByteBuffer) throws -> JSON {
        try JSONReader.value(Array(payload.readableBytesView)[...])
    }

    @Test(arguments: [true, false]) func aTimeOfAClockThatIsNotSetIsMarked(isSet: Bool) throws {
        var presence = Presence(try LinkPlanTests.read("broker.servers = [\"mqtt://one\"]"), boot: 1)
        let time = isSet ? ClockJudgeTests.evening : Timestamp(milliseconds: 5_000)
        presence.since = time
        for message in [presence.online(nil, nil), presence.offline(.stopped, at: time)] {
            let status = try members(message.payload)
            #expect(status["since"]?.string == time.iso8601)
            #expect(status["clock"]?.string == (isSet ? nil : "unsynced"))
        }
    }

    @Test func whatWaitsForItIsShown() async throws {
        let folder = try TemporaryDirectory()
        let configuration = try LinkPlanTests.read(
            "broker.servers = [\"mqtt://one\"]\nqueue.path = \"\(folder.path("queue.db"))\"")
        let outbox = try await Outbox.open(path: configuration.queue.path)
        #expect(try !configuration.queueReport(asJSON: false).contains { $0.hasPrefix("held") })
        let held = try await Outbox.open(path: configuration.queue.heldPath)
        let message = Message(topic: try TopicName("held"), payload: ByteBuffer(string: "x"))
        _ = try await held.append([message, message])
        #expect(
            try configuration.queueReport(asJSON: false).contains(
                "held       2 until the clock is set, in \(folder.path("queue.held.db"))"))
        let json = try #require(try configuration.queueReport(asJSON: true).first)
        #expect(try members(ByteBuffer(string: json))["held"]?.number == 2)
        await held.close()
        await outbox.close()
    }

    @Test func itIsToldAnewOnceTheClockWasSet() async throws {
        let folder = try TemporaryDirectory()
        let outbox = try await Outbox.open(path: folder.path("queue.db"))
        var presence = Presence(try LinkPlanTests.read("broker.servers = [\"mqtt://one\"]"), boot: 1)
        presence.since = Timestamp(milliseconds: 5_000)
        let board = Board(presence, outbox: outbox, bridge: nil, sensors: 0, manager: nil)
        await board.retime { $0 }
        #expect(await !board.hasNews)
        await board.retime { _ in ClockJudgeTests.evening }
        #expect(await board.hasNews)
        let status = try members(await board.online().payload)
        #expect(status["since"]?.string == ClockJudgeTests.evening.iso8601)
        await outbox.close()
    }
}

import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@testable import Uplink

/// What becomes of entities when the configuration, the board, Home Assistant or the broker's memory changes.
@Suite struct HomeAssistantLifeTests {
    private typealias Tests = HomeAssistantTests
    private let node = "fieldpost-bin-0427"
    private let start = ContinuousClock.now

    private func known(_ sensors: [HomeAssistant.Sensor], alarms: [String] = []) throws -> JSON {
        var home = try Tests.home(sensors, alarms: alarms)
        _ = home.begin()
        for sensor in sensors { _ = home.observe(Tests.report(sensor.name, .number(1), "°C")) }
        // As it is read back from where it was kept.
        return try JSONReader.value(Array(home.state.text.utf8)[...])
    }

    private func receive(_ home: inout HomeAssistant, _ topic: String, _ payload: String) -> [Message] {
        var generator = SplitMix64(seed: 1)
        return home.receive(topic, Array(payload.utf8), at: start, using: &generator)
    }

    @Test func whatWasAnnouncedIsAnnouncedAgainAtTheNextStart() throws {
        let sensors = [try Tests.sensor("a"), try Tests.sensor("b")]
        var home = try Tests.home(sensors, alarms: ["full"], state: try known(sensors, alarms: ["full"]))
        #expect(
            try Tests.changes(home.begin()) == [
                "+ sensor/\(node)/a", "+ sensor/\(node)/b", "+ binary_sensor/\(node)/full_alarm",
                "+ button/\(node)/full_press",
            ])
        #expect(home.observe(Tests.report("a", .number(1), "°C")).isEmpty)
    }

    @Test func aRemovedSensorAndARemovedAlarmAreTakenAway() throws {
        let state = try known([try Tests.sensor("a"), try Tests.sensor("b")], alarms: ["full"])
        var home = try Tests.home([try Tests.sensor("a")], state: state)
        #expect(
            try Tests.changes(home.begin()) == [
                "+ sensor/\(node)/a", "- sensor/\(node)/b", "- binary_sensor/\(node)/full_alarm",
                "- button/\(node)/full_press",
            ])
        var later = try Tests.home([try Tests.sensor("a")], state: home.state)
        #expect(try Tests.changes(later.begin()) == ["+ sensor/\(node)/a"])
    }

    @Test func aRenamedSensorGoesAndComesUnderItsNewName() throws {
        var home = try Tests.home([try Tests.sensor("new")], state: try known([try Tests.sensor("old")]))
        #expect(try Tests.changes(home.begin()) == ["- sensor/\(node)/old"])
        #expect(try Tests.changes(home.observe(Tests.report("new", .number(1)))) == ["+ sensor/\(node)/new"])
    }

    @Test func aRenamedBoardOrPrefixTakesItsOldEntitiesAway() throws {
        let state = try known([try Tests.sensor("a")])
        var home = try Tests.home([try Tests.sensor("a")], device: "other", state: state)
        #expect(try Tests.changes(home.begin()) == ["- sensor/\(node)/a"])
        var settings = HomeAssistantSettings()
        settings.discoveryPrefix = "ha/discovery"
        var moved = try Tests.home([try Tests.sensor("a")], settings: settings, state: state)
        #expect(try Tests.changes(moved.begin()) == ["- sensor/\(node)/a"])
        #expect(
            moved.observe(Tests.report("a", .number(1))).map(\.topic.string) == ["ha/discovery/sensor/\(node)/a/config"]
        )
    }

    @Test func aHiddenSensorAndOneOfAnotherFormatAreTakenAway() throws {
        let state = try known([try Tests.sensor("a"), try Tests.sensor("b")])
        var home = try Tests.home(
            [try Tests.sensor("a") { $0.isHidden = true }, try Tests.sensor("b", format: "<{value}>")], state: state)
        #expect(try Tests.changes(home.begin()) == ["- sensor/\(node)/a", "- sensor/\(node)/b"])
    }

    @Test func anotherKindOfValueIsAnotherEntityAndFlappingEnds() throws {
        var home = try Tests.home([try Tests.sensor("a")])
        _ = home.observe(Tests.report("a", .number(1)))
        #expect(
            try Tests.changes(home.observe(Tests.report("a", .boolean(true)))) == [
                "- sensor/\(node)/a", "+ binary_sensor/\(node)/a",
            ])
        var count = 0
        for index in 0..<100 {
            count += home.observe(Tests.report("a", index % 2 == 0 ? .number(1) : .boolean(true))).count
        }
        #expect(count == 2 * (HomeAssistant.maximumChanges - 1))
    }

    // MARK: What the broker remembers

    @Test func aForgottenEntityIsTakenAwayWhenItIsFoundAtTheBroker() throws {
        var home = try Tests.home([try Tests.sensor("a")], alarms: ["full"])
        _ = home.begin()
        let ours = #"{"origin":{"name":"Fieldpost"}}"#
        func found(_ topic: String, _ payload: String) throws -> [String] {
            try Tests.changes(receive(&home, topic, payload))
        }
        #expect(try found("homeassistant/sensor/\(node)/gone/config", ours) == ["- sensor/\(node)/gone"])
        #expect(try found("homeassistant/button/\(node)/gone_press/config", ours) == ["- button/\(node)/gone_press"])
        #expect(try found("homeassistant/sensor/\(node)/a_b_c/config", ours) == ["- sensor/\(node)/a_b_c"])
        // Wanted ones, ones that may still come, the echo of a removal, and what is not ours.
        #expect(try found("homeassistant/binary_sensor/\(node)/full_alarm/config", ours) == [])
        #expect(try found("homeassistant/sensor/\(node)/a_-channel/config", ours) == [])
        #expect(try found("homeassistant/sensor/\(node)/gone/config", "") == [])
        #expect(try found("homeassistant/sensor/\(node)/gone/config", #"{"origin":{"name":"zigbee2mqtt"}}"#) == [])
        #expect(try found("homeassistant/sensor/\(node)/gone/config", "{") == [])
        #expect(try found("homeassistant/sensor/fieldpost-other/gone/config", ours) == [])
        #expect(try found("homeassistant/sensor/gone/config", ours) == [])
        #expect(try found("a", ours) == [])
    }

    @Test func aForgottenEntityOfAnotherKindGoesWhenItsSensorSpeaks() throws {
        var home = try Tests.home([try Tests.sensor("a")])
        #expect(
            receive(&home, "homeassistant/binary_sensor/\(node)/a/config", #"{"origin":{"name":"Fieldpost"}}"#).isEmpty)
        #expect(
            try Tests.changes(home.observe(Tests.report("a", .number(1)))) == [
                "- binary_sensor/\(node)/a", "+ sensor/\(node)/a",
            ])
    }

    @Test func itSubscribesToHomeAssistantsStartAndToItsOwnTopics() throws {
        #expect(
            try Tests.home([]).subscriptions.map(\.string) == [
                "homeassistant/status", "homeassistant/+/\(node)/+/config",
            ])
    }

    // MARK: Home Assistant's start

    @Test func whenHomeAssistantStartsAllIsAnnouncedOnceAndALittleLater() throws {
        var home = try Tests.home([try Tests.sensor("a")], alarms: ["full"])
        _ = home.begin()
        _ = home.observe(Tests.report("a", .number(1)))
        #expect(receive(&home, "homeassistant/status", "offline").isEmpty)
        #expect(home.wakeTime == nil)
        for _ in 0..<5 { #expect(receive(&home, "homeassistant/status", "online").isEmpty) }
        let wakeTime = try #require(home.wakeTime)
        #expect((start + .seconds(1)...start + .seconds(10)).contains(wakeTime))
        #expect(home.wake(at: start).isEmpty)
        #expect(home.wake(at: wakeTime).count == 3)
        #expect(home.wake(at: wakeTime).isEmpty && home.wakeTime == nil)
        // One that starts again and again is answered every half minute.
        _ = receive(&home, "homeassistant/status", "online")
        #expect(try #require(home.wakeTime) >= wakeTime + HomeAssistant.pause)
    }

    @Test func S3_nothingThatComesFromTheBrokerIsTooOdd() throws {
        var generator = SplitMix64(seed: .random(in: 0...(.max)))
        let seed = generator.seed
        let pieces = [
            "homeassistant", "sensor", "+", "", node, "a", "_-", "_", "_0", "config", "status", "é", "_c3", "online",
        ]
        var home = try Tests.home([try Tests.sensor("a")], alarms: ["full"])
        for _ in 0..<5000 {
            let levels = (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                (0...Int.random(in: 0...2, using: &generator)).map { _ in
                    pieces.randomElement(using: &generator) ?? ""
                }.joined()
            }
            let topic = levels.joined(separator: "/")
            let payloads = [[], Array(#"{"origin":{"name":"Fieldpost"}}"#.utf8), generator.bytes(20)]
            let payload = payloads.randomElement(using: &generator) ?? []
            for message in home.receive(topic, payload, at: start, using: &generator) {
                #expect(message.topic.string == topic && topic.contains("/\(node)/"), "seed \(seed)")
            }
        }
    }

    @Test func aStateThatMakesNoSenseIsNoState() throws {
        for state: JSON in [
            .null, [], ["entities": 5], ["entities": [5, ["id": "a"], ["id": "_", "component": "x"]]],
        ] {
            var home = try Tests.home([try Tests.sensor("a")], state: state)
            #expect(home.begin().isEmpty)
        }
    }

    @Test func moreEntitiesThanItKeepsAreRefusedAndCounted() throws {
        var home = try Tests.home([try Tests.sensor("a", topic: "x/{channel}")])
        for index in 0..<HomeAssistant.maximumEntities + 5 {
            _ = home.observe(Tests.report("a", .number(1), channel: "\(index)"))
        }
        #expect(home.refused == 5)
    }
}

import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import Testing
import Units

@testable import Uplink

@Suite struct OneNETProfileTests {
    private func told(
        _ report: Report, sequence: Int64 = 42, _ change: (inout OneNETSettings) -> Void = { _ in }
    ) throws -> [String] {
        try OneNETProfile(oneNET(change)).messages(for: report, sequence: sequence).map(\.told)
    }

    @Test func readingsAreOnePropertyPost() throws {
        let readings = [reading("fill", 83.2), reading("cpu", 51, channel: "core/0")]
        #expect(
            try told(.readings(readings)) == [
                #"thing/property/post {"id":"42","version":"1.0","params":{"fill":{"value":83.2,"time":1763672400123},"cpu_core_0":{"value":51,"time":1763672400123}}}"#
            ])
    }

    @Test func eachValueOfOnePropertyHasItsPost() throws {
        let later = noonOnOneNET + .seconds(1)
        #expect(
            try told(.readings([reading("a", 1), reading("a", 2, at: later), reading("b", 3)])) == [
                #"thing/property/post {"id":"42","version":"1.0","params":{"a":{"value":1,"time":1763672400123},"b":{"value":3,"time":1763672400123}}}"#,
                #"thing/property/post {"id":"43","version":"1.0","params":{"a":{"value":2,"time":1763672401123}}}"#,
            ])
    }

    @Test func theConfigurationNamesIdentifiers() throws {
        let readings = [reading("fill", 1), reading("env", 2, channel: "rh"), reading("env", 3, channel: "t")]
        #expect(
            try told(.readings(readings)) { $0.identifiers = ["fill": "FillLevel", "env": "Env", "env/t": "Temp"] } == [
                #"thing/property/post {"id":"42","version":"1.0","params":{"FillLevel":{"value":1,"time":1763672400123},"Env_rh":{"value":2,"time":1763672400123},"Temp":{"value":3,"time":1763672400123}}}"#
            ])
    }

    @Test func anAlarmIsAnEvent() throws {
        #expect(
            try told(.alarm(alarm("full"))) == [
                #"thing/event/post {"id":"42","version":"1.0","params":{"full":{"value":{"level":92,"state":"raised","severity":"warning"},"time":1763672400123}}}"#
            ])
        #expect(
            try told(.alarm(alarm("full", nil))).first?.includes(#""value":{"state":"raised","severity":"warning"}"#)
                == true)
        let messages = try OneNETProfile(oneNET()).messages(for: .alarm(alarm("full")), sequence: 1)
        #expect(messages.map(\.priority) == [.high])
    }

    @Test func whatASubDeviceSaysNamesIt() throws {
        func gateway(_ settings: inout OneNETSettings) {
            settings.subDevices = [subDevice("lid-1", sensors: ["lid1"])]
        }
        let readings = Report.readings([reading("fill", 1), reading("lid1", 2)])
        #expect(
            try told(readings, gateway) == [
                #"thing/property/post {"id":"42","version":"1.0","params":{"fill":{"value":1,"time":1763672400123}}}"#,
                #"thing/pack/post {"id":"43","version":"1.0","params":[{"identity":{"productID":"654321","deviceName":"lid-1"},"properties":{"lid1":{"value":2,"time":1763672400123}}}]}"#,
            ])
        #expect(
            try told(.alarm(alarm("open", of: "lid1")), gateway) == [
                #"thing/pack/post {"id":"42","version":"1.0","params":[{"identity":{"productID":"654321","deviceName":"lid-1"},"events":{"open":{"value":{"level":92,"state":"raised","severity":"warning"},"time":1763672400123}}}]}"#
            ])
    }

    @Test func dataPointsHaveSecondsAndANumberAsTheirID() throws {
        let readings = [
            reading("t", 30), reading("t", 31, at: noonOnOneNET + .seconds(2)),
            Reading(sensor: "lid", value: .boolean(true), time: noonOnOneNET),
            Reading(sensor: "gate", value: .text("open"), time: noonOnOneNET),
        ]
        #expect(
            try told(.readings(readings)) { $0.model = .dataPoints } == [
                #"dp/post/json {"id":42,"dp":{"t":[{"v":30,"t":1763672400},{"v":31,"t":1763672402}],"lid":[{"v":1,"t":1763672400}],"gate":[{"v":"open","t":1763672400}]}}"#
            ])
        #expect(
            try told(.alarm(alarm("full"))) { $0.model = .dataPoints } == [
                #"dp/post/json {"id":42,"dp":{"full":[{"v":{"level":92,"state":"raised","severity":"warning"},"t":1763672400}]}}"#
            ])
    }

    @Test func aTimeThatTheBoardCannotHaveKnownIsLeftToThePlatform() throws {
        let report = Report.readings([reading("t", 30, at: Timestamp(milliseconds: 61_000))])
        #expect(try told(report) == [#"thing/property/post {"id":"42","version":"1.0","params":{"t":{"value":30}}}"#])
        #expect(try told(report) { $0.model = .dataPoints } == [#"dp/post/json {"id":42,"dp":{"t":[{"v":30}]}}"#])
    }

    @Test func whatCannotBeTrustedIsNotPosted() throws {
        #expect(try told(.readings([reading("t", 30, quality: .stale("old"))])) == [])
        #expect(try told(.failure(sensor: "t", reason: "gone", time: noonOnOneNET)) == [])
    }

    @Test(
        arguments: [
            (1, "1", 1), (9_999_999_999_999, "9999999999999", 1_316_134_912 + 0),
            (10_000_000_000_001, "1", 1_316_134_914),
            (2_147_483_647, "2147483647", 2_147_483_647), (2_147_483_648, "2147483648", 1), (0, "0", 1),
        ] as [(Int64, String, Int64)])
    func idsStayInTheirRanges(sequence: Int64, thing: String, data: Int64) {
        #expect(OneNETProfile.thingID(sequence) == thing)
        let expected = sequence < 3_000_000_000 ? data : 1 + (sequence - 1) % 2_147_483_647
        #expect(OneNETProfile.dataID(sequence) == expected)
        #expect((1...Int64(Int32.max)).contains(OneNETProfile.dataID(sequence)))
    }

    // MARK: History

    private func history(_ report: Report, _ change: (inout OneNETSettings) -> Void = { _ in }) throws -> String {
        let messages = try OneNETProfile(oneNET(change)).messages(for: report, sequence: 42)
        return try #require(messages.first.map { OneNETHistory.rewritten($0).told })
    }

    @Test func propertiesAndEventsBecomeHistory() throws {
        #expect(
            try history(.readings([reading("fill", 83.2), reading("t", -1)]))
                == #"thing/history/post {"id":"42","version":"1.0","params":[{"identity":{"productID":"123456","deviceName":"bin-01"},"properties":{"fill":[{"value":83.2,"time":1763672400123}],"t":[{"value":-1,"time":1763672400123}]}}]}"#
        )
        #expect(
            try history(.alarm(alarm("full")))
                == #"thing/history/post {"id":"42","version":"1.0","params":[{"identity":{"productID":"123456","deviceName":"bin-01"},"events":{"full":[{"value":{"level":92,"state":"raised","severity":"warning"},"time":1763672400123}]}}]}"#
        )
        #expect(
            try history(.readings([reading("lid1", 2)])) { $0.subDevices = [subDevice("lid-1", sensors: ["lid1"])] }
                == #"thing/history/post {"id":"42","version":"1.0","params":[{"identity":{"productID":"654321","deviceName":"lid-1"},"properties":{"lid1":[{"value":2,"time":1763672400123}]}}]}"#
        )
    }

    @Test func historyThatIsRewrittenAgainStaysAsItIs() throws {
        let message = try #require(
            try OneNETProfile(oneNET()).messages(for: .readings([reading("t", 1)]), sequence: 1).first)
        let once = OneNETHistory.rewritten(message)
        #expect(once != message)
        #expect(OneNETHistory.rewritten(once) == once)
    }

    @Test func whatHasNoTimeOrIsNoPostStaysAsItIs() throws {
        let old = Report.readings([reading("t", 1), reading("u", 1, at: Timestamp(milliseconds: 5))])
        #expect(try history(old).hasPrefix("thing/property/post "))
        #expect(try history(.readings([reading("t", 1)])) { $0.model = .dataPoints }.hasPrefix("dp/post/json "))
        for (topic, payload) in [
            ("fieldpost/bin-01/fill", "{}"), ("$sys/1/2/thing/property/post", "no JSON"),
            ("$sys/1/2/thing/property/set_reply", #"{"id":"1","code":200}"#),
            ("$sys/1/2/thing/pack/post", #"{"id":"1","params":[{"properties":{}}]}"#),
        ] {
            let message = Message(topic: try TopicName(topic), payload: ByteBuffer(string: payload))
            #expect(OneNETHistory.rewritten(message) == message)
        }
    }
}

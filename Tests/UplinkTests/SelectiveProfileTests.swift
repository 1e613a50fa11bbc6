import MQTT
import NIOCore
import Pipeline
import Sensing
import Testing
import Units
import Uplink

@Suite struct SelectiveProfileTests {
    private let plain = PlainProfile(device: "d")

    private func alarm(_ sensor: String, at time: Int64) -> Report {
        .alarm(
            AlarmReport(
                alarm: "full", sensor: sensor, state: .raised, isActive: true, severity: .warning,
                time: Timestamp(milliseconds: time)))
    }

    @Test func itTellsOfItsSensorsAndTheirAlarmsOnly() throws {
        let profile = SelectiveProfile(plain, sensors: ["a"])
        let time = Timestamp(milliseconds: 0)
        for (sensor, count) in [("a", 1), ("b", 0)] {
            let reading = Reading(sensor: sensor, value: .number(1), time: time)
            #expect(try profile.messages(for: .readings([reading]), sequence: 1).count == count)
            let failure = Report.failure(sensor: sensor, reason: "gone", time: time)
            #expect(try profile.messages(for: failure, sequence: 1).count == count)
            #expect(try profile.messages(for: alarm(sensor, at: 0), sequence: 1).count == count)
        }
        // One that the configuration has no more is cleared wherever it may have been told.
        #expect(try profile.messages(for: alarm("", at: 0), sequence: 1).count == 1)
    }

    @Test func anEarlierRunsAlarmsAreNoEvents() throws {
        let profile = NewAlarmsProfile(plain, since: Timestamp(milliseconds: 1000))
        #expect(try profile.messages(for: alarm("a", at: 999), sequence: 1).isEmpty)
        #expect(try profile.messages(for: alarm("a", at: 1000), sequence: 1).count == 1)
        let reading = Reading(sensor: "a", value: .number(1), time: Timestamp(milliseconds: 0))
        #expect(try profile.messages(for: .readings([reading]), sequence: 1).count == 1)
    }
}

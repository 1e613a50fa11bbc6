import MQTT
import NIOCore
import Pipeline
import Sensing
import Testing
import Units
import Uplink

@Suite struct SelectiveProfileTests {
    private let plain = PlainProfile(device: "d")

    private func alarm(_ sensor: String, isRetold: Bool = false) -> Report {
        var alarm = AlarmReport(
            alarm: "full", sensor: sensor, state: .raised, isActive: true, severity: .warning,
            time: Timestamp(milliseconds: 0))
        alarm.isRetold = isRetold
        return .alarm(alarm)
    }

    @Test func itTellsOfItsSensorsAndTheirAlarmsOnly() throws {
        let profile = SelectiveProfile(plain, sensors: ["a"])
        let time = Timestamp(milliseconds: 0)
        for (sensor, count) in [("a", 1), ("b", 0)] {
            let reading = Reading(sensor: sensor, value: .number(1), time: time)
            #expect(try profile.messages(for: .readings([reading]), sequence: 1).count == count)
            let failure = Report.failure(sensor: sensor, reason: "gone", time: time)
            #expect(try profile.messages(for: failure, sequence: 1).count == count)
            #expect(try profile.messages(for: alarm(sensor), sequence: 1).count == count)
        }
        // One that the configuration has no more is cleared wherever it may have been told.
        #expect(try profile.messages(for: alarm(""), sequence: 1).count == 1)
    }

    @Test func anEarlierRunsAlarmsAreNoEvents() throws {
        let profile = NewAlarmsProfile(plain)
        #expect(try profile.messages(for: alarm("a", isRetold: true), sequence: 1).isEmpty)
        // However old it is: it may have waited for the clock, or for another agent's end.
        #expect(try profile.messages(for: alarm("a"), sequence: 1).count == 1)
        let reading = Reading(sensor: "a", value: .number(1), time: Timestamp(milliseconds: 0))
        #expect(try profile.messages(for: .readings([reading]), sequence: 1).count == 1)
    }
}

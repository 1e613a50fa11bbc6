import Pipeline
import Testing

@Suite struct AlarmSeverityTests {
    @Test func aCriticalAlarmMattersMoreThanAWarning() {
        #expect(AlarmSeverity.allCases == AlarmSeverity.allCases.sorted())
        #expect(AlarmSeverity.warning < .critical)
    }
}

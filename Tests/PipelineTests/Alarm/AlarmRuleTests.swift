import Pipeline
import Sensing
import Settings
import Testing
import Units

@Suite struct AlarmRuleTests {
    private let base: [(String, Value.Kind)] = [("name", .string("full")), ("sensor", .string("fill"))]

    @Test func everyOptionIsRead() throws {
        let (rule, problems) = alarmRule(
            base + [
                ("channel", .string("left")), ("raise_above", .integer(85)), ("clear_below", .number(20.5)),
                ("for", .string("1m")), ("clear_for", .string("30s")), ("severity", .string("critical")),
                ("latch", .boolean(true)), ("repeat", .string("1h")), ("message", .string("Empty it")),
                ("on_failure", .boolean(true)),
            ])
        #expect(problems == [])
        #expect(
            try #require(rule)
                == AlarmRule(
                    name: "full", sensor: "fill", channel: "left",
                    condition: AlarmCondition(
                        .outside(upper: .init(raise: 85, clear: 20.5), lower: nil), includesFailure: true),
                    raiseDelay: .seconds(60), clearDelay: .seconds(30), severity: .critical, isLatched: true,
                    repeatInterval: .seconds(3600), message: "Empty it"))
    }

    @Test func whatIsNotSaidIsObvious() {
        let (rule, problems) = alarmRule(base + [("raise_below", .integer(2))])
        #expect(problems == [])
        #expect(
            rule
                == AlarmRule(
                    name: "full", sensor: "fill",
                    condition: AlarmCondition(.outside(upper: nil, lower: .init(raise: 2, clear: 2)))))
    }

    @Test func aConditionMayBeABooleanATextOrANumber() {
        let values: [(Value.Kind, Reading.Value)] = [
            (.boolean(true), .boolean(true)), (.string("jam"), .text("jam")), (.integer(3), .number(3)),
        ]
        for (written, meant) in values {
            let (rule, problems) = alarmRule(base + [("equals", written)])
            #expect(problems == [])
            #expect(rule?.condition == AlarmCondition(.equal(meant)))
        }
    }

    @Test(
        arguments: [
            ([], "has no condition: write raise_above, raise_below, equals or on_failure = true"),
            ([("on_failure", .boolean(false))], "has no condition"),
            (
                [("raise_above", .integer(85)), ("clear_below", .integer(90))],
                "clear_below: lies where raise_above raises the alarm: write a number up to 85"
            ),
            (
                [("raise_below", .integer(5)), ("clear_above", .integer(4))],
                "clear_above: lies where raise_below raises the alarm: write a number from 5"
            ),
            ([("on_failure", .boolean(true)), ("clear_below", .integer(1))], "clear_below: has no raise_above to end"),
            (
                [
                    ("raise_above", .integer(8)), ("clear_below", .integer(3)), ("raise_below", .integer(2)),
                    ("clear_above", .integer(4)),
                ], "clear_above: no value is both above it and below what clears the upper threshold"
            ),
            ([("raise_above", .integer(8)), ("equals", .integer(3))], "equals: stands beside \"raise_above\""),
            ([("equals", .array([]))], "equals: is an array: expected is a string, a finite number or a boolean"),
            ([("raise_above", .string("85"))], "raise_above: is a string: expected is a finite number"),
            ([("on_failure", .boolean(true)), ("severity", .string("sirious"))], "did you mean \"serious\"?"),
            ([("on_failure", .boolean(true)), ("repeat", .string("10ms"))], "10ms is out of range"),
            ([("on_failure", .boolean(true)), ("for", .integer(10))], "10 has no unit: write \"10s\""),
            ([("on_failure", .boolean(true)), ("raise", .integer(10))], "unknown key"),
        ] as [([(String, Value.Kind)], String)])
    func whatIsWrongIsToldWithItsMend(lines: [(String, Value.Kind)], problem: String) {
        let problems = alarmRule(base + lines).problems
        #expect(problems.count == 1)
        #expect(problems.first?.contains(problem) == true, "\(problems)")
    }

    @Test func allProblemsAreToldAtOnce() {
        let (rule, problems) = alarmRule([
            ("name", .string("")), ("clear_below", .integer(1)), ("latch", .string("yes")), ("for", .string("x")),
        ])
        #expect(rule == nil)
        #expect(problems.count == 6, "\(problems)")
    }
}

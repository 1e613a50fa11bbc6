import Sensing
import Settings
import Testing

@Suite struct GPIOOptionsTests {
    private func problems(_ options: Options) -> [String] { SensingTests.problems(of: GPIODriver.self, options) }

    @Test func `a line is enough, or a chip and an offset`() {
        #expect(problems(["line": "GPIO17"]) == [])
        #expect(problems(["chip": "pinctrl-bcm2711", "line": 17]) == [])
        #expect(problems(["line": "GPIO17", "edges": "both", "debounce": "20ms", "bias": "pull-up"]) == [])
        #expect(problems(["line": "GPIO17", "measure": "frequency", "idle": "2s", "every": "1m"]) == [])
        #expect(problems(["line": "GPIO17", "measure": "pulse", "pulse": "low", "every": "1m"]) == [])
        #expect(
            problems([
                "line": "GPIO17", "direction": "output", "initial": false, "safe": true, "drive": "open-drain",
            ]) == [])
    }

    @Test func `all that is wrong is told at once`() {
        #expect(
            problems([:]) == [
                #"1:1: sensor[1].line: is missing: write its name ("GPIO17"), or with a chip its offset (17)"#
            ])
        #expect(
            problems(["line": 17]) == [
                #"2:8: sensor[1].line: an offset belongs to a chip: write chip = "…", or the line's name"#
            ])
        #expect(problems(["line": true]) == ["2:8: sensor[1].line: is a boolean: expected is a string"])
        #expect(
            problems(["chip": "x", "line": -1]) == [
                "3:8: sensor[1].line: -1 is out of range: allowed is 0 to 2147483647"
            ])
        #expect(
            problems([
                "line": "A", "direction": "inout", "bias": "up", "debounce": 20, "edges": "falling-edge",
                "measure": "counter", "active_low": "yes", "chp": "x",
            ]) == [
                #"3:13: sensor[1].direction: "inout" is not possible: did you mean "input"? (possible are input, output)"#,
                #"4:8: sensor[1].bias: "up" is not possible: possible are as-is, pull-up, pull-down, disabled"#,
                #"5:12: sensor[1].debounce: 20 has no unit: write "20s""#,
                #"6:9: sensor[1].edges: "falling-edge" is not possible: possible are rising, falling, both"#,
                #"7:11: sensor[1].measure: "counter" is not possible: did you mean "count"? (possible are state, count, frequency, pulse)"#,
                "8:14: sensor[1].active_low: is a string: expected is true or false",
                #"9:1: sensor[1].chp: unknown key: did you mean "chip"?"#,
            ])
    }

    @Test func `options of another use are refused`() {
        #expect(
            problems(["line": "A", "direction": "output", "edges": "both", "debounce": "1ms", "measure": "count"]) == [
                #"4:9: sensor[1].edges: is for inputs: remove it, or write direction = "input""#,
                #"5:12: sensor[1].debounce: is for inputs: remove it, or write direction = "input""#,
                #"6:11: sensor[1].measure: is for inputs: remove it, or write direction = "input""#,
            ])
        #expect(
            problems(["line": "A", "initial": true, "idle": "1s", "pulse": "low"]) == [
                #"3:11: sensor[1].initial: is for outputs: remove it, or write direction = "output""#,
                #"4:8: sensor[1].idle: is for measure = "frequency": remove it"#,
                #"5:9: sensor[1].pulse: is for measure = "pulse": remove it"#,
            ])
        #expect(
            problems(["line": "A", "measure": "pulse", "edges": "both", "every": "1s"]) == [
                "4:9: sensor[1].edges: is not for pulses, which have both: remove it"
            ])
    }

    @Test func `what is told only when it is read says how often that is`() {
        for measure in ["count", "frequency", "pulse"] {
            #expect(
                problems(["line": "A", "measure": .string(measure)]) == [
                    #"1:1: sensor[1].every: is missing: say how often a \#(measure) is told: every = "10s""#
                ])
        }
    }

    @Test func `debouncing has bounds`() {
        #expect(
            problems(["line": "A", "debounce": "61s"]) == [
                "3:12: sensor[1].debounce: 1m1s is out of range: allowed is 1us to 1m"
            ])
        #expect(problems(["line": "A", "debounce": "100ns"]).count == 1)
        #expect(problems(["line": "A", "debounce": "60s"]) == [])
    }
}

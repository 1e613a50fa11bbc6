import Pipeline
import Sensing
import Settings
import Testing
import Units

@Suite struct FilterSettingsTests {
    @Test func `Every key is known`() {
        let options: JSON = [
            "scale": 0.1, "offset": -3, "convert": ["°F", "hPa"], "range": [0, 400], "implausible": "mark", "median": 5,
            "average": "1m", "rate": "1m", "counter": true, "settle": "500ms",
            "window": ["every": "1m", "values": ["min", "max", "mean", "last", "count"], "empty": true],
            "report": ["change": 2, "percent": 5, "silence": "15m"],
        ]
        #expect(filterProblems(options) == [])
        #expect(filterProblems([:]) == [])
    }

    @Test(
        arguments: [
            (["scale": 0], "scale: 0 would make every value the same"),
            (["convert": "°D"], "convert: \"°D\" is no known unit: did you mean \"°C\"?"),
            (["convert": ["°C", "K"]], "convert: \"°C\" and \"K\" are both units of temperature: keep one of them"),
            (["range": [4, 0]], "range: is not a lower and an upper end: write them as in [0, 400]"),
            (["range": 4], "range: is not a lower and an upper end"),
            (["implausible": "drop"], "implausible: nothing says what is plausible: add range = [lowest, highest]"),
            (
                ["range": [0, 1], "implausible": "dorp"],
                "implausible: \"dorp\" is not possible: did you mean \"drop\"?"
            ),
            (["median": 4], "median: 4 values have no middle one: write 3 or 5"),
            (["median": 101], "median: 101 is out of range"),
            (["average": 1], "average: 1 is out of range"),
            (["average": "60"], "average: \"60\" has no unit"),
            (["counter": true], "counter: is for a rate of change: add rate = \"1m\""),
            (["settle": 500], "settle: 500 has no unit"),
            (["window": ["values": "min"]], "window.every: is missing"),
            (["window": ["every": "1m"]], "window.values: is missing: possible are min, max"),
            (
                ["window": ["every": "1m", "values": ["maen"]]],
                "window.values: \"maen\" is not possible: did you mean \"mean\"?"
            ),
            (["window": ["every": "1m", "values": []]], "window.values: is empty"),
            (
                ["window": ["every": "1m", "values": "min", "empty": true]],
                "window.empty: an empty window has a count only"
            ),
            (["window": "1m"], "window: is a string: expected is a table"),
            (["report": ["change": -1]], "report.change: -1 is out of range"),
            (["report": ["chnage": 1]], "report.chnage: unknown key: did you mean \"change\"?"),
        ] as [(JSON, String)])
    func `A mistake is told with its mend`(_ row: (options: JSON, problem: String)) throws {
        let problems = filterProblems(row.options)
        #expect(problems.count == 1)
        // Array elements have their index.
        let first = try #require(problems.first).replacing(each: "[1]", with: "")
        #expect(first.hasPrefix(row.problem), "\(first)")
    }

    @Test func `All mistakes are told at once`() {
        #expect(filterProblems(["median": 4, "range": [1], "rate": "0s", "settle": "x"]).count == 4)
    }

    @Test func `Keys that the driver has taken are the driver's`() throws {
        let settings = sensorTable(["scale": 10, "offset": 1])
        _ = settings.number("scale")
        _ = settings.number("offset")
        let filters = try #require(FilterSettings(settings))
        settings.finish()
        #expect(settings.problems.all == [])
        #expect(filters == FilterSettings())
    }

    @Test(
        arguments: [
            ("%", ["convert: % cannot be converted to K: possible are 1, ‰, ppm, ppb"]),
            ("bins", ["convert: bins cannot be converted to K: it is a unit that is not known"]), ("°F", []),
        ] as [(String, [String])])
    func `A unit that the table itself names is checked`(_ row: (unit: String, problems: [String])) {
        let settings = sensorTable(["expression": "a", "unit": .string(row.unit), "convert": "K"])
        _ = DerivedSensor(settings)
        #expect((FilterSettings(settings) == nil) == !row.problems.isEmpty)
        settings.finish()
        #expect(settings.problems.all.map { String("\($0)".dropFirst(5)) } == row.problems)
    }

    @Test func `A derived sensor's table`() throws {
        let settings = sensorTable(["expression": "1 +", "max_age": 5])
        #expect(DerivedSensor(settings) == nil)
        #expect(settings.problems.all.count == 2)
        let good = try #require(DerivedSensor(sensorTable(["expression": "a + 1", "unit": "%", "max_age": "5m"])))
        #expect(good.unit == "%")
        #expect(good.maximumAge == .seconds(300))
        #expect(good.expression.references.map(\.text) == ["a"])
    }
}

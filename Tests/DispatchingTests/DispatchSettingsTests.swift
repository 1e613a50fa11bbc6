import Dispatching
import Settings
import Testing
import Units

@Suite struct DispatchSettingsTests {
    private let place = SourcePosition(line: 1, column: 1)

    private func table(_ lines: [(String, Value.Kind)]) -> Table {
        Table(lines.map { Table.Entry(key: $0.0, keyPosition: place, value: Value($0.1, at: place)) })
    }

    private func read(
        _ dispatch: [(String, Value.Kind)], places: [[(String, Value.Kind)]] = []
    ) -> (settings: DispatchSettings?, problems: [String]) {
        let places = places.map { Value(.table(table($0)), at: place) }
        let root = SettingsReader(
            table([("dispatch", .table(table(dispatch))), ("place", .array(places))]), keyPath: "", position: place,
            problems: Problems())
        let settings = DispatchSettings(root)
        root.finish()
        return (settings, root.problems.all.map(\.description))
    }

    @Test func everyOptionIsRead() throws {
        let (settings, problems) = read(
            [
                ("path", .string("/var/lib/d.db")), ("prefix", .string("park")), ("answer_within", .string("2m")),
                ("escalate_after", .integer(5)), ("supervisors", .array([Value(.string("anna"), at: place)])),
                ("retry_after", .string("3m")), ("clear_within", .string("4m")), ("capacity", .integer(6)),
                ("task_distance", .string("1.5km")), ("unknown_distance", .string("700 m")),
                ("max_position_age", .string("8m")), ("max_silence", .string("9m")), ("max_tasks", .integer(10)),
                ("max_workers", .integer(11)),
            ], places: [[("device", .string("bin")), ("latitude", .number(31.7)), ("longitude", .integer(119))]])
        #expect(problems == [])
        var expected = DispatchSettings()
        expected.path = "/var/lib/d.db"
        expected.topics = try DispatchTopics(prefix: "park")
        expected.answerWithin = .seconds(120)
        expected.escalateAfter = 5
        expected.supervisors = ["anna"]
        expected.retryAfter = .seconds(180)
        expected.clearWithin = .seconds(240)
        expected.rule = DispatchRule(
            capacity: 6, taskDistance: 1500, unknownDistance: 700, maximumPositionAge: .seconds(480),
            maximumSilence: .seconds(540))
        expected.maximumTasks = 10
        expected.maximumWorkers = 11
        expected.places = ["bin": Position(latitude: 31.7, longitude: 119)]
        #expect(settings == expected)
        #expect(read([]).settings == DispatchSettings())
    }

    @Test(
        arguments: [
            ("task_distance", .string("500"), "\"500\" has no unit: write \"500m\" or \"500km\""),
            ("task_distance", .string("5mi"), "has the unknown unit \"mi\": known are m and km"),
            ("unknown_distance", .string("far"), "\"far\" is no distance: write one like \"500m\""),
            ("unknown_distance", .string("1.2.3m"), "is no distance"), ("capacity", .integer(0), "0 is out of range"),
            ("prefix", .string("a/#"), "\"a/#\" cannot begin a topic"),
            ("answer_within", .string("0s"), "out of range"),
            ("colour", .string("red"), "unknown key"),
        ] as [(String, Value.Kind, String)])
    func whatIsWrongIsToldWithItsMend(key: String, value: Value.Kind, message: String) {
        let (_, problems) = read([(key, value)])
        #expect(problems.count == 1)
        #expect(problems.first?.contains(message) == true, "\(problems)")
    }

    @Test func allProblemsOfPlacesAreTold() {
        let bin: [(String, Value.Kind)] = [
            ("device", .string("bin")), ("latitude", .integer(1)), ("longitude", .integer(2)),
        ]
        let (settings, problems) = read([], places: [bin, bin, [("latitude", .integer(91))]])
        #expect(settings == nil)
        #expect(problems.count == 4, "\(problems)")
        #expect(problems.contains { $0.contains("\"bin\" has a place already: keep one of them") })
    }
}

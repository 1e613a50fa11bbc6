import Settings
import Testing
import Units

@Suite struct SettingsReaderTests {
    let problems = Problems()

    func reader(_ entries: KeyValuePairs<String, Value.Kind>, environment: [String: String] = [:]) -> SettingsReader {
        // Each entry stands on a line of its own, its value in column 10.
        SettingsReader(
            table(entries), keyPath: "sensor[1]", position: SourcePosition(line: 1, column: 1), problems: problems,
            environment: environment)
    }

    func table(_ entries: KeyValuePairs<String, Value.Kind>) -> Table {
        Table(
            entries.enumerated().map { index, entry in
                Table.Entry(
                    key: entry.key, keyPosition: SourcePosition(line: index + 2, column: 1),
                    value: Value(entry.value, at: SourcePosition(line: index + 2, column: 10)))
            })
    }

    func array(_ kinds: Value.Kind...) -> Value.Kind {
        .array(kinds.enumerated().map { Value($1, at: SourcePosition(line: 2, column: 11 + 5 * $0)) })
    }

    var printed: [String] { problems.all.map(\.description) }

    // MARK: Values

    @Test func `Values of the right type are given`() {
        enum Shape: String, CaseIterable { case sine, ramp }
        let reader = reader([
            "s": .string("text"), "b": .boolean(true), "i": .integer(7), "n": .number(1.5), "d": .string("1m30s"),
            "z": .string("64MB"), "one": .string("a"), "many": array(.string("a"), .string("b")),
            "numbers": array(.integer(1), .number(2.5)), "shape": .string("ramp"), "rank": .string("high"),
        ])
        #expect(reader.string("s") == "text")
        #expect(reader.requiredString("s") == "text")
        #expect(reader.boolean("b") == true)
        #expect(reader.integer("i") == 7)
        #expect(reader.integer("i", in: 0...7) == 7)
        #expect(reader.number("i") == 7)
        #expect(reader.number("n", in: 0...) == 1.5)
        #expect(reader.duration("d") == .seconds(90))
        #expect(reader.byteCount("z") == ByteCount(bytes: 64_000_000))
        #expect(reader.strings("one") == ["a"])
        #expect(reader.strings("many") == ["a", "b"])
        #expect(reader.numbers("numbers") == [1, 2.5])
        #expect(reader.numbers("i") == [7])
        #expect(reader.choice("shape", of: Shape.self) == .ramp)
        #expect(reader.choice("rank", of: ["low": 0, "high": 9]) == 9)
        reader.finish()
        #expect(printed.isEmpty)
    }

    @Test func `What is absent is nil, and no problem unless it is required`() {
        let reader = reader([:])
        #expect(reader.string("a") == nil)
        #expect(reader.string("a", default: "b") == "b")
        #expect(reader.integer("a", in: 1...2) == nil)
        #expect(reader.duration("a") == nil)
        #expect(reader.strings("a") == nil)
        #expect(reader.table("a") == nil)
        #expect(reader.tables("a").isEmpty)
        #expect(reader.dictionary("a") == nil)
        #expect(reader.secret("a") == nil)
        #expect(printed.isEmpty)
        #expect(reader.requiredString("path") == nil)
        #expect(printed == ["1:1: sensor[1].path: is missing"])
    }

    @Test func `Every wrong type is told, and reading goes on`() {
        let reader = reader([
            "s": .integer(1), "b": .string("yes"), "i": .number(1.5), "n": .number(.nan), "d": .boolean(true),
            "c": .date("2026-11-20"), "t": .string("x"), "ts": .table(Table()), "l": array(.string("a"), .integer(2)),
        ])
        #expect(reader.string("s") == nil)
        #expect(reader.boolean("b") == nil)
        #expect(reader.integer("i") == nil)
        #expect(reader.number("n") == nil)
        #expect(reader.duration("d") == nil)
        #expect(reader.choice("c", of: ["x": 1]) == nil)
        #expect(reader.table("t") == nil)
        #expect(reader.tables("ts").isEmpty)
        #expect(reader.strings("l") == nil)
        reader.finish()
        #expect(
            printed == [
                "2:10: sensor[1].s: is an integer: expected is a string",
                "2:16: sensor[1].l[2]: is an integer: expected is a string",
                "3:10: sensor[1].b: is a string: expected is true or false",
                "4:10: sensor[1].i: is a number: expected is an integer",
                "5:10: sensor[1].n: is a number: expected is a finite number",
                "6:10: sensor[1].d: is a boolean: expected is a duration with its unit, as in \"10s\"",
                "7:10: sensor[1].c: is a date: expected is a string",
                "8:10: sensor[1].t: is a string: expected is a table",
                "9:10: sensor[1].ts: is a table: expected is an array of tables, each under [[ts]]",
            ])
    }

    @Test func `Bare numbers are neither durations nor sizes`() {
        let reader = reader(["every": .integer(10), "wait": .number(1.5), "size": .integer(64), "text": .string("10")])
        #expect(reader.duration("every") == nil)
        #expect(reader.duration("wait") == nil)
        #expect(reader.byteCount("size") == nil)
        #expect(reader.duration("text") == nil)
        #expect(
            printed == [
                "2:10: sensor[1].every: 10 has no unit: write \"10s\"",
                "3:10: sensor[1].wait: 1.5 has no unit: write \"1.5s\"",
                "4:10: sensor[1].size: 64 has no unit: write \"64B\", \"64kB\" or \"64MB\"",
                "5:10: sensor[1].text: \"10\" has no unit: write \"10s\"",
            ])
    }

    @Test func `What is out of range is told with the range`() {
        let reader = reader([
            "i": .integer(3), "n": .number(-0.5), "d": .string("5ms"), "z": .string("2GB"), "j": .integer(.max),
        ])
        #expect(reader.integer("i", in: 0...2) == nil)
        #expect(reader.number("n", in: 0...) == nil)
        #expect(reader.duration("d", in: .milliseconds(10)...) == nil)
        #expect(reader.byteCount("z", in: ...ByteCount(bytes: 1_000_000_000)) == nil)
        #expect(reader.integer("j", in: ..<10) == nil)
        #expect(
            printed == [
                "2:10: sensor[1].i: 3 is out of range: allowed is 0 to 2",
                "3:10: sensor[1].n: -0.5 is out of range: allowed is 0 and more",
                "4:10: sensor[1].d: 5ms is out of range: allowed is 10ms and more",
                "5:10: sensor[1].z: 2GB is out of range: allowed is up to 1GB",
                "6:10: sensor[1].j: 9223372036854775807 is out of range: allowed is below 10",
            ])
    }

    @Test func `A wrong choice is told with the possible ones and the nearest`() {
        enum Durability: String, CaseIterable { case strict, relaxed }
        let reader = reader(["a": .string("relax"), "b": .string("Strict"), "c": .string("fast")])
        #expect(reader.choice("a", of: Durability.self) == nil)
        #expect(reader.choice("b", of: Durability.self) == nil)
        #expect(reader.choice("c", of: ["slow": 1, "quick": 2]) == nil)
        #expect(
            printed == [
                "2:10: sensor[1].a: \"relax\" is not possible: did you mean \"relaxed\"? (possible are strict, relaxed)",
                "3:10: sensor[1].b: \"Strict\" is not possible: did you mean \"strict\"? (possible are strict, relaxed)",
                "4:10: sensor[1].c: \"fast\" is not possible: possible are slow, quick",
            ])
    }

    @Test func `What a parser refuses is told at its own place`() {
        let reader = reader(["l": array(.string("1s"), .string("2"), .string("3s"), .string("x"))])
        #expect(reader.parsedAll("l", Duration.init(parsing:)) == nil)
        #expect(
            printed == [
                "2:16: sensor[1].l[2]: \"2\" has no unit: write \"2s\"",
                "2:26: sensor[1].l[4]: \"x\" is no duration: write one like \"30s\", \"1m30s\" or \"250ms\"",
            ])
    }

    // MARK: Environment

    @Test func `Environment variables are filled in`() {
        let reader = reader(
            [
                "a": .string("${A}-${B}"), "b": .string("$${A} costs $5, $SYS"),
                "c": array(.string("${A}"), .string("$$$$")),
            ],
            environment: ["A": "1", "B": "$$"])
        #expect(reader.string("a") == "1-$$")
        #expect(reader.string("b") == "${A} costs $5, $SYS")
        #expect(reader.strings("c") == ["1", "$$"])
        #expect(printed.isEmpty)
    }

    @Test func `Each variable that is not set is a problem`() {
        let reader = reader(["a": .string("${NOPE}${NEITHER}"), "b": .string("${A"), "c": .string("${}")])
        #expect(reader.string("a") == nil)
        #expect(reader.string("b") == nil)
        #expect(reader.string("c") == nil)
        #expect(
            printed == [
                "2:10: sensor[1].a: the environment variable NOPE is not set: set it, or write \"$${\" if \"${\" is meant",
                "2:10: sensor[1].a: the environment variable NEITHER is not set: set it, or write \"$${\" if \"${\" is meant",
                "3:10: sensor[1].b: \"${\" has no \"}\": write \"$${\" if \"${\" is meant",
                "4:10: sensor[1].c: \"${}\" names no variable: write \"$${\" if \"${\" is meant",
            ])
    }

    // MARK: Keys and tables

    @Test func `Keys that nobody asked for are unknown, with the nearest known one`() {
        let reader = reader(["evry": .string("1s"), "path": .string("/"), "paht": .string("/"), "x": .integer(1)])
        _ = reader.duration("every")
        _ = reader.string("path")
        _ = reader.string("unit")
        reader.finish()
        #expect(
            printed == [
                "2:1: sensor[1].evry: unknown key: did you mean \"every\"?",
                "4:1: sensor[1].paht: unknown key: known here are also every, unit",
                "5:1: sensor[1].x: unknown key: known here are also every, unit",
            ])
    }

    @Test func `A table inside is finished with the one around it`() {
        let inner: Value.Kind = .table(table(["bsae": .string("1s")]))
        let reader = reader(["reconnect": inner, "sensor": array(.table(table(["nmae": .string("a")])), .integer(1))])
        _ = reader.table("reconnect")?.duration("base")
        for sensor in reader.tables("sensor") { _ = sensor.string("name") }
        #expect(printed == ["2:16: sensor[1].sensor[2]: is an integer: expected is a table"])
        reader.finish()
        reader.finish()
        #expect(
            printed == [
                "2:1: sensor[1].reconnect.bsae: unknown key: did you mean \"base\"?",
                "2:1: sensor[1].sensor[1].nmae: unknown key: did you mean \"name\"?",
                "2:16: sensor[1].sensor[2]: is an integer: expected is a table",
            ])
    }

    @Test func `Unknown keys pass where their meaning hangs on something wrong`() {
        let reader = reader(["channel": .string("x")])
        reader.ignoreUnknownKeys()
        reader.finish()
        #expect(printed.isEmpty)
    }

    @Test func `A dictionary has free keys and plain values`() {
        let map: Value.Kind = .table(
            table(["open": .integer(1), "closed": .boolean(false), "name": .string("${A}"), "bad": array()]))
        let reader = reader(
            ["map": map, "good": .table(table(["b": .integer(1), "a": .integer(2)]))], environment: ["A": "x"])
        #expect(reader.dictionary("map") == nil)
        #expect(printed == ["5:10: sensor[1].map.bad: is an array: expected is a string, a number or a boolean"])
        #expect(reader.dictionary("good")?.map(\.key) == ["b", "a"])
        #expect(reader.dictionary("good")?.map(\.value.kind) == [.integer(1), .integer(2)])
    }

    // MARK: Problems of the caller's own

    @Test func `A caller's problem stands at the value, or at the table if there is none`() {
        let reader = reader(["path": .string("etc")])
        reader.problem(at: "path", message: "is relative", mend: "write \"/etc\"")
        reader.warning(at: "unit", message: "is missing")
        reader.problem(at: "path", message: "is relative", mend: "write \"/etc\"")
        #expect(
            printed == [
                "1:1: warning: sensor[1].unit: is missing",
                "2:10: sensor[1].path: is relative: write \"/etc\"",
            ])
        #expect(problems.errors.count == 1)
        #expect(problems.warnings.count == 1)
        #expect(
            problems.errors.first?.line(file: "bins.toml")
                == "bins.toml:2:10: sensor[1].path: is relative: write \"/etc\"")
    }
}

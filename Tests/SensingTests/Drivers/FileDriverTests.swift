import Glibc
import Sensing
import Settings
import Testing

@Suite struct FileDriverTests {
    static let meminfo = """
        MemTotal:        3884376 kB
        MemFree:          148844 kB
        MemAvailable:    2983712 kB

        """

    @Test(
        "Numbers as the kernel prints them are read, exactly",
        arguments: [
            ("25080\n", 25080), ("25080.000000000", 25080), (" 42\n", 42), ("-127", -127), ("0x1f\n", 31), ("+5", 5),
            ("1e3", 1000), ("0", 0), ("18446744073709551615", 0x1p64), (".5", 0.5),
        ])
    func numbers(text: String, number: Double) throws {
        let tree = try FakeTree(["/sys/x": text])
        let driver = try make(FileDriver.self, ["path": "/sys/x"], in: tree)
        #expect(try driver.read(at: noon) == [Measurement(.number(number))])
    }

    @Test(
        "What is no number is an error that shows it",
        arguments: [
            ("abc\n", #"/sys/x says "abc", which is not a number"#),
            ("12 %", #"/sys/x says "12 %", which is not a number"#),
            ("nan", #"/sys/x says "nan", which is not a finite number"#),
            ("inf", #"/sys/x says "inf", which is not a finite number"#),
            ("1e999", #"/sys/x says "1e999", which is not a finite number"#),
            ("1,5", #"/sys/x says "1,5", which is not a number"#),
            (" \t\n", "/sys/x is empty: the kernel had no value"),
            ("", "/sys/x is empty: the kernel had no value"),
            ("1\n2\n", #"/sys/x says "1\n2", which is not a number"#),
        ])
    func noNumbers(text: String, message: String) throws {
        let tree = try FakeTree(["/sys/x": text])
        let driver = try make(FileDriver.self, ["path": "/sys/x"], in: tree)
        let error = try #require(driver.failure())
        #expect(error.text(in: tree).hasPrefix(message), "\(error)")
    }

    @Test("The NUL that ends a device tree's strings is no part of them") func deviceTree() throws {
        let tree = try FakeTree(["/proc/device-tree/model": "Raspberry Pi 4 Model B\0"])
        let driver = try make(FileDriver.self, ["path": "/proc/device-tree/model", "kind": "text"], in: tree)
        #expect(try driver.values() == ["": "Raspberry Pi 4 Model B"])
    }

    @Test("The machine's own load and memory can be read") func machine() throws {
        let load = try make(FileDriver.self, ["path": "/proc/loadavg", "pattern": "^[0-9.]+"])
        #expect(try #require(load.read(at: noon).first?.number) >= 0)
        let memory = try make(FileDriver.self, ["path": "/proc/meminfo", "pattern": "^MemTotal: +([0-9]+) kB$"])
        #expect(try #require(memory.read(at: noon).first?.number) > 1000)
    }

    @Test("Garbage bytes are an error, not a crash") func garbage() throws {
        let tree = try FakeTree()
        try tree.write("/sys/x", [0xFF, 0xC0, 0x00, 0x31, 0x80])
        let driver = try make(FileDriver.self, ["path": "/sys/x"], in: tree)
        #expect(driver.failure()?.kind == .malformed)
        let text = try make(FileDriver.self, ["path": "/sys/x", "kind": "text"], in: tree)
        #expect(try text.values() == ["": "\u{FFFD}\u{FFFD} 1\u{FFFD}"])
    }

    @Test("A scale of 0.001 divides, so that no digits appear from nowhere") func scaling() throws {
        let tree = try FakeTree(["/sys/temp": "25080\n"])
        let driver = try make(
            FileDriver.self, ["path": "/sys/temp", "scale": 0.001, "offset": -1.5, "unit": "°C"], in: tree)
        #expect(try driver.read(at: noon) == [Measurement(.number(23.58), unit: "°C")])
        let huge = try make(FileDriver.self, ["path": "/sys/temp", "scale": 1e308], in: tree)
        #expect(huge.failure()?.problem == "says 25080, which scaled is not a finite number")
    }

    @Test("A pattern's first group is the value, and its anchors are those of lines") func patterns() throws {
        let tree = try FakeTree(["/proc/meminfo": Self.meminfo, "/proc/loadavg": "0.20 0.18 0.12 1/80 11206\n"])
        let available = try make(
            FileDriver.self, ["path": "/proc/meminfo", "pattern": "^MemAvailable: +([0-9]+) kB$"], in: tree)
        #expect(try available.values() == ["": "2983712.0"])
        let load = try make(FileDriver.self, ["path": "/proc/loadavg", "pattern": "^[0-9.]+"], in: tree)
        #expect(try load.values() == ["": "0.2"])
        let absent = try make(FileDriver.self, ["path": "/proc/loadavg", "pattern": "^Swap"], in: tree)
        #expect(
            absent.failure()?.text(in: tree)
                == #"/proc/loadavg says "0.20 0.18 0.12 1/80 11206", which the pattern does not match; try the pattern with grep -E"#
        )
        // An alternative without the group is no value.
        let optional = try make(FileDriver.self, ["path": "/proc/loadavg", "pattern": "0.20|x(1)"], in: tree)
        #expect(optional.failure()?.kind == .malformed)
    }

    @Test("Booleans know the kernel's words, or the owner's") func booleans() throws {
        let tree = try FakeTree(["/sys/a": "1\n", "/sys/b": "N\n", "/sys/c": "dormant\n", "/sys/d": "Up\n"])
        func value(_ options: Options) throws -> String? {
            let driver = try make(FileDriver.self, options, in: tree)
            return try driver.values()[""]
        }
        #expect(try value(["path": "/sys/a", "kind": "boolean"]) == "true")
        #expect(try value(["path": "/sys/b", "kind": "boolean"]) == "false")
        #expect(try value(["path": "/sys/d", "kind": "boolean"]) == "true")
        #expect(try value(["path": "/sys/d", "on": "up"]) == "true")
        #expect(try value(["path": "/sys/c", "on": ["up", "unknown"]]) == "false")
        #expect(try value(["path": "/sys/c", "off": ["down"]]) == "true")
        #expect(throws: SensorError.self) { try value(["path": "/sys/c", "on": ["up"], "off": ["down"]]) }
        #expect(throws: SensorError.self) { try value(["path": "/sys/c", "kind": "boolean"]) }
    }

    @Test("One match of a wildcard is the file; several need a decision") func wildcards() throws {
        let tree = try FakeTree(["/sys/bus/w1/devices/28-0316a279/temperature": "21937\n"])
        let path: Value = "/sys/bus/w1/devices/28-*/temperature"
        let one = try make(FileDriver.self, ["path": path], in: tree)
        #expect(try one.values() == ["": "21937.0"])

        try tree.write("/sys/bus/w1/devices/28-0416b1ff/temperature", "19000\n")
        #expect(
            one.failure()?.text(in: tree)
                == "/sys/bus/w1/devices/28-*/temperature matches 2 files (/sys/bus/w1/devices/28-0316a279/temperature, /sys/bus/w1/devices/28-0416b1ff/temperature); name one of them, or write all = true for a channel each"
        )
        let all = try make(FileDriver.self, ["path": path, "all": true, "scale": 0.001], in: tree)
        #expect(try all.values() == ["28-0316a279": "21.937", "28-0416b1ff": "19.0"])

        try tree.write("/sys/bus/w1/devices/28-0416b1ff/temperature", "\n")
        let error = try #require(all.failure())
        #expect(error.kind == .unavailable)
        #expect(error.measured == [Measurement(channel: "28-0316a279", .number(21.937))])
    }

    @Test("Two wildcards name a channel together") func twoWildcards() throws {
        let tree = try FakeTree([
            "/sys/class/net/eth0/statistics/rx_bytes": "10", "/sys/class/net/eth0/statistics/tx_bytes": "20",
            "/sys/class/net/lo/statistics/rx_bytes": "30",
        ])
        let driver = try make(
            FileDriver.self, ["path": "/sys/class/net/*/statistics/[rt]x_bytes", "all": true], in: tree)
        #expect(
            try driver.values() == ["eth0.rx_bytes": "10.0", "eth0.tx_bytes": "20.0", "lo.rx_bytes": "30.0"])
    }

    @Test("More matches than channels make sense are refused") func tooManyMatches() throws {
        let tree = try FakeTree()
        for index in 0...256 { try tree.write("/sys/many/\(index)", "1") }
        let driver = try make(FileDriver.self, ["path": "/sys/many/*", "all": true], in: tree)
        #expect(driver.failure()?.problem == "matches 257 files, more than 256")
    }

    @Test("What is missing is named, with the folder in which it is missing") func missing() throws {
        let tree = try FakeTree(["/sys/class/hwmon/hwmon1/name": "cpu_thermal\n"])
        let driver = try make(FileDriver.self, ["path": "/sys/class/hwmon/hwmon0/temp1_input"], in: tree)
        #expect(
            driver.failure()?.text(in: tree)
                == "/sys/class/hwmon/hwmon0/temp1_input does not exist (no hwmon0 in /sys/class/hwmon); is the device connected, and its kernel driver loaded?"
        )
        let wild = try make(FileDriver.self, ["path": "/sys/class/hwmon/hwmon*/temp1_input"], in: tree)
        #expect(
            wild.failure()?.text(in: tree)
                == "/sys/class/hwmon/hwmon*/temp1_input matches no file; is the device connected, and its kernel driver loaded?"
        )
        try tree.write("/sys/class/hwmon/hwmon0/temp1_input", "1000")
        #expect(try driver.values() == ["": "1000.0"])
    }

    @Test("Folders, pipes and long files are refused, without waiting") func unsuitable() throws {
        let tree = try FakeTree()
        try tree.makeFolder("/sys/folder")
        try tree.makePipe("/sys/pipe")
        try tree.write("/sys/long", [UInt8](repeating: 0x31, count: 65537))
        try tree.write("/sys/full", [UInt8](repeating: 0x20, count: 65535) + [0x31])
        func read(_ path: Value) throws -> String? {
            let driver = try make(FileDriver.self, ["path": path], in: tree)
            return driver.failure()?.text(in: tree)
        }
        #expect(try read("/sys/folder") == "/sys/folder is a folder; name a file in it")
        #expect(try read("/sys/pipe") == "/sys/pipe is a pipe, socket or device; name a plain file")
        #expect(
            try read("/sys/long") == "/sys/long holds more than 65536 bytes; name a smaller file: one value's attribute"
        )
        #expect(try read("/sys/full") == nil)
    }

    @Test("A file closed to us is named with its mode and group", .enabled(if: geteuid() != 0)) func forbidden() throws
    {
        let tree = try FakeTree()
        try tree.write("/sys/secret", Array("1".utf8), mode: 0)
        let driver = try make(FileDriver.self, ["path": "/sys/secret"], in: tree)
        let error = try #require(driver.failure())
        #expect(error.kind == .forbidden)
        #expect(error.problem.contains("mode 00"))
    }

    @Test("All that is wrong with the options is told, at its place, with the mend") func options() {
        #expect(problems(of: FileDriver.self, [:]) == ["1:1: sensor[1].path: is missing"])
        #expect(
            problems(
                of: FileDriver.self,
                [
                    "path": "sys/x", "all": true, "scale": 0, "pattern": "([0-9]+", "kind": "numeric", "ofset": 1,
                    "unit": 3,
                ]) == [
                    #"2:8: sensor[1].path: "sys/x" is not absolute: begin it with /"#,
                    #"3:7: sensor[1].all: needs a path with a wildcard: write one like "/sys/class/net/*/statistics/rx_bytes""#,
                    "4:9: sensor[1].scale: 0 would make every value the same",
                    #"5:11: sensor[1].pattern: "([0-9]+" is no POSIX extended regular expression (Unmatched ( or \()"#,
                    #"6:8: sensor[1].kind: "numeric" is not possible: possible are number, boolean, text"#,
                    #"7:1: sensor[1].ofset: unknown key: did you mean "offset"?"#,
                    "8:8: sensor[1].unit: is an integer: expected is a string",
                ])
        #expect(
            problems(of: FileDriver.self, ["path": "/x", "pattern": #"^\d+"#]) == [
                #"3:11: sensor[1].pattern: POSIX extended regular expressions have no \d: write [0-9]"#
            ])
        #expect(problems(of: FileDriver.self, ["path": "/x", "pattern": #"^\\d"#]) == [])
        #expect(
            problems(of: FileDriver.self, ["path": "/x", "kind": "text", "scale": 2, "on": ["1"]]) == [
                #"4:9: sensor[1].scale: is for numbers only: remove it, or write kind = "number""#,
                #"5:6: sensor[1].on: is for booleans only: remove it, or write kind = "boolean""#,
            ])
        #expect(
            problems(of: FileDriver.self, ["path": "/x", "on": ["1", "High"], "off": ["high"]]) == [
                #"4:7: sensor[1].off: "high" stands in "on" too: keep it in one of them"#
            ])
    }
}

extension FileDriverTests { typealias Value = Settings.Value.Kind }

@Suite struct WritableFileTests {
    @Test(
        "A value is written as the file would say it",
        arguments: [
            (["path": "/sys/x", "writable": true], Reading.Value.number(25), "25"),
            (["path": "/sys/x", "writable": true], .number(0.5), "0.5"),
            (["path": "/sys/x", "writable": true, "scale": 0.001], .number(25.08), "25080"),
            (["path": "/sys/x", "writable": true, "scale": 2, "offset": 1], .number(7), "3"),
            (["path": "/sys/x", "writable": true, "kind": "boolean"], .boolean(true), "1"),
            (["path": "/sys/x", "writable": true, "kind": "boolean"], .boolean(false), "0"),
            (["path": "/sys/x", "writable": true, "on": "up", "off": ["down", "dead"]], .boolean(false), "down"),
            (["path": "/sys/x", "writable": true, "kind": "text"], .text("performance"), "performance"),
            (["path": "/sys/*", "writable": true], .number(3), "3"),
        ] as [(Options, Reading.Value, String)])
    func values(options: Options, value: Reading.Value, written: String) throws {
        let tree = try FakeTree(["/sys/x": "a much longer text than what is written\n"])
        let state = try make(FileDriver.self, options, in: tree).set(value)
        #expect(try tree.read("/sys/x") == written)
        #expect(state == ["": Measurement(value).text])
    }

    @Test("Only what its owner calls writable is written") func refusals() throws {
        let tree = try FakeTree(["/sys/x": "7\n", "/sys/y": "8\n"])
        let closed = try make(FileDriver.self, ["path": "/sys/x"], in: tree)
        #expect(
            closed.refusal(.number(1))?.text(in: tree) == "/sys/x is not to be set; write writable = true to allow it")
        #expect(try tree.read("/sys/x") == "7")
        let number = try make(FileDriver.self, ["path": "/sys/x", "writable": true], in: tree)
        #expect(number.refusal(.text("on"))?.kind == .rejected)
        #expect(number.refusal(.number(1), channel: "a")?.kind == .rejected)
        let two = try make(FileDriver.self, ["path": "/sys/*", "writable": true], in: tree)
        #expect(two.refusal(.number(1))?.kind == .ambiguous)
        let oneWord = try make(FileDriver.self, ["path": "/sys/x", "writable": true, "on": "up"], in: tree)
        #expect(oneWord.refusal(.boolean(false))?.mend == "name it with off")
        let absent = try make(FileDriver.self, ["path": "/sys/z", "writable": true], in: tree)
        #expect(absent.refusal(.number(1))?.kind == .missing)
        #expect(!exists(tree.path("/sys/z")), "nothing is made")
        let folder = try make(FileDriver.self, ["path": "/sys", "writable": true], in: tree)
        #expect(folder.refusal(.number(1)) != nil)
    }

    @Test(
        "A file that may not be written names the group, and the rule that would open it", .enabled(if: geteuid() != 0))
    func forbidden() throws {
        let tree = try FakeTree()
        try tree.write("/sys/class/leds/x/brightness", Array("1\n".utf8), mode: 0o444)
        let driver = try make(FileDriver.self, ["path": "/sys/class/leds/x/brightness", "writable": true], in: tree)
        let refusal = try #require(driver.refusal(.number(1)))
        #expect(refusal.kind == .forbidden)
        #expect(refusal.mend?.contains(#"SUBSYSTEM=="leds""#) == true)
    }

    @Test("At the end it is safe") func safe() throws {
        let tree = try FakeTree(["/sys/x": "7\n"])
        try make(FileDriver.self, ["path": "/sys/x", "writable": true], in: tree).stop()
        #expect(try tree.read("/sys/x") == "7")
        try make(FileDriver.self, ["path": "/sys/x", "writable": true, "safe": 2.5, "scale": 0.5], in: tree).stop()
        #expect(try tree.read("/sys/x") == "5")
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: FileDriver.self, ["path": "/sys/*", "all": true, "writable": true, "safe": "x"]) == [
                #"4:12: sensor[1].writable: is for one file: remove "all", or write a sensor for each"#,
                "5:8: sensor[1].safe: is a string: expected is a finite number",
            ])
        #expect(
            problems(of: FileDriver.self, ["path": "/sys/x", "safe": 0]) == [
                "3:8: sensor[1].safe: is for what may be set: write writable = true, or remove it"
            ])
    }
}

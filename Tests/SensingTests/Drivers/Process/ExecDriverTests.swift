import Glibc
import Sensing
import Settings
import TestSupport
import Testing
import Units

@Suite struct ExecDriverTests {
    let scripts: Scripts

    init() throws { scripts = try Scripts() }

    func shell(_ text: String, _ options: [String: Value.Kind] = [:]) throws -> ProgramProbe<ExecDriver> {
        try ProgramProbe(
            ExecDriver.self,
            ["command": words(["/bin/sh", "-c", text]), "timeout": "30s"].merging(options) { $1 })
    }

    @Test("A number is the whole output, or what a pattern picks")
    func numbers() throws {
        #expect(try shell("echo ' 21.5 '").read() == [Measurement(.number(21.5))])
        #expect(try shell("echo 21.5", ["unit": "°C"]).values() == ["": "21.5 °C"])
        let picked = try shell("echo a; echo \"temp=48.3'C\"", ["pattern": "temp=([0-9.]+)", "unit": "°C"])
        #expect(try picked.values() == ["": "48.3 °C"])
    }

    @Test("JSON gives a value, or a channel for each")
    func json() throws {
        let text =
            #"{"main": {"temp": 4.5, "wet": true}, "list": [1, {"name": "x"}], "+3.3V": {"in": 3.31}, "no": null}"#
        let program = "printf '%s' '\(text)'"
        #expect(
            try shell(program, ["format": "json"]).values()
                == ["main.temp": "4.5", "main.wet": "true", "list.0": "1.0", "list.1.name": "x", "+3.3V.in": "3.31"])
        #expect(try shell(program, ["format": "json", "path": "main.temp"]).read() == [Measurement(.number(4.5))])
        #expect(try shell(program, ["format": "json", "path": "/+3.3V/in"]).values() == ["": "3.31"])
        #expect(try shell(program, ["format": "json", "path": "list"]).values() == ["0": "1.0", "1.name": "x"])
        let chosen: [String: Value.Kind] = [
            "format": "json", "path": "main", "channels": nested(["temperature": "temp", "rain": "wet"]),
            "units": nested(["temperature": "°C"]),
        ]
        #expect(try shell(program, chosen).values() == ["temperature": "4.5 °C", "rain": "true"])
        let absent = try shell(
            program, ["format": "json", "channels": nested(["a": "list.0", "b": "list.7", "c": "no", "d": "main"])])
        let error = try #require(absent.failure())
        #expect(error.description == "/bin/sh said nothing at list.7 (and 2 more channels fail)")
        #expect(error.measured == [Measurement(channel: "a", .number(1))])
    }

    @Test("Line protocol gives fields with their times")
    func influx() throws {
        let text = #"""
            # a comment
            weather,place=roof temperature=21.5,rain=f,count=7i 1767268800000000000
            soil,bed=\ a\,b value=40,note="a \"word\"" 1767268801500000000
            """#
        let folder = try scripts.folder.write(text, to: "points")
        let driver = try ProgramProbe(
            ExecDriver.self,
            ["command": words(["cat", folder]), "format": "influx", "units": nested(["soil. a,b": "%"])])
        let later = Timestamp(milliseconds: noon.milliseconds + 1500)
        #expect(
            try driver.read() == [
                Measurement(channel: "weather.roof.temperature", .number(21.5), time: noon),
                Measurement(channel: "weather.roof.rain", .boolean(false), time: noon),
                Measurement(channel: "weather.roof.count", .number(7), time: noon),
                Measurement(channel: "soil. a,b", .number(40), unit: "%", time: later),
                Measurement(channel: "soil. a,b.note", .text(#"a "word""#), time: later),
            ])
    }

    @Test("key=value gives a channel a line; what is wrong with one does not cost the others")
    func keyValue() throws {
        let driver = try shell(
            "echo 'a = 1'; echo; echo '# x'; echo 'b=\"2\"'; echo c; echo d=on", ["format": "key=value"])
        let error = try #require(driver.failure())
        #expect(error.description == #"/bin/sh said "c", which is no key=value"#)
        #expect(error.measured.map { "\($0.channel ?? "")=\($0.text)" } == ["a=1.0", "b=2", "d=on"])
    }

    @Test(
        "What is not of the format is told",
        arguments: [
            ("echo 12 %", "number", #"/bin/sh said "12 %", which is not a finite number"#),
            ("echo nan", "number", #"/bin/sh said "nan", which is not a finite number"#),
            ("true", "number", "/bin/sh said nothing"),
            ("true", "influx", "/bin/sh said nothing"),
            ("true", "key=value", "/bin/sh said nothing"),
            ("true", "json", #"/bin/sh said "", which is no JSON: an end at byte 1"#),
            ("echo '{}'", "json", "/bin/sh said no value"),
            ("echo null", "json", "/bin/sh said null at its top"),
            ("echo a b", "influx", #"/bin/sh said "a b", which has a field without a value"#),
        ])
    func malformed(program: String, format: String, message: String) throws {
        let error = try #require(try shell(program, ["format": .string(format)]).failure())
        #expect(error.description.hasPrefix(message), "\(error)")
    }

    @Test("A program that fails is told with its last words")
    func failures() throws {
        let failing = try shell("echo 5; echo one >&2; echo 'no bus' >&2; exit 3")
        #expect(failing.failure()?.description == #"/bin/sh ended with exit code 3: "no bus""#)
        #expect(failing.log.current == ["one", "no bus"])
        // Without the end of a line, and with what a terminal would obey.
        #expect(
            try shell(#"printf '\033[1mred' >&2; exit 1"#).failure()?.problem
                == #"ended with exit code 1: "\u{1B}[1mred""#)
        let killed = try #require(try shell("kill -SEGV $$$$").failure())
        #expect(
            killed.description
                == "/bin/sh was killed by signal 11 (SIGSEGV); it may have needed more than memory = \"256MB\"")
    }

    @Test("What cannot be run is told with the mend")
    func notRunnable() throws {
        func failure(_ command: [String], _ options: [String: Value.Kind] = [:]) throws -> String? {
            try ProgramProbe(ExecDriver.self, ["command": words(command)].merging(options) { $1 }).failure()?
                .description
        }
        #expect(try failure(["/no/such"]) == "/no/such does not exist; install it, or correct command")
        #expect(try failure(["no-such-program"])?.hasPrefix("no-such-program is in none of PATH's folders (") == true)
        let text = try scripts.folder.write("echo 1\n", to: "text")
        #expect(try failure([text])?.hasPrefix("\(text) may not be run; chmod +x it") == true)
        chmod(text, 0o755)
        #expect(try failure([text])?.hasPrefix("\(text) is no program for this machine; a script begins with") == true)
        let lost = try scripts.script("#!/no/such/interpreter\n")
        #expect(try failure([lost]) == "\(lost) names an interpreter that is not there; look at its first line, #!…")
        #expect(
            try failure(["/bin/true"], ["directory": "/no/such"])
                == "/no/such cannot be the working folder of /bin/true: No such file or directory; "
                + "correct directory = \"…\"")
        #expect(
            try failure(["/bin/true"], ["user": "nobody-of-this-name"])
                == "/etc/passwd has no user \"nobody-of-this-name\"; create it, or name another one")
    }

    @Test("A slow program is killed with all that it started, also one that ignores SIGTERM", arguments: [false, true])
    func timeout(ignores: Bool) async throws {
        let trap = ignores ? "trap '' TERM; " : ""
        let driver = try shell(
            "\(trap)sleep 100 & echo $! > \(scripts.folder.path)/pid; echo 5; wait; sleep 100", ["timeout": "2s"])
        let began = ContinuousClock.now
        let error = try #require(driver.failure())
        #expect(error.kind == .timedOut)
        #expect(
            error.description
                == "/bin/sh did not end within 1.6s, and was killed; a slow program needs a longer timeout")
        #expect(began.duration(to: .now) >= .milliseconds(1600))
        let pid = try await scripts.number("pid")
        try await eventually({ !isAlive(pid) }, "what it started is gone")
    }

    @Test("What a program leaves behind is killed, and does not hold up the reading")
    func leftBehind() async throws {
        // The child keeps both outputs open.
        let driver = try shell("sleep 100 & echo $! > \(scripts.folder.path)/pid; echo 5")
        #expect(try driver.read() == [Measurement(.number(5))])
        let pid = try await scripts.number("pid")
        try await eventually({ !isAlive(pid) }, "what it left is gone")
    }

    @Test("A program may close its outputs long before it ends")
    func closesOutputs() throws {
        #expect(try shell("echo 5; exec >&- 2>&-; sleep 0.3").read() == [Measurement(.number(5))])
    }

    @Test("A program that prints too much is killed; what it says on standard error has no end to reach")
    func muchOutput() throws {
        let driver = try shell("exec yes")
        let error = try #require(driver.failure())
        #expect(error.description == "/bin/sh printed more than 256 KiB, and was killed; let it print values only")
        let noisy = try shell("exec yes >&2", ["timeout": "1s"])
        #expect(noisy.failure()?.kind == .timedOut)
        #expect(noisy.log.current.count == 30)
        // Just what is allowed.
        #expect(try shell("head -c 262143 /dev/zero | tr '\\0' ' '; echo 5").failure()?.kind == .malformed)
        #expect(try shell("head -c 262142 /dev/zero | tr '\\0' ' '; echo 5").read() == [Measurement(.number(5))])
    }

    @Test("A program has nothing of the agent but PATH and LANG")
    func surroundings() throws {
        let report = """
            env | sort | tr '\\n' ' '; pwd; ls /proc/self/fd | tr '\\n' ' '; cat; readlink /proc/self/fd/0
            grep -E '^Sig(Blk|Ign)' /proc/self/status | tr '\\n\\t' '  '; ulimit -c; ulimit -d; ulimit -n
            """
        // One more descriptor, open for everybody.
        let open = dup(2)
        defer { close(open) }
        let file = scripts.folder.path("report")
        let driver = try ProgramProbe(
            ExecDriver.self,
            [
                "command": words(["/bin/sh", "-c", "(\(report)) > \(file) 2>&1; echo 1"]),
                "environment": nested(["A": "b c", "N": 5, "PATH": "/usr/bin:/bin"]), "directory": "/usr",
                "memory": "100MB", "open_files": 20,
            ])
        #expect(try driver.read() == [Measurement(.number(1))])
        let lines = try scripts.folder.read("report").split(separator: "\n").map(String.init)
        let lang = getenv("LANG").map { String(cString: $0) } ?? "C.UTF-8"
        try #require(lines.count == 5)
        // dash adds PWD itself. "ls" has its folder open as the fourth.
        #expect(lines[0] == "A=b c LANG=\(lang) N=5 PATH=/usr/bin:/bin PWD=/usr /usr")
        #expect(lines[1] == "0 1 2 3 /dev/null")
        let none = "0000000000000000"
        #expect(lines[2] == "SigBlk: \(none) SigIgn: \(none) 0")
        #expect(lines[3] == "97656")
        #expect(lines[4] == "20")
    }

    @Test("A program runs as another user, with its groups and no way back", .enabled(if: geteuid() == 0))
    func anotherUser() throws {
        let tree = try FakeTree([
            "/etc/passwd": "root:x:0:0::/:/bin/sh\nprobe:x:54321:54322::/:/bin/sh\n",
            "/etc/group": "a:x:54322:\nb:x:54323:other,probe\nc:x:54324:probes\n",
        ])
        let driver = try ProgramProbe(
            ExecDriver.self,
            [
                "command": words([
                    "/bin/sh", "-c",
                    #"echo uid=$(id -u); echo gid=$(id -g); echo groups=$(id -G); grep NoNew /proc/self/status | tr : ="#,
                ]),
                "user": "probe", "format": "key=value",
            ], root: tree.root)
        #expect(
            try driver.values()
                == ["uid": "54321.0", "gid": "54322.0", "groups": "54322 54323", "NoNewPrivs": "1.0"])
    }

    @Test("A program that wants more memory than it may have fails, and nobody else")
    func memory() throws {
        let driver = try ProgramProbe(
            ExecDriver.self,
            [
                "command": words(["python3", "-c", "x = bytearray(200_000_000)\nprint(len(x))"]), "memory": "64MB",
                "timeout": "30s",
            ])
        #expect(driver.failure()?.description == #"python3 ended with exit code 1: "MemoryError""#)
    }

    @Test("Hundreds of runs leave neither zombies nor descriptors")
    func nothingLeft() throws {
        let driver = try shell("echo $$$$")
        var processes: Set<Double> = []
        let before = openDescriptors()
        for _ in 1...200 { processes.formUnion(try driver.read().compactMap(\.number)) }
        #expect(processes.count == 200)
        #expect(processes.filter { exists("/proc/\(Int($0))") } == [])
        // Other tests open some at the same time.
        #expect(openDescriptors() - before < 100)
    }

    @Test(
        "Options that cannot be are refused with a mend",
        arguments: [
            (
                ["command": "vcgencmd measure_temp"] as [String: Value.Kind],
                "command: is a string: write each word by itself: [\"vcgencmd\", \"measure_temp\"]; or, if it needs a shell, [\"/bin/sh\", \"-c\", \"…\"]"
            ),
            ([:], "command: is missing: write one like [\"/usr/local/bin/program\", \"argument\"]"),
            (["command": words([])], "command: names no program"),
            (
                ["command": words(["bin/x"])],
                "command: \"bin/x\" is not absolute: begin it with /, or write a name that is looked for in PATH"
            ),
            (
                ["command": words(["x"]), "format": "jsn"],
                "format: \"jsn\" is not possible: did you mean \"json\"? (possible are number, boolean, text, json, influx, key=value)"
            ),
            (
                ["command": words(["x"]), "path": "a"],
                "path: is for format = \"json\" only: remove it, or write that format"
            ),
            (
                ["command": words(["x"]), "format": "json", "path": "a..b"],
                "path: \"a..b\" is no path: write one like \"main.temp\" or \"/main/temp\""
            ),
            (
                ["command": words(["x"]), "format": "json", "channels": nested(["a": 5])],
                "channels.a: is an integer: expected is a string"
            ),
            (["command": words(["x"]), "memory": "10kB"], "memory: 10kB is out of range: allowed is 1MB and more"),
            (
                ["command": words(["x"]), "environment": nested(["A=B": "c"])],
                "environment.A=B: is no variable's name and value"
            ),
            (["command": words(["x"]), "directory": "tmp"], "directory: \"tmp\" is not absolute: begin it with /"),
            (
                ["command": words(["x"]), "units": nested(["a": "b"])],
                "units: is for several channels: write unit = \"…\""
            ),
        ])
    func problemsOfOptions(options: [String: Value.Kind], message: String) throws {
        let place = SourcePosition(line: 1, column: 1)
        let entries = options.map { Table.Entry(key: $0.key, keyPosition: place, value: Value($0.value, at: place)) }
        let settings = SettingsReader(Table(entries), keyPath: "", position: place, problems: Problems())
        _ = ExecDriver(settings, context: DriverContext(sensor: "s"))
        settings.finish()
        #expect(settings.problems.all.map { String($0.description.dropFirst("1:1: ".count)) } == [message])
    }
}

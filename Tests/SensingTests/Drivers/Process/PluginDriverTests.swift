import Glibc
import Sensing
import Settings
import TestSupport
import Testing
import Units

@Suite struct PluginDriverTests {
    let scripts: Scripts

    init() throws { scripts = try Scripts() }

    @Test("Readings have channel, value, unit, time and quality")
    func readings() throws {
        let probe = try scripts.probe(
            """
            serve(lambda: [
                {"channel": "air", "value": 21.5, "unit": "°C", "time": 1767268800000, "more": {}},
                {"channel": "door", "value": True, "time": "2026-01-01T12:00:01.500Z"},
                {"channel": "word", "value": "süß", "quality": "stale", "reason": "asleep"},
                {"channel": "far", "value": 5, "quality": "out of range", "reason": "beyond 4 m"},
                {"channel": "far", "value": 6, "quality": "good"}])
            """)
        #expect(
            try probe.read() == [
                Measurement(channel: "air", .number(21.5), unit: "°C", time: noon),
                Measurement(
                    channel: "door", .boolean(true), time: Timestamp(milliseconds: noon.milliseconds + 1500)),
                Measurement(channel: "word", .text("süß"), quality: .stale("asleep")),
                Measurement(channel: "far", .number(6)),
            ])
        #expect(probe.log.current.first?.hasPrefix("plugin runs as process ") == true)
        probe.stop()
    }

    @Test("A channel without a value fails alone; an error leaves the plugin running")
    func failures() throws {
        let probe = try scripts.probe(
            """
            count = 0
            def read():
                global count
                count += 1
                return [{"channel": "a", "value": count}, {"channel": "b", "value": None, "reason": "no answer"}]
            for line in sys.stdin:
                question = json.loads(line)
                kind, number = question["type"], question["id"]
                if kind == "describe": say(type=kind, id=number, protocol=1)
                elif kind == "configure": say(type=kind, id=number)
                elif count == 2:
                    count += 1
                    say(type="error", id=number, kind="busy", message="not now", mend="wait", readings=[{"value": 7}])
                else: say(type="read", id=number, readings=read())
            """)
        let path = scripts.folder.path("plugin.py")
        var error = try #require(probe.failure())
        #expect(error.description == "\(path) channel \"b\" has no value: no answer")
        #expect(error.measured == [Measurement(channel: "a", .number(1))])
        #expect(probe.failure()?.measured == [Measurement(channel: "a", .number(2))])
        error = try #require(probe.failure())
        #expect(error.kind == .busy)
        #expect(error.description == "\(path) says: not now; wait")
        #expect(error.measured == [Measurement(.number(7))])
        // The same process, which goes on counting.
        #expect(probe.failure()?.measured == [Measurement(channel: "a", .number(4))])
    }

    @Test("A plugin gets its options, whatever they are made of")
    func options() throws {
        let probe = try scripts.probe(
            """
            got = None
            def configure(question):
                global got
                got = question
                return []
            serve(lambda: [{"value": json.dumps([got["sensor"], got["options"]])}], configure)
            """,
            [
                "options": nested([
                    "pin": 4, "curve": .array([Value(0.5, at: SourcePosition(line: 1, column: 1))]), "name": "a \"b\"",
                    "inner": nested(["on": true]),
                ])
            ])
        let text = try #require(try probe.values()[""])
        #expect(text == #"["s", {"pin": 4, "curve": [0.5], "name": "a \"b\"", "inner": {"on": true}}]"#)
    }

    @Test("Options that a plugin refuses are told, with the next start")
    func refusal() throws {
        let probe = try scripts.probe(
            """
            serve(configure=lambda question: [
                {"option": "pin", "message": "is missing", "mend": "write pin = 4"}, "and more\\n"])
            """)
        let error = try #require(probe.failure())
        #expect(error.kind == .rejected)
        #expect(
            error.problem == "refuses its options: pin is missing: write pin = 4; and more\\n", "\(error)")
        #expect(error.mend == "it is started again in 1s")
        // Told again in the same words until then, and without waiting.
        let again = try #require(probe.failure())
        #expect(again == error)
    }

    @Test("Another version of the protocol is refused")
    func version() throws {
        let probe = try scripts.probe(
            """
            for line in sys.stdin: say(type="describe", id=json.loads(line)["id"], protocol=2)
            """, timeout: "2s")
        #expect(probe.failure()?.kind == .timedOut)
        #expect(probe.log.current.first?.hasSuffix("is of version 2 of the protocol, and the agent of 1") == true)
    }

    // MARK: Events

    @Test("Events come by themselves, also those that come while an answer is awaited")
    func events() throws {
        let probe = try scripts.probe(
            """
            def read():
                say(type="event", readings=[{"channel": "edge", "value": True}, {"channel": "edge", "value": False}])
                return [{"channel": "level", "value": 3}]
            print('{"type":"event","value":1}', flush=True)
            serve(read)
            """)
        #expect(try probe.receive { !$0.isEmpty } == [Measurement(.number(1))])
        #expect(try probe.read() == [Measurement(channel: "level", .number(3))])
        #expect(
            try probe.receive { !$0.isEmpty } == [
                Measurement(channel: "edge", .boolean(true)), Measurement(channel: "edge", .boolean(false)),
            ])
        // And then there is silence.
        var poll = pollfd(fd: try probe.open(), events: Int16(POLLIN), revents: 0)
        #expect(Glibc.poll(&poll, 1, 0) == 0)
    }

    @Test("A plugin that cannot be read is not asked; one that nothing can be set at says so")
    func abilities() throws {
        let probe = try scripts.probe("serve(lambda: sys.exit(3), reads=False)")
        #expect(try probe.read() == [])
        #expect(throws: SensorError.self) { try probe.set(.number(1), "x") }
        #expect(try probe.read() == [])
    }

    // MARK: Setting

    @Test("A value is set, refused, and made safe at the end")
    func setting() async throws {
        let probe = try scripts.probe(
            """
            state = {}
            def set(question):
                if question.get("channel") == "bad":
                    say(type="error", id=question["id"], kind="rejected", message="there is no bad")
                    return
                state[question.get("channel")] = question["value"]
                note("state", json.dumps(state))
                say(type="set", id=question["id"], channel=question.get("channel"), value=question["value"])
            serve(set=set, sets=True)
            note("ended", 1)
            """, ["safe": nested(["valve": false, "speed": 0])])
        #expect(try probe.set(.boolean(true), "valve") == [Measurement(channel: "valve", .boolean(true))])
        #expect(try probe.set(.text("x")) == [Measurement(.text("x"))])
        do throws(SensorError) {
            _ = try probe.set(.number(1), "bad")
            Issue.record("it was set")
        } catch {
            #expect(error.kind == .rejected)
            #expect(error.problem == "says: there is no bad")
        }
        #expect(try scripts.folder.read("state") == #"{"valve": true, "null": "x"}"#)
        probe.stop()
        #expect(try scripts.folder.read("state") == #"{"valve": false, "null": "x", "speed": 0}"#)
        // It was told by the end of its input, and had the time to end by itself.
        #expect(try await scripts.number("ended") == 1)
    }

    // MARK: Bad plugins

    @Test("One that hangs at its start is killed, and started again later")
    func hangsAtStart() async throws {
        let probe = try scripts.probe(
            """
            note("pid", os.getpid())
            print("thinking …", file=sys.stderr, flush=True)
            time.sleep(100)
            """, timeout: "2s")
        let error = try #require(probe.failure())
        #expect(error.kind == .timedOut)
        #expect(error.problem == #"did not answer "describe" in time; it said "thinking …""#)
        #expect(error.mend == "a slow plugin needs a longer timeout; it is started again in 1s")
        #expect(try await !isAlive(scripts.number("pid")))
        #expect(probe.failure()?.isSameTrouble(as: error) == true)
    }

    @Test("One that hangs at a read is killed, and goes on after a new start")
    func hangsAtRead() async throws {
        let probe = try scripts.probe(
            """
            def read():
                if os.path.exists(os.path.join(here, "pid")): return [{"value": 2}]
                note("pid", os.getpid())
                time.sleep(100)
            serve(read)
            """, timeout: "3s")
        #expect(probe.failure()?.kind == .timedOut)
        #expect(try await !isAlive(scripts.number("pid")))
        #expect(try await probe.readAfterRestart() == [Measurement(.number(2))])
    }

    @Test("One that ignores SIGTERM and its input is killed in time", arguments: ["stop", "deinit"])
    func ignoresTermination(how: String) async throws {
        var probe: ProgramProbe<PluginDriver>? = try scripts.probe(
            """
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            note("pid", os.getpid())
            serve()
            while True: time.sleep(100)
            """)
        _ = try probe?.read()
        let pid = try await scripts.number("pid")
        #expect(isAlive(pid))
        let began = ContinuousClock.now
        if how == "stop" { probe?.stop() }
        probe = nil
        #expect(began.duration(to: .now) < .seconds(4))
        #expect(!isAlive(pid))
    }

    @Test("One that dies at once is told with its exit code and last words")
    func diesAtOnce() throws {
        let probe = try scripts.probe("sys.exit('no such bus')")
        let error = try #require(probe.failure())
        #expect(error.kind == .unavailable)
        #expect(error.problem == #"ended with exit code 1; it said "no such bus""#)
        let path = scripts.folder.path("plugin.py")
        #expect(error.place == path)
        #expect(throws: error) { try probe.open() }
    }

    @Test("One that dies now and then is started again, and its last readings are not lost")
    func diesNowAndThen() async throws {
        let probe = try scripts.probe(
            """
            count = 0
            def read():
                global count
                count += 1
                if count == 3:
                    say(type="event", value="farewell")
                    os._exit(7)
                return [{"value": count}]
            serve(read)
            """)
        for number in [1.0, 2] { #expect(try probe.read() == [Measurement(.number(number))]) }
        let error = try #require(probe.failure())
        #expect(error.problem == "ended with exit code 7")
        #expect(error.measured == [Measurement(.text("farewell"))])
        #expect(try await probe.readAfterRestart() == [Measurement(.number(1))])
        #expect(try probe.read() == [Measurement(.number(2))])
    }

    @Test("An end between the reads is noticed by who listens")
    func endIsAnEvent() throws {
        let probe = try scripts.probe(
            """
            import threading
            def end():
                os._exit(0)
            def configure(question):
                threading.Timer(0.2, end).start()
                return []
            serve(configure=configure)
            """)
        do throws(SensorError) {
            _ = try probe.receive { _ in false }
            Issue.record("its end was not told")
        } catch {
            #expect(error.problem == "ended with exit code 0")
        }
    }

    @Test("What its children keep open does not hide its end, and they end with it")
    func grandchildren() async throws {
        let probe = try scripts.probe(
            """
            import subprocess, threading
            child = subprocess.Popen(["sleep", "100"])
            note("child", child.pid)
            def end():
                os._exit(4)
            def configure(question):
                threading.Timer(0.2, end).start()
                return []
            serve(configure=configure)
            """)
        do throws(SensorError) {
            _ = try probe.receive { _ in false }
            Issue.record("its end was not told")
        } catch {
            #expect(error.problem == "ended with exit code 4")
        }
        let child = try await scripts.number("child")
        try await eventually({ !isAlive(child) }, "its child is gone")
    }

    @Test("One that closes its output is ended")
    func closesOutput() async throws {
        let probe = try scripts.probe(
            """
            note("pid", os.getpid())
            def read():
                os.close(1)
                time.sleep(100)
            serve(read)
            """)
        #expect(probe.failure()?.problem == "closed its standard output")
        #expect(try await !isAlive(scripts.number("pid")))
    }

    @Test("One that closes its input gives an error, and sends nobody a SIGPIPE")
    func closesInput() async throws {
        let probe = try scripts.probe(
            """
            for line in sys.stdin:
                question = json.loads(line)
                say(type=question["type"], id=question["id"], protocol=1)
                if question["type"] == "configure": break
            os.close(0)
            note("closed", 1)
            time.sleep(100)
            """, timeout: "5s")
        _ = try probe.open()
        _ = try await scripts.number("closed")
        // Whatever this thread does with the signal, it must not come.
        var signals = sigset_t()
        sigpending(&signals)
        let error = try #require(probe.failure())
        #expect(error.problem == "reads no questions any more", "\(error)")
        sigpending(&signals)
        #expect(sigismember(&signals, SIGPIPE) == 0)
    }

    @Test("One that floods for ever loses messages, is ended, and started again later")
    func floods() async throws {
        let probe = try scripts.probe(
            """
            note("pid", os.getpid())
            serve(lambda: os.execvp("yes", ["yes", "x" * 60000]))
            """)
        let error = try #require(probe.failure())
        #expect(error.kind == .lost)
        #expect(error.problem == "floods the agent with messages")
        #expect(try await !isAlive(scripts.number("pid")))
    }

    @Test("What is beyond a second's share is dropped and counted, and the plugin goes on")
    func losesMessages() throws {
        let probe = try scripts.probe(
            """
            isFirst = True
            def read():
                global isFirst
                if isFirst:
                    isFirst = False
                    for index in range(3000): print('{"type":"event","value":%d}' % index)
                    sys.stdout.flush()
                    # Into the next second, in which there is room for the answer.
                    time.sleep(1.5)
                return [{"value": 5}]
            serve(read)
            """)
        #expect(try probe.read() == [Measurement(.number(5))])
        do throws(SensorError) {
            _ = try probe.receive { !$0.isEmpty }
            Issue.record("nothing was lost")
        } catch {
            #expect(error.kind == .lost)
            // The answers of the start belong to that second too, if it was quick.
            #expect((990...1000).contains(error.measured.count))
            #expect(error.problem == "said too much: \(3000 - error.measured.count) messages were dropped")
        }
        #expect(try probe.read() == [Measurement(.number(5))])
    }

    @Test("Garbage goes to the log, and does not disturb what is between it")
    func garbage() throws {
        let probe = try scripts.probe(
            """
            def read():
                sys.stdout.write("hello\\n\\n\\r\\n[1,2]\\n{}\\n{\\"type\\":\\"read\\"}\\n{\\"type\\":\\"dance\\",\\"id\\":3}\\n")
                sys.stdout.flush()
                sys.stdout.buffer.write(b"\\xff\\xfe\\x00\\x1b[2J\\n")
                return [{"value": 1}]
            serve(read)
            """)
        #expect(try probe.read() == [Measurement(.number(1))])
        #expect(
            Array(probe.log.current.dropFirst()) == [
                #""hello" is no JSON: no digit at byte 1"#, #""[1,2]" is an array and no object"#,
                #""{}" has no type"#, #""{"type":"read"}" has no whole number as its id"#,
                #""{"type":"dance","id":3}" has an unknown type"#,
                #""\#u{FFFD}\#u{FFFD}\0\u{1B}[2J" is no JSON: no digit at byte 1"#,
            ])
    }

    @Test("Lines that come in pieces are lines; half a line at the end is none")
    func halfLines() throws {
        let probe = try scripts.probe(
            """
            def read():
                for piece in ['{"type":"eve', 'nt","value"', ':"ö'.encode()[:-1].decode(errors="ignore") + 'x', '"}\\n{"type":']:
                    sys.stdout.write(piece)
                    sys.stdout.flush()
                    time.sleep(0.05)
                sys.stdout.write('"event","value":2}\\n')
                say(type="event", value="last")
                sys.stdout.write('{"type":"event","val')
                sys.stdout.flush()
                os._exit(0)
            serve(read)
            """)
        let error = try #require(probe.failure())
        #expect(error.problem == "ended with exit code 0")
        #expect(error.measured.map(\.text) == ["x", "2.0", "last"])
    }

    @Test("An answer to a question that nobody asked is none")
    func wrongIdentifier() throws {
        let probe = try scripts.probe(
            """
            real_say = say
            def say(**message):
                if message["type"] == "read": message["id"] += 1
                real_say(**message)
            serve()
            """, timeout: "2s")
        #expect(probe.failure()?.kind == .timedOut)
        #expect(probe.log.current.last == "answers a question that nobody asked (id 4)")
    }

    @Test("An answer of another type is an error, and the plugin goes on")
    func wrongType() throws {
        let probe = try scripts.probe(
            """
            count = 0
            def read():
                global count
                count += 1
                if count == 1: say(type="set", id=3, value=5)
                return [{"value": count}]
            serve(read)
            """)
        #expect(probe.failure()?.problem == "answers read with a message of another type")
        #expect(try probe.read() == [Measurement(.number(2))])
    }

    @Test("A line that is too long is dropped and counted")
    func longLine() throws {
        let probe = try scripts.probe(
            """
            def read():
                say(type="event", value="x" * 70000)
                say(type="event", value="y" * 16000)
                return [{"value": 1}]
            serve(read)
            """)
        #expect(try probe.read() == [Measurement(.number(1))])
        do throws(SensorError) {
            _ = try probe.receive { !$0.isEmpty }
            Issue.record("nothing was lost")
        } catch {
            #expect(error.problem == "said too much: 1 messages were dropped")
            #expect(error.measured.map { $0.text.count } == [16000])
        }
    }

    @Test("One that eats memory is stopped by its limit, and goes on after a new start")
    func leaks() async throws {
        let probe = try scripts.probe(
            """
            hoard = []
            count = 0
            def read():
                global count
                count += 1
                while count == 2: hoard.append(bytearray(1_000_000))
                return [{"value": count}]
            serve(read)
            """, ["memory": "64MB"])
        #expect(try probe.read() == [Measurement(.number(1))])
        let error = try #require(probe.failure())
        #expect(error.problem == #"ended with exit code 1; it said "MemoryError""#)
        #expect(try await probe.readAfterRestart() == [Measurement(.number(1))])
    }

    @Test("Its words on standard error go to the log, bounded, and never fill up a pipe")
    func standardError() throws {
        let probe = try scripts.probe(
            """
            def read():
                for index in range(5000): print("warning %d \\x1b[31m" % index, file=sys.stderr)
                return [{"value": 1}]
            serve(read)
            """)
        #expect(try probe.read() == [Measurement(.number(1))])
        #expect(probe.log.current.count == 30)
        #expect(probe.log.current[1] == "warning 0 \\u{1B}[31m")
    }

    @Test("One that is not there is told, and looked for again")
    func notThere() async throws {
        let path = scripts.folder.path("late")
        let probe = try ProgramProbe(PluginDriver.self, ["command": words([path]), "timeout": "30s"])
        let error = try #require(probe.failure())
        #expect(
            error.description == "\(path) does not exist; install it, or correct command; it is started again in 1s")
        _ = try scripts.script(Scripts.prologue + "serve()\n", name: "late")
        #expect(try await probe.readAfterRestart() == [Measurement(.number(1))])
    }

    @Test("Bad plugins of all kinds do not disturb a good one beside them")
    func goodBesideBad() async throws {
        func sensor(_ name: String, _ body: String) throws -> ConfiguredSensor {
            let path = try scripts.plugin(body, name: "\(name).py")
            let probe = try ProgramProbe(PluginDriver.self, ["command": words([path]), "timeout": "3s"])
            return ConfiguredSensor(
                name: name, every: .milliseconds(50), timeout: .seconds(3), driver: probe.driver)
        }
        let runner = SensorRunner([
            try sensor("hangs", "time.sleep(100)"),
            try sensor("dies", "sys.exit(1)"),
            try sensor("floods", "os.execvp('yes', ['yes'])"),
            try sensor("stubborn", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nserve(lambda: time.sleep(100))"),
            try sensor("good", "serve(lambda: [{'value': os.getpid()}])"),
        ])
        let good = Shared<[Reading]>([])
        let failed = Shared<Set<String>>([])
        let (enough, continuation) = AsyncStream.makeStream(of: Void.self)
        let run = Task {
            await runner.run { event in
                switch event {
                case .readings(let readings): good.change { $0 += readings }
                case .failed(let sensor, _, _, _): _ = failed.change { $0.insert(sensor) }
                case .channelsFailed, .recovered: break
                }
                if good.current.count >= 60, failed.current.count >= 4 { continuation.finish() }
            }
        }
        for await _ in enough {}
        run.cancel()
        await run.value
        #expect(failed.current == ["hangs", "dies", "floods", "stubborn"])
        #expect(good.current.allSatisfy { $0.sensor == "good" })
        // One and the same process from the beginning to the end.
        #expect(Set(good.current.map(\.value)).count == 1)
    }

    @Test("A runner listens to a plugin, also after its end and a new start")
    func listening() async throws {
        let path = try scripts.plugin(
            """
            import threading
            def speak():
                for number in range(3):
                    say(type="event", value=number)
                    time.sleep(0.02)
                os._exit(1)
            def configure(question):
                threading.Timer(0.1, speak).start()
                return []
            serve(configure=configure, reads=False)
            """)
        let probe = try ProgramProbe(PluginDriver.self, ["command": words([path]), "timeout": "30s"])
        let runner = SensorRunner([
            ConfiguredSensor(name: "s", every: nil, timeout: .seconds(30), driver: probe.driver)
        ])
        let events = await SensorRunnerTests.events(of: runner) {
            SensorRunnerTests.readings($0, of: "s").count >= 6
        }
        #expect(
            SensorRunnerTests.readings(events, of: "s").prefix(6).map(\.value)
                == [0, 1, 2, 0, 1, 2].map { .number($0) })
        let failures = events.compactMap { event -> String? in
            if case .failed(_, let error, _, _) = event { error.problem } else { nil }
        }
        #expect(failures.first == "ended with exit code 1")
    }
}

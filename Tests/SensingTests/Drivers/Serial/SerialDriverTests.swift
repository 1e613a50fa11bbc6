import Glibc
import Settings
import TestSupport
import Testing
import Units

@testable import Sensing

/// A driver at a device that can be unplugged: the name in its tree is a link.
private final class Bench {
    let tree: FakeTree
    var driver: SerialDriver

    /// - Parameter line: what is plugged in.
    init(_ options: Options, at line: PseudoTerminal?) throws {
        tree = try FakeTree()
        if let line { try tree.link("/dev/ttyUSB0", to: line.path) }
        let settings = reader(options)
        let made = SerialDriver(settings, context: DriverContext(sensor: "s", root: tree.root))
        settings.finish()
        #expect(settings.problems.all == [])
        driver = try #require(made)
    }

    @discardableResult
    func open() throws(SensorError) -> Int32 { try driver.open(at: noon) }
    func read(at time: Timestamp = noon) throws(SensorError) -> [Measurement] { try driver.read(at: time) }

    /// Takes what comes until there is something in it: a terminal may hand it over in pieces.
    func receive(at time: Timestamp = noon) throws(SensorError) -> [Measurement] {
        while try awaitInput() {
            let measured = try driver.receive(at: time)
            if !measured.isEmpty { return measured }
        }
        Issue.record("nothing has come")
        return []
    }

    /// Whether something comes.
    @discardableResult
    func awaitInput() throws(SensorError) -> Bool {
        var request = pollfd(fd: try driver.open(at: noon), events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 10_000) == 1
    }

    func failure(_ body: () throws(SensorError) -> Void) -> SensorError? {
        do throws(SensorError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    /// The message without the tree's root.
    func text(_ body: () throws(SensorError) -> Void) -> String? { failure(body)?.text(in: tree) }
}

/// One at a time: they wait on threads that others need too.
@Suite(.serialized) struct SerialDriverTests {
    static let device: Options = ["device": "/dev/ttyUSB0"]

    @Test("A device that speaks is heard line by line, with the time of each") func listening() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(
            [
                "device": "/dev/ttyUSB0", "pattern": "^([A-Z]+),([-+ 0-9.]+)(kg|g)?",
                "channel": [
                    table(["name": "state", "kind": "text"]), table(["name": "weight", "unit": "kg"]),
                    table(["name": "unit", "kind": "text"]),
                ],
            ], at: line)
        #expect(bench.driver.listens)
        try bench.open()
        line.send("ST,+ 12.5kg\r\nUS,-3\r\nST,1")
        #expect(
            try bench.receive() == [
                Measurement(channel: "state", .text("ST"), time: noon),
                Measurement(channel: "weight", .number(12.5), unit: "kg", time: noon),
                Measurement(channel: "unit", .text("kg"), time: noon),
                Measurement(channel: "state", .text("US"), time: noon),
                Measurement(channel: "weight", .number(-3), unit: "kg", time: noon),
            ])
        line.send(".75g\r\n")
        let later = noon + .seconds(1)
        #expect(try bench.receive(at: later).map(\.text) == ["ST", "1.75 kg", "g"])
        // A read repeats the last line, with its time.
        #expect(try bench.read(at: noon + .seconds(5)).map(\.time) == [later, later, later])
    }

    @Test("What is under way when the device is opened is no line") func midLine() async throws {
        let line = try PseudoTerminal()
        let bench = try Bench(Self.device, at: line)
        // Says nothing but nines until the device is open.
        let state = Shared((isOpen: false, isDone: false))
        _ = WorkerThread.start {
            while !state.current.isOpen {
                line.send("9")
                usleep(10_000)
            }
            state.change { $0.isDone = true }
        }
        try bench.open()
        state.change { $0.isOpen = true }
        try await SensingTests.eventually({ state.current.isDone }, "the end of the nines")
        line.send(".5\n21.5\n")
        #expect(try bench.receive().map(\.text) == ["21.5"])
    }

    @Test("A read waits for the first line, and says so if none comes") func silence() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(["device": "/dev/ttyUSB0", "answer_within": "30ms"], at: line)
        #expect(
            bench.text { () throws(SensorError) in _ = try bench.read() }
                == "/dev/ttyUSB0 has said nothing within 30ms; does it speak by itself? If not, give it a request; check wiring and speed (9600 8N1)"
        )
        line.send("5\n")
        #expect(try bench.read().map(\.text) == ["5.0"])
    }

    @Test("What is repeated for too long is stale") func stale() async throws {
        let line = try PseudoTerminal()
        let bench = try Bench(["device": "/dev/ttyUSB0", "stale_after": "50ms"], at: line)
        try bench.open()
        line.send("7\n")
        #expect(try bench.receive().map(\.quality) == [.good])
        try await Task.sleep(for: .milliseconds(60))
        let stale = try bench.read()
        #expect(stale.map(\.value) == [.number(7)])
        #expect(stale.first?.quality.reason?.hasPrefix("the device has said nothing for ") ?? false)
        line.send("8\n")
        #expect(try bench.receive().map(\.quality) == [.good])
    }

    @Test("Lines that a read takes along are received later, in their order") func pending() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(Self.device, at: line)
        try bench.open()
        line.send("1\n")
        _ = try bench.receive()
        line.send("2\n3\n4\n")
        try bench.awaitInput()
        #expect(try bench.read().map(\.text) == ["4.0"])
        line.send("5\n")
        #expect(try bench.receive().map(\.text) == ["2.0", "3.0", "5.0"])
    }

    @Test("A device that is asked answers in time, or does not") func asking() throws {
        let device = try AnsweringDevice { question in
            // Its echo, and the answer in pieces.
            question.suffix(3) == Array("W\r\n".utf8)
                ? [Array("W\r\n+".utf8), Array("12".utf8), Array(".5\r\n".utf8)] : []
        }
        let bench = try Bench(
            ["device": "/dev/ttyUSB0", "request": "W\r\n", "pattern": "^[+-][0-9.]+", "unit": "kg"], at: device.line)
        #expect(!bench.driver.listens)
        // What came before the question is no answer to it.
        for _ in 0..<3 {
            try bench.open()
            device.line.send("+99.9\r\n")
            try bench.awaitInput()
            #expect(try bench.read().map(\.text) == ["12.5 kg"])
        }
        // A terminal that nobody has opened yet echoes.
        #expect(device.questions.filter { $0.suffix(3) == Array("W\r\n".utf8) }.count == 3)

        let deaf = try Bench(
            ["device": "/dev/ttyUSB0", "request": "?", "answer_within": "30ms"], at: device.line)
        // The device is in the other sensor's hands, as /proc tells.
        try deaf.tree.link("/proc", to: "/proc")
        #expect(
            deaf.text { () throws(SensorError) in _ = try deaf.read() }?
                .hasPrefix("/dev/ttyUSB0 is in use by another sensor of this agent; a serial line can have one reader")
                ?? false)
        bench.driver.stop(at: noon)
        let silent = deaf.failure { () throws(SensorError) in _ = try deaf.read() }
        #expect(silent?.kind == .unavailable)
        #expect(silent?.problem == "did not answer within 30ms")
    }

    @Test("An answer that is not to be understood is shown") func wrongAnswer() throws {
        let device = try AnsweringDevice { _ in [Array("ERR 5\n".utf8)] }
        let bench = try Bench(
            ["device": "/dev/ttyUSB0", "request": "?", "pattern": "^[0-9.]+$", "answer_within": "1s"],
            at: device.line)
        #expect(
            bench.text { () throws(SensorError) in _ = try bench.read() }
                == #"/dev/ttyUSB0 said "ERR 5", which the pattern does not match; check pattern and speed; unmatched = "ignore" lets other lines pass"#
        )
    }

    @Test("Wrong lines are errors, and the right ones between them count") func garbage() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(["device": "/dev/ttyUSB0", "pattern": "^T=([^ ]*)$"], at: line)
        try bench.open()
        line.send("T=1\ngarbage\nT=2\nT=x\nT=3\n")
        let error = try #require(bench.failure { () throws(SensorError) in _ = try bench.receive() })
        #expect(error.kind == .malformed)
        #expect(error.problem == #"said "garbage", which the pattern does not match (and 1 more lines are wrong)"#)
        #expect(error.measured.map(\.text) == ["1.0", "2.0", "3.0"])

        line.send("\0T=1\n")
        #expect(bench.failure { () throws(SensorError) in _ = try bench.receive() }?.measured == [])
        line.send(String(repeating: "x", count: 3000) + "\nT=4\n")
        // The terminal hands the flood over in pieces.
        var problems: [String] = []
        var measured: [Measurement] = []
        while measured.isEmpty {
            do throws(SensorError) { measured = try bench.receive() } catch {
                problems.append(error.problem)
                measured = error.measured
            }
        }
        #expect(problems == ["sent more than 1024 bytes without an end of line"])
        #expect(measured.map(\.text) == ["4.0"])
    }

    @Test("Lines that are not meant can be let pass") func ignored() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(
            [
                "device": "/dev/ttyUSB0", "pattern": "^\\$GPGGA,[^,]*,([0-9.]+),N", "unmatched": "ignore",
                "checksum": "nmea",
            ], at: line)
        try bench.open()
        line.send("$GPGSA,A,3*26\r\n$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n")
        // The first sentence's checksum is wrong, the second's is the one of the standard's example.
        let error = try #require(bench.failure { () throws(SensorError) in _ = try bench.receive() })
        #expect(error.problem == #"said "$GPGSA,A,3*26", whose checksum is wrong"#)
        #expect(error.measured.map(\.text) == ["4807.038"])
        line.send("$GPTXT*4F\r\n$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,*47\r\n")
        #expect(try bench.receive().map(\.text) == ["4807.038"])
    }

    @Test("A device that is unplugged is missed, and found again") func hotPlug() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(["device": "/dev/ttyUSB0", "answer_within": "1s"], at: nil)
        try bench.tree.makeFolder("/dev")
        #expect(
            bench.text { () throws(SensorError) in _ = try bench.open() }
                == "/dev/ttyUSB0 does not exist (no ttyUSB0 in /dev); is it plugged in? /dev/serial/by-id names what is"
        )
        try bench.tree.link("/dev/ttyUSB0", to: line.path)
        try bench.open()
        line.send("1\n")
        #expect(try bench.receive().map(\.text) == ["1.0"])

        line.hangUp()
        let gone = try #require(bench.failure { () throws(SensorError) in _ = try bench.receive() })
        #expect(gone.kind == .missing)
        #expect(gone.problem.hasPrefix("has lost its device"))
        bench.tree.delete("/dev/ttyUSB0")
        #expect(bench.failure { () throws(SensorError) in _ = try bench.read() }?.kind == .missing)

        let other = try PseudoTerminal()
        try bench.tree.link("/dev/ttyUSB0", to: other.path)
        try bench.open()
        other.send("2\n")
        #expect(try bench.receive().map(\.text) == ["2.0"])
        other.hangUp()
        #expect(bench.failure { () throws(SensorError) in _ = try bench.read() }?.kind == .missing)
    }

    @Test("The line is set as the options say", arguments: [1200, 9600, 12_345, 250_000]) func settings(baud: Int64)
        throws
    {
        let line = try PseudoTerminal()
        let bench = try Bench(
            [
                "device": "/dev/ttyUSB0", "baud": .integer(baud), "data_bits": 7, "parity": "even", "stop_bits": 2,
                "flow": "rts-cts",
            ], at: line)
        let file = try bench.open()
        var state = termios()
        #expect(tcgetattr(file, &state) == 0)
        #expect(state.c_lflag == 0 && state.c_oflag == 0)
        #expect(state.c_cflag & UInt32(CLOCAL) != 0 && state.c_cflag & UInt32(HUPCL) == 0)
        // A terminal of the kernel's has neither seven bits nor parity, but speeds, stop bits and flow control.
        #expect(state.c_cflag & UInt32(CSTOPB) != 0)
        #expect(state.c_cflag & UInt32(CRTSCTS) != 0)
        #expect(SerialPort.speed(file) == Int(baud))
    }

    @Test("What is no serial device is refused") func noDevice() throws {
        let tree = try FakeTree(["/dev/ttyUSB0": ""])
        let driver = try make(SerialDriver.self, Self.device, in: tree)
        #expect(
            driver.failure()?.text(in: tree) == "/dev/ttyUSB0 is no serial device; name one such as /dev/ttyUSB0")
    }

    @Test("An adapter that cannot switch the direction of RS-485 is refused") func rs485() throws {
        let line = try PseudoTerminal()
        let bench = try Bench(["device": "/dev/ttyUSB0", "rs485": true], at: line)
        let error = try #require(bench.failure { () throws(SensorError) in _ = try bench.open() })
        #expect(error.kind == .rejected)
        #expect(error.problem.hasPrefix("does not switch the direction of RS-485"))
    }

    @Test("Wrong options are told with their mend") func options() {
        #expect(problems(of: SerialDriver.self, [:]) == ["1:1: sensor[1].device: is missing"])
        #expect(
            problems(of: SerialDriver.self, ["device": "ttyUSB0", "baud": 10, "parity": "mark", "stop_bits": 3]) == [
                #"2:10: sensor[1].device: "ttyUSB0" is not absolute: write it as in "/dev/ttyUSB0""#,
                "3:8: sensor[1].baud: 10 is out of range: allowed is 50 to 4000000",
                #"4:10: sensor[1].parity: "mark" is not possible: possible are none, even, odd"#,
                "5:13: sensor[1].stop_bits: 3 is out of range: allowed is 1 to 2",
            ])
        #expect(
            problems(of: SerialDriver.self, ["device": "/dev/ttyS0", "pattern": "(a)(b)", "terminator": ""]) == [
                #"3:11: sensor[1].pattern: has 2 groups, and one channel: name them: channel = [{ name = "weight", unit = "kg" }, …], one for each group"#,
                "4:14: sensor[1].terminator: has 0 characters: give it 1 to 8",
            ])
        #expect(
            problems(
                of: SerialDriver.self,
                ["device": "/dev/ttyS0", "pattern": "(a)", "channel": [table(["name": "a"]), table(["name": "a"])]]
            ).count == 2)
        #expect(
            problems(of: SerialDriver.self, ["device": "/dev/ttyS0", "kind": "text", "scale": 2, "request": ""])
                .count == 2)
        #expect(problems(of: SerialDriver.self, ["device": "/dev/ttyS0", "pattern": "("]).count == 1)
    }
}

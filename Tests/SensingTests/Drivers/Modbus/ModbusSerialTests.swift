import Glibc
import Settings
import Testing
import Units

@testable import Sensing

/// A driver whose device is a link in a tree, so that it can be plugged in elsewhere.
final class ModbusBench {
    let tree: FakeTree
    var driver: ModbusDriver

    init(_ options: Options, device: String? = nil, sensor: String = "s") throws {
        tree = try FakeTree()
        if let device { try tree.link("/dev/ttyUSB0", to: device) }
        let settings = reader(options)
        let made = ModbusDriver(settings, context: DriverContext(sensor: sensor, root: tree.root))
        settings.finish()
        #expect(settings.problems.all == [])
        driver = try #require(made)
    }

    func read() throws(SensorError) -> [Measurement] { try driver.read(at: noon) }
    func set(_ value: Reading.Value, _ channel: String? = nil) throws(SensorError) -> [Measurement] {
        try driver.set(value, channel: channel, at: noon)
    }

    func failure(_ body: () throws(SensorError) -> Void) -> SensorError? {
        do throws(SensorError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    func failure() -> SensorError? { failure { () throws(SensorError) in _ = try read() } }
}

/// Devices with a memory, at the end of a line.
struct ModbusModel: Sendable {
    /// Holding registers by unit.
    var registers: [UInt8: [UInt16: UInt16]]

    /// The right answer to a frame; nil from a unit that is not there.
    func answer(_ frame: [UInt8]) -> [UInt8]? {
        guard frame.count == 8, ModbusRTU.checksum(frame) == 0, let memory = registers[frame[0]] else { return nil }
        let (address, count) = (UInt16(bigEndian: frame, at: 2), UInt16(bigEndian: frame, at: 4))
        guard frame[1] == 3 else { return ModbusRTU.frame(unit: frame[0], [frame[1] | 0x80, 1]) }
        let words = (0..<count).map { memory[address &+ $0] }
        guard !words.contains(nil) else { return ModbusRTU.frame(unit: frame[0], [0x83, 2]) }
        return ModbusRTU.frame(
            unit: frame[0], [3, UInt8(count * 2)] + words.flatMap { [UInt8(($0 ?? 0) >> 8), UInt8(($0 ?? 0) & 0xFF)] })
    }
}

@Suite(.serialized) struct ModbusSerialTests {
    static let model = ModbusModel(registers: [17: [0: 2301, 1: 0xFFFF, 2: 0xFFF6, 10: 5], 18: [0: 7]])

    /// A sensor with one register of unit 17.
    static func simple(retries: Int64 = 1, answerWithin: String = "500ms") -> Options {
        [
            "device": "/dev/ttyUSB0", "baud": 115_200, "unit_id": 17, "table": "holding", "address": 0, "scale": 0.1,
            "unit": "V", "retries": .integer(retries), "answer_within": .string(answerWithin), "timeout": "1m",
        ]
    }

    @Test("Channels are read with one request for neighbours") func channels() throws {
        let device = try AnsweringDevice { question in Self.model.answer(question).map { [$0] } ?? [] }
        let bench = try ModbusBench(
            [
                "device": "/dev/ttyUSB0", "baud": 115_200, "unit_id": 17, "table": "holding",
                "channel": [
                    table(["name": "voltage", "address": 0, "scale": 0.1, "unit": "V"]),
                    table(["name": "power", "address": 1, "type": "int32", "unit": "W"]),
                    table(["name": "state", "address": 10, "type": "bool", "bit": 2]),
                ],
            ], device: device.line.path)
        #expect(
            try bench.read() == [
                Measurement(channel: "voltage", .number(230.1), unit: "V"),
                Measurement(channel: "power", .number(-10), unit: "W"),
                Measurement(channel: "state", .boolean(true)),
            ])
        #expect(device.questions.count == 2)
        #expect(device.questions.first?.prefix(6) == [17, 3, 0, 0, 0, 3])
    }

    @Test(
        "A bad answer is asked for again, and told if it stays bad",
        arguments: [
            (
                "silence", [], .unavailable, "did not answer within 500ms",
                "check unit_id, speed and parity (115200 8N1), the wires A and B and the termination"
            ),
            ("a wrong checksum", [17, 3, 2, 8, 0xFD, 0, 0], .malformed, "gave an answer with a wrong checksum", nil),
            ("a part", [17, 3, 2, 8], .malformed, "gave only a part of an answer within 500ms", nil),
            (
                "another unit", ModbusRTU.frame(unit: 16, [3, 2, 0, 1]), .malformed,
                "said something that is no answer", nil
            ),
            ("noise", [0, 0xFF, 0], .malformed, "said something that is no answer", nil),
        ] as [(String, [UInt8], SensorError.Kind, String, String?)])
    func badAnswers(
        what: String, answer: [UInt8], kind: SensorError.Kind, problem: String, mend: String?
    ) throws {
        let isBad = Shared(2)
        let device = try AnsweringDevice { question in
            let isBad = isBad.change { left in
                left -= 1
                return left >= 0
            }
            return isBad ? (answer.isEmpty ? [] : [answer]) : [Self.model.answer(question) ?? []]
        }
        let bench = try ModbusBench(Self.simple(), device: device.line.path)
        let error = try #require(bench.failure())
        #expect(error.kind == kind && error.problem == problem, "\(error)")
        #expect(error.place.hasSuffix("/dev/ttyUSB0 unit 17"))
        if let mend { #expect(error.mend == mend) }
        #expect(device.questions.count == 2)

        // Once bad, then good.
        isBad.change { $0 = 1 }
        #expect(try bench.read().map(\.text) == ["230.1 V"])
    }

    @Test("An answer in pieces, behind an echo and another unit's, is found") func noise() throws {
        let device = try AnsweringDevice { question in
            let right = Self.model.answer(question) ?? []
            return [[0], question, ModbusRTU.frame(unit: 16, [3, 2, 0, 1])] + right.map { [$0] }
        }
        let bench = try ModbusBench(Self.simple(), device: device.line.path)
        for _ in 0..<5 { #expect(try bench.read().map(\.value) == [.number(230.1)]) }
        #expect(device.questions.count == 5)
    }

    @Test("If a device refuses a request for several, each is asked for, and only the wrong one fails") func refusal()
        throws
    {
        let device = try AnsweringDevice { question in Self.model.answer(question).map { [$0] } ?? [] }
        let bench = try ModbusBench(
            [
                "device": "/dev/ttyUSB0", "baud": 115_200, "unit_id": 17, "table": "holding",
                "channel": [
                    table(["name": "a", "address": 2]), table(["name": "b", "address": 3]),
                    table(["name": "c", "address": 1]),
                ],
            ], device: device.line.path)
        let error = try #require(bench.failure())
        #expect(error.problem == "refuses holding 3: exception 2, illegal data address")
        #expect(error.measured.map(\.channel) == ["a", "c"])
        #expect(device.questions.count == 4)
        _ = bench.failure()
        #expect(device.questions.count == 7)
    }

    @Test("A device that does not answer is not asked for the rest") func abort() throws {
        let device = try AnsweringDevice { _ in [] }
        let bench = try ModbusBench(
            [
                "device": "/dev/ttyUSB0", "unit_id": 17, "table": "holding", "answer_within": "20ms", "retries": 0,
                "baud": 115_200,
                "channel": [table(["name": "a", "address": 2]), table(["name": "b", "address": 30])],
            ], device: device.line.path)
        #expect(bench.failure()?.problem == "did not answer within 20ms")
        #expect(device.questions.count == 1)
    }

    @Test("A line that is unplugged is missed, and found again elsewhere") func hotPlug() throws {
        var device: AnsweringDevice? = try AnsweringDevice { Self.model.answer($0).map { [$0] } ?? [] }
        let bench = try ModbusBench(Self.simple(), device: device?.line.path)
        #expect(try bench.read().count == 1)
        device?.line.hangUp()
        device = nil
        bench.tree.delete("/dev/ttyUSB0")
        #expect(bench.failure()?.kind == .missing)

        let other = try AnsweringDevice { Self.model.answer($0).map { [$0] } ?? [] }
        try bench.tree.link("/dev/ttyUSB0", to: other.line.path)
        #expect(try bench.read().count == 1)
    }

    @Test("Sensors share a line: one asks at a time, and each gets its own answers") func sharing() async throws {
        let overlaps = Shared(0)
        let device = try AnsweringDevice { question in
            if question.count != 8 { overlaps.change { $0 += 1 } }
            usleep(2000)
            return Self.model.answer(question).map { [$0] } ?? []
        }
        let path = device.line.path
        let results = await withTaskGroup(of: [Reading.Value].self) { group in
            for (unit, sensor) in [(17, "a"), (18, "b"), (17, "c")] as [(Int64, String)] {
                group.addTask {
                    await OwnThreads.run {
                        guard
                            let bench = try? ModbusBench(
                                [
                                    "device": "/dev/ttyUSB0", "baud": 115_200, "unit_id": .integer(unit),
                                    "table": "holding", "address": 0, "retries": 0, "answer_within": "10s",
                                    "timeout": "11s",
                                ], device: path, sensor: sensor)
                        else { return [] }
                        return (0..<10).flatMap { _ in ((try? bench.read()) ?? []).map(\.value) }
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(overlaps.current == 0)
        let expected = [7.0, 2301, 2301].map { [Reading.Value](repeating: .number($0), count: 10) }
        #expect(results.sorted { "\($0)" > "\($1)" } == expected.sorted { "\($0)" > "\($1)" })
        #expect(device.questions.count == 30)
    }

    @Test("A sensor with other settings has its own way") func settings() throws {
        let device = try AnsweringDevice { Self.model.answer($0).map { [$0] } ?? [] }
        let fast = try ModbusBench(Self.simple(), device: device.line.path)
        let slow = try ModbusBench(
            [
                "device": "/dev/ttyUSB0", "baud": 9600, "unit_id": 18, "table": "holding", "address": 0,
            ], device: device.line.path)
        for _ in 0..<2 {
            #expect(try fast.read().map(\.value) == [.number(230.1)])
            #expect(try slow.read().map(\.value) == [.number(7)])
        }
    }

    @Test("A program that is just being started, and holds a copy of the line, is in nobody's way") func copies() throws
    {
        let device = try AnsweringDevice { Self.model.answer($0).map { [$0] } ?? [] }
        let path = device.line.path
        let fast = try ModbusBench(Self.simple(), device: path)
        let slow = try ModbusBench(
            ["device": "/dev/ttyUSB0", "baud": 9600, "unit_id": 18, "table": "holding", "address": 0], device: path)
        _ = try fast.read()
        let copies = (0..<256 as Range<Int32>).filter { number in
            var target = [CChar](repeating: 0, count: 256)
            let count = readlink("/proc/self/fd/\(number)", &target, target.count - 1)
            return count > 0
                && String(decoding: target.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self) == path
        }.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
        defer { for copy in copies { close(copy) } }
        #expect(!copies.isEmpty)
        #expect(try slow.read().map(\.value) == [.number(7)])
    }

    @Test("Between two frames there is silence") func silence() throws {
        let device = try AnsweringDevice { Self.model.answer($0).map { [$0] } ?? [] }
        let bench = try ModbusBench(
            [
                "device": "/dev/ttyUSB0", "baud": 1200, "unit_id": 17, "table": "holding",
                "channel": [table(["name": "a", "address": 0]), table(["name": "b", "address": 10])],
            ], device: device.line.path)
        let start = ContinuousClock.now
        #expect(try bench.read().count == 2)
        // Twice 3.5 characters of 10 bits at 1200 baud.
        #expect(start.duration(to: .now) >= .milliseconds(2 * 29))
    }

    @Test("Values are set, confirmed, and made safe") func setting() throws {
        // Confirms whatever it is told.
        let device = try AnsweringDevice { [ModbusRTU.frame(unit: $0[0], Array($0[1..<6]))] }
        let bench = try ModbusBench(
            [
                "device": "/dev/ttyUSB0", "baud": 115_200, "table": "holding",
                "channel": [
                    table(["name": "pump", "table": "coil", "address": 3, "writable": true, "safe": false]),
                    table(["name": "level", "address": 4, "scale": 0.1, "writable": true, "safe": 5, "unit": "%"]),
                    table(["name": "limit", "address": 6, "type": "float32", "writable": true]),
                    table(["name": "fixed", "address": 8]),
                ],
            ], device: device.line.path)
        #expect(try bench.set(.boolean(true), "pump") == [Measurement(channel: "pump", .boolean(true))])
        #expect(try bench.set(.number(1), "pump") == [Measurement(channel: "pump", .boolean(true))])
        #expect(try bench.set(.number(12.34), "level").map(\.text) == ["12.3 %"])
        #expect(try bench.set(.number(1.5), "limit").map(\.text) == ["1.5"])
        #expect(
            device.questions.map { Array($0.dropLast(2)) } == [
                [1, 5, 0, 3, 0xFF, 0], [1, 5, 0, 3, 0xFF, 0], [1, 6, 0, 4, 0, 123],
                [1, 16, 0, 6, 0, 2, 4, 0x3F, 0xC0, 0, 0],
            ])

        for (value, channel) in [
            (.number(2), "pump"), (.text("on"), "pump"), (.number(7000), "level"), (.number(-1), "level"),
            (.boolean(true), "level"), (.number(1), "fixed"), (.number(1), "nothing"), (.number(1), nil),
        ] as [(Reading.Value, String?)] {
            let error = bench.failure { () throws(SensorError) in _ = try bench.set(value, channel) }
            #expect(error?.kind == .rejected)
        }
        #expect(device.questions.count == 4)

        bench.driver.stop(at: noon)
        #expect(device.questions.suffix(2).map { Array($0.prefix(6)) } == [[1, 5, 0, 3, 0, 0], [1, 6, 0, 4, 0, 50]])
    }
}

import Glibc
import Settings
import TestSupport
import Testing

@testable import Sensing

/// Against pymodbus, which others wrote.
@Suite(.serialized) struct ModbusSimulatorTests {
    /// Registers and bits of the units 1 and 17.
    private static let script = """
        import sys
        from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
        from pymodbus.server import StartSerialServer, StartTcpServer
        from pymodbus.transaction import ModbusRtuFramer

        def unit(first):
            registers = [first, 0xFFF6, 0x47F1, 0x2000, 0x2000, 0x47F1, 0, 1, 0, 0, 0x4142, 0x4300, 0x8004]
            bits = [n % 3 == 0 for n in range(40)]
            block = lambda values: ModbusSequentialDataBlock(0, list(values))
            return ModbusSlaveContext(
                di=block(bits), co=block(bits), hr=block(registers), ir=block(registers), zero_mode=True)

        context = ModbusServerContext(slaves={1: unit(1), 17: unit(17)}, single=False)
        if sys.argv[1] == "tcp":
            StartTcpServer(context=context, address=("127.0.0.1", int(sys.argv[2])))
        else:
            StartSerialServer(
                context=context, framer=ModbusRtuFramer, port=sys.argv[2], baudrate=19200, timeout=0.005)
        """

    /// What a unit's memory looks like through a sensor's channels.
    private static let channels: Value.Kind = [
        table(["name": "first", "table": "holding", "address": 0]),
        table(["name": "negative", "table": "holding", "address": 1, "type": "int16", "scale": 0.1, "unit": "°C"]),
        table(["name": "float", "table": "input", "address": 2, "type": "float32"]),
        table(["name": "swapped", "table": "input", "address": 4, "type": "float32", "word_order": "little"]),
        table(["name": "long", "table": "holding", "address": 6, "type": "uint64"]),
        table(["name": "text", "table": "holding", "address": 10, "type": "text", "length": 2]),
        table(["name": "bit", "table": "holding", "address": 12, "type": "bool", "bit": 15]),
        table(["name": "coil", "table": "coil", "address": 33, "writable": true]),
        table(["name": "switch", "table": "discrete", "address": 34]),
        table(["name": "set", "table": "holding", "address": 9, "writable": true]),
    ]

    private static func expected(first: Int) -> [String] {
        [
            "\(first).0", "-1.0 °C", "123456.0", "123456.0", "4294967296.0", "ABC", "true", "true", "false", "0.0",
        ]
    }

    private func check(_ bench: ModbusBench, first: Int) async throws {
        // The simulator needs a second to start.
        try await TestSupport.eventually("the first answer") {
            bench.failure()?.kind != .unavailable
        }
        for _ in 0..<5 { #expect(try bench.read().map(\.text) == Self.expected(first: first)) }

        #expect(try bench.set(.boolean(false), "coil").map(\.text) == ["false"])
        #expect(try bench.set(.number(4711), "set").map(\.text) == ["4711.0"])
        let changed = try bench.read().map(\.text)
        #expect(changed[7] == "false" && changed[9] == "4711.0")
    }

    @Test("Over TCP", arguments: [1, 17] as [Int64]) func tcp(unit: Int64) async throws {
        let port = try freePort()
        let simulator = try await Program.start("/usr/bin/python3", ["-c", Self.script, "tcp", "\(port)"])
        let options: Options = [
            "host": "localhost", "port": .integer(Int64(port)), "unit_id": .integer(unit), "channel": Self.channels,
        ]
        try await check(try ModbusBench(options), first: Int(unit))

        let beyond = try ModbusBench([
            "host": "127.0.0.1", "port": .integer(Int64(port)), "unit_id": .integer(unit), "table": "holding",
            "address": 200,
        ])
        #expect(beyond.failure()?.problem == "refuses holding 200: exception 2, illegal data address")
        await simulator.kill()
        #expect(beyond.failure()?.kind == .unavailable)
    }

    @Test("Over a serial line", arguments: [1, 17] as [Int64]) func serial(unit: Int64) async throws {
        let (ours, theirs) = (try PseudoTerminal(), try PseudoTerminal())
        let cable = Cable(ours, theirs)
        let simulator = try await Program.start("/usr/bin/python3", ["-c", Self.script, "serial", theirs.path])
        let options: Options = [
            "device": "/dev/ttyUSB0", "baud": 19200, "unit_id": .integer(unit), "answer_within": "2s",
            "channel": Self.channels,
        ]
        try await check(try ModbusBench(options, device: ours.path), first: Int(unit))
        withExtendedLifetime(cable) {}
        await simulator.kill()
    }
}

/// Connects the ends of two lines.
private final class Cable: Sendable {
    private let isDone = Shared(false)

    init(_ one: PseudoTerminal, _ other: PseudoTerminal) {
        for (from, to) in [(one, other), (other, one)] {
            _ = WorkerThread.start { [isDone] in
                while !isDone.current {
                    if let bytes = from.receive(within: 20) { to.send(bytes) }
                }
            }
        }
    }

    deinit { isDone.change { $0 = true } }
}

import Settings
import Testing

@testable import Sensing

@Suite struct ModbusOptionsTests {
    private func problems(_ options: Options) -> [String] { SensingTests.problems(of: ModbusDriver.self, options) }

    @Test("A device or a host is needed, and only one") func endpoint() {
        #expect(
            problems(["table": "coil", "address": 0]) == [
                #"1:1: sensor[1].device: is missing: write device = "/dev/ttyUSB0", or host = "10.0.0.5""#
            ])
        #expect(
            problems(["device": "/dev/ttyS0", "host": "x", "table": "coil", "address": 0]) == [
                #"3:8: sensor[1].host: stands beside "device": keep one of them"#
            ])
        #expect(
            problems(["device": "ttyS0", "table": "coil", "address": 0, "unit_id": 0, "port": 502]) == [
                #"2:10: sensor[1].device: "ttyS0" is not absolute: write it as in "/dev/ttyUSB0""#,
                "5:11: sensor[1].unit_id: 0 is out of range: allowed is 1 to 247",
                "6:1: sensor[1].port: unknown key: known here are also answer_within, baud, bit, byte_order, channel, data_bits, first_address, flow, gap, host, length, offset, parity, retries, rs485, safe, scale, stop_bits, timeout, type, unit, word_order, writable",
            ])
        #expect(problems(["host": "", "table": "coil", "address": 0, "baud": 9600]).count == 2)
    }

    @Test(
        "Numbers of manuals are refused with the address that they mean",
        arguments: [
            ("holding", 40001, "write 0; if 40001 is really the address, add first_address = 0"),
            ("holding", 49999, "write 9998; if 49999 is really the address, add first_address = 0"),
            ("holding", 400_001, "write 0"), ("holding", 465_536, "write 65535"),
            ("input", 30013, "write 12; if 30013 is really the address, add first_address = 0"),
            ("discrete", 10001, "write 0; if 10001 is really the address, add first_address = 0"),
        ] as [(String, Int64, String)])
    func manuals(table: String, number: Int64, mend: String) {
        #expect(
            problems(["host": "x", "table": .string(table), "address": .integer(number)]) == [
                "4:11: sensor[1].address: \(number) is the manuals' way to number \(table) registers: \(mend)"
            ])
    }

    @Test("Addresses count from 0, or from what the manual says") func addresses() throws {
        func address(_ options: Options) -> UInt16 {
            let settings = reader(options)
            let channel = ModbusChannel(settings, name: nil, ModbusChannel.Defaults(settings))
            #expect(settings.problems.all == [])
            return channel.address
        }
        #expect(address(["table": "holding", "address": 0]) == 0)
        #expect(address(["table": "holding", "address": 65535]) == 65535)
        // SunSpec's registers really begin there.
        #expect(address(["table": "holding", "address": 40001, "first_address": 0]) == 40001)
        #expect(address(["table": "holding", "address": 40001, "first_address": 1]) == 40000)
        #expect(address(["table": "input", "address": 1, "first_address": 1]) == 0)
        #expect(address(["table": "input", "address": 40001]) == 40001)
        #expect(address(["table": "coil", "address": 10001]) == 10001)
        #expect(problems(["host": "x", "table": "input", "address": 0, "first_address": 1]).count == 1)
        #expect(problems(["host": "x", "table": "coil", "address": 65536]).count == 1)
        for address in [-1, .min, .max, 0x10000] as [Int64] {
            #expect(
                problems(["host": "x", "table": "input", "address": .integer(address)]) == [
                    "4:11: sensor[1].address: \(address) is out of range: allowed is 0 to 65535"
                ])
        }
        #expect(
            problems(["host": "x", "table": "coil"]) == [
                "1:1: sensor[1].address: is missing: the number in the protocol, which begins with 0; or say first_address = 1"
            ])
    }

    @Test("A read that waits for longer than it may take is a problem") func timeout() {
        for (answer, retries, timeout, count) in [
            ("2400ms", 1, "5s", 0), ("2500ms", 1, "5s", 1), ("2500ms", 0, "5s", 0), ("2500ms", 1, "6s", 0),
            ("1s", 1, "2s", 1), ("1s", 0, "2s", 0), ("30s", 5, "300s", 0),
        ] as [(String, Int64, String, Int)] {
            let found = problems([
                "host": "x", "table": "coil", "address": 0, "answer_within": .string(answer),
                "retries": .integer(retries), "timeout": .string(timeout),
            ])
            #expect(found.count == count, "\(answer) \(retries) \(timeout): \(found)")
        }
    }

    @Test("Wrong channels are told with their mend") func channels() {
        #expect(
            problems([
                "host": "x", "channel": [table(["name": "a", "address": 0]), table(["name": "a", "table": "coils"])],
            ]) == [
                "1:1: sensor[1].channel[1].table: is missing: possible are coil, discrete, holding, input",
                #"1:1: sensor[1].channel[2].table: "coils" is not possible: did you mean "coil"? (possible are coil, discrete, holding, input)"#,
                "1:1: sensor[1].channel[2].address: is missing: the number in the protocol, which begins with 0; or say first_address = 1",
                "3:11: sensor[1].channel: has the same name twice",
            ])
        for (options, count) in [
            (["host": "x", "table": "coil", "address": 0, "type": "int16"], 1),
            (["host": "x", "table": "coil", "address": 0, "type": "bool"], 0),
            (["host": "x", "table": "coil", "address": 0, "scale": 2], 1),
            (["host": "x", "table": "input", "address": 0, "type": "bool"], 1),
            (["host": "x", "table": "input", "address": 0, "type": "bool", "bit": 15], 0),
            (["host": "x", "table": "input", "address": 0, "bit": 1], 1),
            (["host": "x", "table": "input", "address": 0, "type": "text"], 1),
            (["host": "x", "table": "input", "address": 0, "type": "text", "length": 8], 0),
            (["host": "x", "table": "input", "address": 0, "length": 8], 1),
            (["host": "x", "table": "input", "address": 0, "writable": true], 1),
            (["host": "x", "table": "holding", "address": 0, "writable": true, "safe": 70000], 1),
            (["host": "x", "table": "holding", "address": 0, "writable": true, "safe": 7], 0),
            (["host": "x", "table": "holding", "address": 0, "safe": 7], 1),
            (["host": "x", "table": "coil", "address": 0, "writable": true, "safe": 7], 1),
            (["host": "x", "table": "coil", "address": 0, "writable": true, "safe": false], 0),
            (["host": "x", "table": "holding", "address": 0, "type": "text", "length": 2, "writable": true], 1),
            (["host": "x", "table": "holding", "address": 0, "scale": 0], 1),
            (["host": "x", "table": "input", "address": 65535, "type": "int32"], 1),
            (["host": "x", "table": "input", "address": 65534, "type": "int32"], 0),
        ] as [(Options, Int)] {
            #expect(problems(options).count == count, "\(options)")
        }
    }
}

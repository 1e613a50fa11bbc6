import Settings
import TestSupport
import Testing

@testable import Sensing

@Suite struct ModbusPlanTests {
    private static func channel(_ table: ModbusTable, _ address: Int64, _ type: String? = nil) -> ModbusChannel {
        let options: Options =
            type.map {
                [
                    "table": .string(table.rawValue), "address": .integer(address), "first_address": 0,
                    "type": .string($0),
                ]
            }
            ?? ["table": .string(table.rawValue), "address": .integer(address), "first_address": 0]
        let settings = reader(options)
        return ModbusChannel(settings, name: "\(address)", ModbusChannel.Defaults(settings))
    }

    private static func steps(_ channels: [ModbusChannel], gap: Int = 0) -> [String] {
        ModbusPlan(channels, gap: gap).steps.map {
            "\($0.table.rawValue) \($0.address)+\($0.count) \($0.channels.map(String.init).joined(separator: ","))"
        }
    }

    @Test("Neighbours share a request, others do not") func neighbours() {
        let channels = [
            Self.channel(.input, 4, "float32"), Self.channel(.holding, 0), Self.channel(.input, 0, "uint64"),
            Self.channel(.input, 8), Self.channel(.coil, 3), Self.channel(.coil, 4), Self.channel(.input, 5),
        ]
        #expect(Self.steps(channels) == ["coil 3+2 4,5", "holding 0+1 1", "input 0+6 2,0,6", "input 8+1 3"])
        #expect(Self.steps(channels, gap: 2) == ["coil 3+2 4,5", "holding 0+1 1", "input 0+9 2,0,6,3"])
    }

    @Test("A request asks for no more than there may be in one") func limits() {
        let registers = (0..<130).map { Self.channel(.holding, $0) }
        #expect(ModbusPlan(registers, gap: 0).steps.map(\.count) == [125, 5])
        let bits = stride(from: 0, through: 2100, by: 100).map { Self.channel(.discrete, Int64($0)) }
        #expect(ModbusPlan(bits, gap: 100).steps.allSatisfy { $0.count <= 2000 })
        #expect(Self.steps([Self.channel(.input, 65535), Self.channel(.input, 65534)]) == ["input 65534+2 1,0"])
    }

    @Test("Every channel gets its own part of what came", arguments: [1, 2, 3] as [UInt64])
    func parts(seed: UInt64) throws {
        var random = TestSupport.SplitMix64(seed: seed)
        let memory = (0..<300).map { UInt16($0 * 7 + 1) }
        let channels = (0..<60).map { _ in
            Bool.random(using: &random)
                ? Self.channel(.holding, .random(in: 0..<280, using: &random), "uint32")
                : Self.channel(.coil, .random(in: 0..<280, using: &random))
        }
        var plan = ModbusPlan(channels, gap: Int.random(in: 0...20, using: &random))
        if Bool.random(using: &random) { plan.split(plan.steps.count / 2, channels) }
        var seen: Set<Int> = []
        for step in plan.steps {
            var data = [UInt8](repeating: 0, count: step.table.holdsBits ? (step.count + 7) / 8 : step.count * 2)
            for index in 0..<step.count {
                let word = memory[step.address + index]
                if step.table.holdsBits {
                    if word % 3 == 0 { data[index / 8] |= 1 << UInt8(index % 8) }
                } else {
                    (data[index * 2], data[index * 2 + 1]) = (UInt8(word >> 8), UInt8(word & 0xFF))
                }
            }
            for index in step.channels {
                #expect(seen.insert(index).inserted)
                let address = Int(channels[index].address)
                let value = try channels[index].measurement(
                    ModbusPlan.bytes(of: channels[index], in: data, step), from: "x"
                ).value
                let expected: Reading.Value =
                    step.table.holdsBits
                    ? .boolean(memory[address] % 3 == 0)
                    : .number(Double(memory[address]) * 65536 + Double(memory[address + 1]))
                #expect(value == expected, "seed \(seed)")
            }
        }
        #expect(seen.count == channels.count)
    }
}

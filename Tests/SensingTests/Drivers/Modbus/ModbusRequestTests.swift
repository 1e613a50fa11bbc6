import Testing

@testable import Sensing

@Suite struct ModbusRequestTests {
    /// The examples of the specification's section 6.
    @Test(
        "The specification's examples are asked and answered as it says",
        arguments: [
            (
                ModbusRequest(.read(.coil, count: 19), at: 0x13), [0x01, 0x00, 0x13, 0x00, 0x13],
                [0x01, 0x03, 0xCD, 0x6B, 0x05], [0xCD, 0x6B, 0x05]
            ),
            (
                ModbusRequest(.read(.discrete, count: 22), at: 0xC4), [0x02, 0x00, 0xC4, 0x00, 0x16],
                [0x02, 0x03, 0xAC, 0xDB, 0x35], [0xAC, 0xDB, 0x35]
            ),
            (
                ModbusRequest(.read(.holding, count: 3), at: 0x6B), [0x03, 0x00, 0x6B, 0x00, 0x03],
                [0x03, 0x06, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64], [0x02, 0x2B, 0x00, 0x00, 0x00, 0x64]
            ),
            (
                ModbusRequest(.read(.input, count: 1), at: 8), [0x04, 0x00, 0x08, 0x00, 0x01],
                [0x04, 0x02, 0x00, 0x0A], [0x00, 0x0A]
            ),
            (
                ModbusRequest(.writeCoil(true), at: 0xAC), [0x05, 0x00, 0xAC, 0xFF, 0x00],
                [0x05, 0x00, 0xAC, 0xFF, 0x00], []
            ),
            (
                ModbusRequest(.writeRegisters([3]), at: 1), [0x06, 0x00, 0x01, 0x00, 0x03],
                [0x06, 0x00, 0x01, 0x00, 0x03], []
            ),
            (
                ModbusRequest(.writeRegisters([0x0A, 0x0102]), at: 1),
                [0x10, 0x00, 0x01, 0x00, 0x02, 0x04, 0x00, 0x0A, 0x01, 0x02], [0x10, 0x00, 0x01, 0x00, 0x02], []
            ),
        ] as [(ModbusRequest, [UInt8], [UInt8], [UInt8])])
    func examples(request: ModbusRequest, bytes: [UInt8], answer: [UInt8], data: [UInt8]) throws {
        #expect(request.bytes == bytes)
        #expect(request.answerLength == answer.count)
        #expect(try request.data(of: answer) == data)
    }

    @Test(
        "What is no answer to the question is not taken for one",
        arguments: [
            ([0x83, 0x02], .exception(2)), ([], .foreign("gave an empty answer")),
            ([0x04, 0x02, 0, 1], .foreign("answered function 4 instead of 3")),
            ([0x03, 0x04, 0, 1, 0, 2], .foreign("gave 6 bytes instead of 4")),
            ([0x03, 0x04, 0, 1], .foreign("announced 4 bytes instead of 2")),
            ([0x83, 0x02, 0x00], .foreign("answered function 3 instead of 3")),
        ] as [([UInt8], ModbusFailure)])
    func others(answer: [UInt8], failure: ModbusFailure) {
        let request = ModbusRequest(.read(.holding, count: 1), at: 0)
        #expect(throws: failure) { try request.data(of: answer) }
    }

    @Test("A write is confirmed by its own value only") func confirmation() {
        let request = ModbusRequest(.writeRegisters([3]), at: 1)
        #expect(throws: ModbusFailure.foreign("confirmed another value than was set")) {
            try request.data(of: [0x06, 0x00, 0x01, 0x00, 0x04])
        }
    }

    @Test("Exceptions are told by their names, with a mend", arguments: 0...255 as ClosedRange<UInt8>)
    func exceptions(code: UInt8) {
        let request = ModbusRequest(.read(.holding, count: 2), at: 40)
        let error = ModbusFailure.exception(code).error(at: "gw:502 unit 1", request, line: nil, within: "1s")
        #expect(error.description.hasPrefix("gw:502 unit 1 refuses holding 40 to 41: exception \(code), "))
        #expect(error.mend != nil)
    }
}

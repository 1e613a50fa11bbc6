import TestSupport
import Testing

@testable import Uplink

@Suite struct CBOREncoderTests {
    private func hex(_ write: (inout CBOREncoder) -> Void) -> String {
        var encoder = CBOREncoder()
        write(&encoder)
        return encoder.bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// From RFC 8949, appendix A; whole numbers are written as integers.
    @Test(
        arguments: [
            (0, "00"), (1, "01"), (23, "17"), (24, "1818"), (1000, "1903e8"), (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"), (-1, "20"), (-10, "29"), (-1000, "3903e7"),
            (1.1, "fb3ff199999999999a"), (1.5, "f93e00"), (65504.0, "19ffe0"), (3.4028234663852886e+38, "fa7f7fffff"),
            (1.0e+300, "fb7e37e43c8800759c"), (5.960464477539063e-8, "f90001"), (0.00006103515625, "f90400"),
            (-4.1, "fbc010666666666666"), (-0.0, "f98000"), (.infinity, "f97c00"), (-.infinity, "f9fc00"),
            (.nan, "f97e00"),
            (0.333251953125, "f93555"), (100_000.5, "fa47c35040"),
        ] as [(Double, String)])
    func numbersAreAsShortAsTheyCanBe(value: Double, bytes: String) {
        #expect(hex { $0.write(value) } == bytes)
    }

    @Test func textsBooleansAndContainersAreAsInTheStandard() {
        #expect(hex { $0.write("") } == "60")
        #expect(hex { $0.write("ü") } == "62c3bc")
        #expect(hex { $0.write(true) } + hex { $0.write(false) } == "f5f4")
        #expect(hex { $0.beginArray(count: 25) } == "9819")
        #expect(hex { $0.beginMap(count: 2) } == "a2")
        #expect(hex { $0.write(Int64.min) } == "3b7fffffffffffffff")
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A chip at its address, as a driver of chips talks to it: in registers, and with errors that name the place.
struct I2CDevice {
    /// "/dev/i2c-1 address 0x76".
    let place: String
    let wire: any I2CWire

    func pause(_ time: Duration) { wire.pause(time) }

    /// Writes, or reads, or both in one transaction.
    @discardableResult
    func transfer(_ bytes: [UInt8], reading count: Int = 0) throws(SensorError) -> [UInt8] {
        let answer: [UInt8]
        do {
            answer = try wire.transfer(bytes, reading: count)
        } catch {
            throw I2CPlace.error(error, at: place)
        }
        guard answer.count == count else {
            throw SensorError(.malformed, place, "gave \(answer.count) bytes instead of \(count)")
        }
        return answer
    }

    func read(_ register: UInt8, _ count: Int) throws(SensorError) -> [UInt8] {
        try transfer([register], reading: count)
    }

    func read(_ register: UInt8) throws(SensorError) -> UInt8 { try read(register, 1)[0] }

    /// Most significant byte first.
    func read16(_ register: UInt8) throws(SensorError) -> UInt16 { UInt16(bigEndian: try read(register, 2), at: 0) }

    func write(_ register: UInt8, _ bytes: UInt8...) throws(SensorError) { try transfer([register] + bytes) }

    func write16(_ register: UInt8, _ word: UInt16) throws(SensorError) {
        try write(register, UInt8(word >> 8), UInt8(word & 0xFF))
    }

    /// Asks again and again until the answer is yes.
    ///
    /// - Throws: an error when it never is.
    func wait(
        every pause: Duration, times: Int, _ what: String, until isDone: () throws(SensorError) -> Bool
    ) throws(SensorError) {
        for _ in 0..<times {
            if try isDone() { return }
            wire.pause(pause)
        }
        throw SensorError(.unavailable, place, what, mend: "it is tried again; does another program use the chip?")
    }

    func malformed(_ problem: String, mend: String? = nil) -> SensorError {
        SensorError(.malformed, place, problem, mend: mend)
    }
}

extension UInt16 {
    /// Two bytes of `bytes`, which must be there.
    init(bigEndian bytes: [UInt8], at index: Int) { self = UInt16(bytes[index]) << 8 | UInt16(bytes[index + 1]) }
    init(littleEndian bytes: [UInt8], at index: Int) { self = UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8 }
}

extension Double {
    /// With so many digits after the point: more than a sensor knows are noise.
    func rounded(toPlaces places: Int) -> Double {
        let power = (0..<places).reduce(1.0) { power, _ in power * 10 }
        let rounded = (self * power).rounded() / power
        return rounded.isFinite ? rounded : self
    }
}

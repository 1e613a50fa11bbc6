internal import Units

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An open way to Modbus devices.
protocol ModbusTransport: Sendable {
    /// Asks a unit, and waits for its answer.
    ///
    /// - Parameter time: how long the device may think.
    /// - Returns: the answer's data, as ``ModbusRequest/data(of:)`` gives them.
    mutating func ask(
        _ request: ModbusRequest, unit: UInt8, within time: Duration
    ) throws(ModbusFailure) -> [UInt8]
}

/// A serial line, which all units share: one question at a time, and silence between the frames.
struct ModbusSerialTransport: ModbusTransport {
    private let port: SerialPort
    private let characterTime: Duration
    /// 3.5 characters, and no less than 1.75 ms on fast lines (MODBUS over Serial Line V1.02, section 2.5.1.1).
    private let silence: Duration
    /// When the last frame ended.
    private var quietSince = ContinuousClock.now

    /// A frame has no pauses; what an adapter on USB or a busy kernel adds is less.
    private static let pauseInFrame = Duration.milliseconds(100)
    /// Four frames of the longest kind: more is no answer.
    private static let limit = 1024

    init(_ port: SerialPort, _ settings: SerialSettings) {
        self.port = port
        characterTime = settings.characterTime
        silence = settings.baud > 19_200 ? .microseconds(1750) : settings.characterTime * 7 / 2
    }

    mutating func ask(
        _ request: ModbusRequest, unit: UInt8, within time: Duration
    ) throws(ModbusFailure) -> [UInt8] {
        do {
            let answer = try transfer(ModbusRTU.frame(unit: unit, request.bytes), request, unit: unit, within: time)
            quietSince = .now
            return try request.data(of: answer)
        } catch {
            quietSince = .now
            throw error
        }
    }

    private func transfer(
        _ frame: [UInt8], _ request: ModbusRequest, unit: UInt8, within time: Duration
    ) throws(ModbusFailure) -> [UInt8] {
        blockThread(for: silence - quietSince.duration(to: .now))
        port.discardInput()
        // What is written waits in the kernel while it is sent.
        let wire = characterTime * (frame.count + request.answerLength + 3)
        let deadline = ContinuousClock.now + wire + time
        do { try port.write(frame, until: deadline) } catch { throw .device(error) }

        var bytes: [UInt8] = []
        var failure = ModbusFailure.silent
        while true {
            let pause = bytes.isEmpty ? deadline : min(deadline, .now + max(silence, Self.pauseInFrame))
            let piece: [UInt8]
            do { piece = try port.read(until: pause) } catch { throw .device(error) }
            if piece.isEmpty {
                // What was for us is damaged. What was not, may be followed by what is.
                if failure == .wrongChecksum || failure == .incomplete || ContinuousClock.now >= deadline {
                    throw failure
                }
                bytes = []
                continue
            }
            bytes = (bytes + piece).suffix(Self.limit)
            do {
                return try ModbusRTU.answer(in: bytes, unit: unit, to: request)
            } catch {
                failure = error
            }
        }
    }
}

/// A connection to a device, or to a gateway in front of several.
struct ModbusTCPTransport: ModbusTransport {
    private let connection: Descriptor
    private var reader = ModbusTCP.Reader()
    private var transaction: UInt16 = 0

    init(_ connection: Descriptor) { self.connection = connection }

    mutating func ask(
        _ request: ModbusRequest, unit: UInt8, within time: Duration
    ) throws(ModbusFailure) -> [UInt8] {
        let deadline = ContinuousClock.now + time
        transaction &+= 1
        let frame = ModbusTCP.Frame(transaction: transaction, unit: unit, bytes: request.bytes)
        do { try connection.write(frame.encoded, until: deadline) } catch { throw .broken(error.text) }
        while true {
            while let answer = try reader.next() {
                // A late answer to an earlier question.
                guard answer.transaction == transaction else { continue }
                guard answer.unit == unit else { throw .foreign("answered as unit \(answer.unit)") }
                return try request.data(of: answer.bytes)
            }
            let bytes: [UInt8]
            do {
                bytes = try connection.read(atMost: 1024, until: deadline)
            } catch {
                guard error.code == ETIMEDOUT else { throw .broken(error.text) }
                throw reader.isWithinFrame ? .incomplete : .silent
            }
            if bytes.isEmpty { throw .broken("closed by the other side") }
            reader.take(bytes)
        }
    }
}

/// Why a question has no answer.
enum ModbusFailure: Error, Hashable {
    /// The device says why it does not.
    case exception(UInt8)
    /// Nothing came in time.
    case silent
    /// Something came, but not whole, in time.
    case incomplete
    /// What came was damaged.
    case wrongChecksum
    /// What came answers another question, or is none; what it is.
    case foreign(String)
    /// The serial device is gone or broken.
    case device(SensorError)
    /// The connection is lost, or no longer to be understood, and has to be made anew; why.
    case broken(String)

    /// Whether the line has to be opened anew.
    var isLoss: Bool {
        switch self {
        case .device, .broken: true
        default: false
        }
    }

    /// What it means for the owner of a sensor.
    ///
    /// - Parameters:
    ///   - place: the line and the unit.
    ///   - line: how the line is set, such as "9600 8N1"; nil for a network.
    func error(at place: String, _ request: ModbusRequest, line: String?, within time: String) -> SensorError {
        let wiring =
            line.map { "unit_id, speed and parity (\($0)), the wires A and B and the termination" }
            ?? "unit_id, and what the gateway knows of the line behind it"
        switch self {
        case .exception(let code): return Self.exception(code, at: place, request)
        case .silent:
            return SensorError(.unavailable, place, "did not answer within \(time)", mend: "check \(wiring)")
        case .incomplete:
            return SensorError(
                .malformed, place, "gave only a part of an answer within \(time)",
                mend: "check \(wiring); a slow device needs a longer answer_within")
        case .wrongChecksum:
            return SensorError(
                .malformed, place, "gave an answer with a wrong checksum",
                mend: "check \(wiring); no two devices may have one unit_id")
        case .foreign(let what):
            return SensorError(
                .malformed, place, what, mend: "is there another master, or a second device of that unit_id?")
        case .device(let error): return error
        case .broken(let why):
            return SensorError(.unavailable, place, "has lost its connection (\(why))", mend: "it is made again")
        }
    }

    /// MODBUS Application Protocol Specification V1.1b3, section 7.
    private static func exception(_ code: UInt8, at place: String, _ request: ModbusRequest) -> SensorError {
        let what =
            switch request.action {
            case .read(let table, let count):
                "\(table.rawValue) \(request.address)" + (count > 1 ? " to \(Int(request.address) + count - 1)" : "")
            case .writeCoil: "coil \(request.address)"
            case .writeRegisters: "holding \(request.address)"
            }
        let (kind, name, mend): (SensorError.Kind, String, String?) =
            switch code {
            case 1:
                (.missing, "illegal function", "it does not know function \(request.function): is it another table?")
            case 2:
                (
                    .missing, "illegal data address",
                    "it has not all of these: check table, address (counted from 0, manuals often count from 1) and type"
                )
            case 3: (.rejected, "illegal data value", "it takes no such value, or gives less at once")
            case 4: (.unavailable, "server device failure", "see what the device itself shows")
            case 5: (.busy, "acknowledge: it takes longer", "it is tried again")
            case 6: (.busy, "server device busy", "it is tried again; ask it less often")
            case 8: (.unavailable, "memory parity error", "the device may be broken")
            case 10: (.unavailable, "gateway path unavailable", "check the gateway's settings, and unit_id")
            case 11:
                (
                    .unavailable, "gateway target device failed to respond",
                    "check unit_id, and the line behind the gateway"
                )
            default: (.unavailable, "unknown", "see the device's manual")
            }
        return SensorError(kind, place, "refuses \(what): exception \(code), \(name)", mend: mend)
    }
}

internal import CLinux
internal import Settings

/// How characters go over a serial line.
struct SerialSettings: Sendable, Hashable, CustomStringConvertible {
    enum Parity: String, CaseIterable { case none, even, odd }
    enum Flow: String, CaseIterable {
        case none
        case hardware = "rts-cts"
        case software = "xon-xoff"
    }

    var baud = 9600
    var dataBits = 8
    var parity = Parity.none
    var stopBits = 1
    var flow = Flow.none
    /// Whether the line's driver has to switch between sending and receiving.
    var isRS485 = false

    init() {}

    /// Reads `baud`, `data_bits`, `parity`, `stop_bits`, `flow` and `rs485`.
    init(_ settings: SettingsReader) {
        baud = settings.integer("baud", in: 50...4_000_000) ?? baud
        dataBits = settings.integer("data_bits", in: 5...8) ?? dataBits
        parity = settings.choice("parity", of: Parity.self) ?? parity
        stopBits = settings.integer("stop_bits", in: 1...2) ?? stopBits
        flow = settings.choice("flow", of: Flow.self) ?? flow
        isRS485 = settings.boolean("rs485") ?? isRS485
    }

    /// "9600 8N1".
    var description: String {
        let letter =
            switch parity {
            case .none: "N"
            case .even: "E"
            case .odd: "O"
            }
        return "\(baud) \(dataBits)\(letter)\(stopBits)"
    }

    /// How long a character takes, with the bits around it.
    var characterTime: Duration {
        let bits = Int64(1 + dataBits + (parity == .none ? 0 : 1) + stopBits)
        return .nanoseconds(bits * 1_000_000_000 / Int64(baud))
    }

    /// As the kernel wants them.
    var kernel: clinux_serial_settings {
        let parity: UInt8 =
            switch parity {
            case .none: 0
            case .even: UInt8(ascii: "E")
            case .odd: UInt8(ascii: "O")
            }
        return clinux_serial_settings(
            baud: UInt32(baud), data_bits: UInt8(dataBits), parity: parity, stop_bits: UInt8(stopBits),
            rts_cts: flow == .hardware ? 1 : 0, xon_xoff: flow == .software ? 1 : 0)
    }
}

internal import CLinux

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An address on a bus of the kernel, through `/dev/i2c-N`.
///
/// Transfers are messages of plain I²C (`I2C_RDWR`), or, where the adapter only knows SMBus, the SMBus commands that
/// look the same on the wire. Documentation/i2c/dev-interface.rst, smbus-protocol.rst.
struct LinuxI2CWire: I2CWire {
    private let bus: Descriptor
    private let address: UInt8
    private let abilities: UInt

    /// How long the adapter waits for a chip that stretches its clock, in units of 10 ms.
    private static let patience = 20

    /// Opens the bus, and asks whether the address is free.
    init(_ place: I2CPlace) throws(SensorError) {
        let file = open(place.bus, O_RDWR | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw place.unopened(errno) }
        bus = Descriptor(file)
        address = place.address

        var abilities: UInt = 0
        guard ioctl(file, UInt(I2C_FUNCS), &abilities) == 0 else { throw place.noBus }
        self.abilities = abilities
        // I2C_RDWR would talk into a kernel driver's conversation; this asks whether there is one.
        guard ioctl(file, UInt(I2C_SLAVE), Int32(address)) == 0 else {
            if errno == EBUSY { throw place.owned }
            throw I2CPlace.error(.system(errno), at: place.description)
        }
        // Some adapters have no timeout to set.
        _ = ioctl(file, UInt(I2C_TIMEOUT), Int32(Self.patience))
    }

    func pause(_ time: Duration) { blockThread(for: time) }

    func transfer(_ bytes: [UInt8], reading count: Int) throws(I2CFailure) -> [UInt8] {
        if abilities & UInt(I2C_FUNC_I2C) != 0 { return try plain(bytes, reading: count) }
        return try smbus(bytes, reading: count)
    }

    private func plain(_ bytes: [UInt8], reading count: Int) throws(I2CFailure) -> [UInt8] {
        var output = bytes
        var input = [UInt8](repeating: 0, count: count)
        let code = output.withUnsafeMutableBufferPointer { output in
            input.withUnsafeMutableBufferPointer { input in
                var messages: [i2c_msg] = []
                if !output.isEmpty || input.isEmpty {
                    messages.append(
                        i2c_msg(addr: UInt16(address), flags: 0, len: UInt16(output.count), buf: output.baseAddress))
                }
                if !input.isEmpty {
                    messages.append(
                        i2c_msg(
                            addr: UInt16(address), flags: UInt16(I2C_M_RD), len: UInt16(input.count),
                            buf: input.baseAddress))
                }
                return messages.withUnsafeMutableBufferPointer { messages in
                    var transfer = i2c_rdwr_ioctl_data(msgs: messages.baseAddress, nmsgs: UInt32(messages.count))
                    return ioctl(bus.number, UInt(I2C_RDWR), &transfer) < 0 ? errno : 0
                }
            }
        }
        guard code == 0 else { throw .system(code) }
        return input
    }

    // MARK: SMBus

    /// The first byte written is SMBus's command; what follows it, and what is read, are data.
    private func smbus(_ bytes: [UInt8], reading count: Int) throws(I2CFailure) -> [UInt8] {
        guard let command = bytes.first else {
            guard count == 1 else { throw .beyondSMBus }
            return try smbus(I2C_SMBUS_READ, 0, I2C_SMBUS_BYTE, [0])
        }
        let data = Array(bytes.dropFirst())
        if count > 0 {
            guard data.isEmpty, count <= Int(I2C_SMBUS_BLOCK_MAX) else { throw .beyondSMBus }
            let zeros = [UInt8](repeating: 0, count: count)
            switch count {
            case 1: return try smbus(I2C_SMBUS_READ, command, I2C_SMBUS_BYTE_DATA, zeros)
            case 2: return try smbus(I2C_SMBUS_READ, command, I2C_SMBUS_WORD_DATA, zeros)
            default: return try smbus(I2C_SMBUS_READ, command, I2C_SMBUS_I2C_BLOCK_DATA, zeros)
            }
        }
        switch data.count {
        case 0: _ = try smbus(I2C_SMBUS_WRITE, command, I2C_SMBUS_BYTE, [])
        case 1: _ = try smbus(I2C_SMBUS_WRITE, command, I2C_SMBUS_BYTE_DATA, data)
        case 2: _ = try smbus(I2C_SMBUS_WRITE, command, I2C_SMBUS_WORD_DATA, data)
        case ...Int(I2C_SMBUS_BLOCK_MAX):
            _ = try smbus(I2C_SMBUS_WRITE, command, I2C_SMBUS_I2C_BLOCK_DATA, data)
        default: throw .beyondSMBus
        }
        return []
    }

    /// - Parameter bytes: what is written, or as many as are to be read.
    private func smbus(
        _ direction: Int32, _ command: UInt8, _ size: Int32, _ bytes: [UInt8]
    ) throws(I2CFailure) -> [UInt8] {
        var data = i2c_smbus_data()
        let isBlock = size == I2C_SMBUS_I2C_BLOCK_DATA
        // A block has its length in front; a word has its low byte first on the wire, whatever the processor.
        let code = withUnsafeMutableBytes(of: &data) { data in
            if isBlock {
                data[0] = UInt8(bytes.count)
                for (index, byte) in bytes.enumerated() { data[index + 1] = byte }
            } else {
                for (index, byte) in bytes.enumerated() { data[index] = byte }
                if bytes.count == 2 {
                    let word = UInt16(littleEndian: bytes, at: 0)
                    data.storeBytes(of: word, as: UInt16.self)
                }
            }
            var transfer = i2c_smbus_ioctl_data(
                read_write: UInt8(direction), command: command, size: UInt32(size),
                data: data.assumingMemoryBound(to: i2c_smbus_data.self).baseAddress)
            return ioctl(bus.number, UInt(I2C_SMBUS), &transfer) < 0 ? errno : 0
        }
        guard code == 0 else { throw .system(code) }
        return withUnsafeBytes(of: data) { data in
            if bytes.count == 2, !isBlock {
                let word = data.load(as: UInt16.self)
                return [UInt8(word & 0xFF), UInt8(word >> 8)]
            }
            return Array(data[(isBlock ? 1 : 0)...].prefix(bytes.count))
        }
    }
}

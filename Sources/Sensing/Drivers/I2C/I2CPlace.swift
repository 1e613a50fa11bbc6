#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Which bus and which address, as the configuration names them, and where they are now.
struct I2CPlace {
    /// "/dev/i2c-1".
    let bus: String
    /// 1; nil for a device that is called otherwise.
    let number: Int?
    let address: UInt8
    private let context: DriverContext

    /// - Parameter bus: an adapter's number, its device or its name.
    /// - Throws: ``SensorError`` if no adapter, or more than one, has that name.
    init(bus: String, address: UInt8, context: DriverContext) throws(SensorError) {
        self.address = address
        self.context = context
        if let number = Int(bus) {
            self.number = number
            self.bus = context.path("/dev/i2c-\(number)")
        } else if bus.hasPrefix("/") {
            let path = context.path(bus)
            // It may be a link of the owner's own.
            let device = KernelFolder.linkTarget(path) ?? bus.split(separator: "/").last.map(String.init) ?? ""
            number = device.hasPrefix("i2c-") ? Int(device.dropFirst("i2c-".count)) : nil
            self.bus = path
        } else {
            let number = try Self.number(of: bus, context)
            self.number = number
            self.bus = context.path("/dev/i2c-\(number)")
        }
    }

    /// The bus by the name that the kernel has for it.
    var line: String { number.map { context.path("/dev/i2c-\($0)") } ?? bus }

    /// "/dev/i2c-1 address 0x76".
    var description: String { "\(bus) address \(Self.text(address))" }

    static func text(_ address: some BinaryInteger) -> String {
        "0x" + (address < 16 ? "0" : "") + String(address, radix: 16)
    }

    private static func number(of name: String, _ context: DriverContext) throws(SensorError) -> Int {
        let folder = context.path("/sys/bus/i2c/devices")
        let adapters = context.matches("/sys/bus/i2c/devices/i2c-*").compactMap {
            path -> (number: Int, name: String)? in
            guard let dash = path.lastIndex(of: "-"), let number = Int(path[path.index(after: dash)...]),
                let name = try? KernelFile.text("\(path)/name")
            else { return nil }
            return (number, name)
        }
        let chosen = adapters.filter { $0.name == name }
        if chosen.count == 1 { return chosen[0].number }
        let known = adapters.map { "\"\($0.name)\" (\($0.number))" }.joined(separator: ", ")
        if chosen.isEmpty {
            throw SensorError(
                .missing, folder, "has no adapter called \(KernelFile.quoted(name))",
                mend: known.isEmpty ? switchOn : "it has \(known)")
        }
        throw SensorError(
            .ambiguous, folder, "has \(chosen.count) adapters called \(KernelFile.quoted(name))",
            mend: "give its number: " + chosen.map { "\($0.number)" }.joined(separator: ", "))
    }

    private static let switchOn =
        "switch I2C on (raspi-config, or dtparam=i2c_arm=on in /boot/firmware/config.txt) and load the module i2c-dev"

    // MARK: What can go wrong

    /// The bus could not be opened.
    func unopened(_ code: Int32) -> SensorError {
        var error = SensorError.system(code, reading: bus)
        if error.kind == .missing { error.mend = Self.switchOn }
        return error.with(udevRule: #"SUBSYSTEM=="i2c-dev", KERNEL=="i2c-[0-9]*", GROUP="i2c", MODE="0660""#)
    }

    /// Not a device of the kind.
    var noBus: SensorError {
        SensorError(.malformed, bus, "is no I2C bus", mend: "name one of the devices /dev/i2c-*")
    }

    /// A driver of the kernel has taken the address.
    var owned: SensorError {
        let error = SensorError(
            .busy, description, "is in the hands of the kernel",
            mend: "i2cdetect shows it as UU; read it as the kernel's, or unload the kernel's driver")
        guard let number else { return error }
        let digits = String(address, radix: 16)
        let device = "\(number)-\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)"
        let folder = "/sys/bus/i2c/devices/\(device)"
        guard let driver = KernelFolder.linkTarget(context.path("\(folder)/driver")) else { return error }

        var mends: [String] = []
        if let iio = name(of: "\(folder)/iio:device*/name") {
            mends.append("read it as the kernel's: driver = \"iio\" with device = \"\(iio)\"")
        } else if let hwmon = name(of: "\(folder)/hwmon/hwmon*/name") {
            mends.append("read it as the kernel's: driver = \"hwmon\" with chip = \"\(hwmon)\"")
        }
        mends.append("take it away from there: echo \(device) > /sys/bus/i2c/drivers/\(driver)/unbind")
        return SensorError(
            .busy, description, "is in the hands of the kernel's driver \(driver)",
            mend: mends.joined(separator: ", or "))
    }

    private func name(of pattern: String) -> String? {
        context.matches(pattern).first.flatMap { try? KernelFile.text($0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A transfer failed. Documentation/i2c/fault-codes.rst.
    static func error(_ failure: I2CFailure, at place: String) -> SensorError {
        guard case .system(let code) = failure else {
            return SensorError(
                .rejected, place, "is on an adapter that only knows SMBus, which this chip does not",
                mend: "connect it to the board's own I2C bus")
        }
        let text = Descriptor.Failure.text(code)
        let bus = place.split(separator: " ").first.map(String.init) ?? "/dev/i2c-N"
        let number = bus.split(separator: "-").last.map(String.init) ?? "N"
        switch code {
        case ENXIO, EREMOTEIO, EIO, ENODEV:
            return SensorError(
                .unavailable, place, "does not answer (\(text))",
                mend: "check wiring, supply, pull-ups and the address: i2cdetect -y \(number) shows who answers")
        case ETIMEDOUT:
            return SensorError(
                .unavailable, place, "keeps the bus waiting (\(text))",
                mend: "check for a short circuit, missing pull-ups, or a chip that holds SCL or SDA down")
        case EAGAIN:
            return SensorError(
                .unavailable, place, "lost the bus to another master (\(text))", mend: "it is tried again")
        case EOPNOTSUPP: return Self.error(.beyondSMBus, at: place)
        case EBUSY: return SensorError(.busy, place, "is busy (\(text))", mend: "it is tried again")
        default: return SensorError(.unavailable, place, "could not be reached (\(text))")
        }
    }
}

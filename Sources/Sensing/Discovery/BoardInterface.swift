#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A place of this board where something may be connected: a GPIO chip, an I²C bus, a serial line.
///
/// What is connected there nobody can know without asking it, which might do harm; so it is no sensor yet, but what the
/// options of a driver name.
public struct BoardInterface: Sendable, Hashable {
    /// Which driver's it is: "gpio", "i2c" or "serial".
    public var driver: String
    /// How that driver's options call it: a chip's label, a bus' name, a device's path.
    public var name: String
    /// What it is at present: "gpiochip0", "/dev/i2c-1", "/dev/ttyUSB0".
    public var place: String
    /// What is there and free.
    public var free: [String]
    /// What is there and has an owner, with that one's name.
    public var used: [String]
    /// Why it cannot be used.
    public var obstacle: SensorError?

    public init(
        driver: String, name: String, place: String, free: [String] = [], used: [String] = [],
        obstacle: SensorError? = nil
    ) {
        self.driver = driver
        self.name = name
        self.place = place
        self.free = free
        self.used = used
        self.obstacle = obstacle
    }

    /// All that this board has. Asks the kernel alone, and changes nothing.
    public static func find(root: String = "/") -> [BoardInterface] {
        let context = DriverContext(sensor: "", root: root)
        return gpioChips(context) + i2cBuses(context) + serialLines(context)
    }

    private static func gpioChips(_ context: DriverContext) -> [BoardInterface] {
        GPIOListing.chips(in: context).map { result in
            switch result {
            case .success(let listing):
                let chip = listing.chip
                let lines = listing.lines.map { line in (line, line.name ?? "\(line.offset)") }
                return BoardInterface(
                    driver: GPIODriver.name, name: chip.label.isEmpty ? chip.name : chip.label, place: chip.path,
                    free: lines.filter { !$0.0.isUsed }.map(\.1),
                    used: lines.filter(\.0.isUsed).map { line, name in
                        name + " (\(line.consumer ?? "another function of its pin"))"
                    })
            case .failure(let error):
                return BoardInterface(
                    driver: GPIODriver.name, name: error.place, place: error.place, obstacle: error)
            }
        }
    }

    private static func i2cBuses(_ context: DriverContext) -> [BoardInterface] {
        let folder = "/sys/bus/i2c/devices"
        let names = (try? KernelFolder.names(in: context.path(folder))) ?? []
        return names.compactMap { entry -> (number: Int, name: String)? in
            guard entry.hasPrefix("i2c-"), let number = Int(entry.dropFirst(4)) else { return nil }
            return (number, (try? KernelFile.text(context.path("\(folder)/\(entry)/name"))) ?? entry)
        }.sorted { $0.number < $1.number }.map { bus in
            let device = "/dev/i2c-\(bus.number)"
            // "1-0076" is the device at address 0x76 of bus 1.
            let used = names.filter { $0.hasPrefix("\(bus.number)-") }.map { entry in
                let name = (try? KernelFile.text(context.path("\(folder)/\(entry)/name"))) ?? "?"
                return "0x\(entry.suffix(2)) (\(name))"
            }
            return BoardInterface(
                driver: I2CDriver.name, name: bus.name, place: device, used: used,
                obstacle: obstacle(at: context.path(device)))
        }
    }

    private static func serialLines(_ context: DriverContext) -> [BoardInterface] {
        // Those that never change come first.
        var names: [String: String] = [:]
        for path in context.matches("/dev/serial/by-id/*") {
            guard let device = KernelFolder.linkTarget(path) else { continue }
            names[device] = String(path.dropFirst(context.path("").count))
        }
        let entries = (try? KernelFolder.names(in: context.path("/sys/class/tty"))) ?? []
        return entries.compactMap { entry in
            let device = "/dev/\(entry)"
            // Consoles and pseudo terminals have no device behind them, and a port that is not there has no type.
            guard access(context.path("/sys/class/tty/\(entry)/device"), F_OK) == 0,
                (try? KernelFile.text(context.path("/sys/class/tty/\(entry)/type"))) != "0"
            else { return nil }
            return BoardInterface(
                driver: SerialDriver.name, name: names[entry] ?? device, place: device,
                obstacle: obstacle(at: context.path(device)))
        }
    }

    private static func obstacle(at device: String) -> SensorError? {
        if access(device, R_OK | W_OK) == 0 { return nil }
        return .system(errno, reading: device)
    }
}

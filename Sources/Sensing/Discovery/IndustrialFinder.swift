internal import Settings

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Channels of the industrial I/O subsystem (ADCs, distances, climates), as the `file` driver reads them.
///
/// A value is `(raw + offset) * scale`, or the kernel has done that already (`_input`); offset and scale are read now and
/// become part of the options, in units of ours. Documentation/ABI/testing/sysfs-bus-iio.
struct IndustrialFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        context.matches("/sys/bus/iio/devices/iio:device*").flatMap { folder -> [SensorCandidate] in
            let names = Set((try? KernelFolder.names(in: folder)) ?? [])
            let device = (try? KernelFile.text("\(folder)/name")) ?? "iio"
            return names.sorted().compactMap { attribute in
                guard let channel = Channel(attribute: attribute, among: names, in: folder) else { return nil }
                let path = Self.lastingPath(of: folder, attribute, in: context)
                return SensorCandidate(
                    name: "\(device)-\(channel.name)", driver: FileDriver.name, options: channel.options(path: path),
                    summary: "\(channel.name) of \(device)")
            }
        }
    }

    /// The number of `iio:device0` changes from start to start; the device that it belongs to stays where it is.
    private static func lastingPath(of folder: String, _ attribute: String, in context: DriverContext) -> String {
        let prefix = context.path("")
        let present = String(folder.dropFirst(prefix.count)) + "/" + attribute
        guard let root = resolved(prefix + "/"), let real = resolved(folder),
            real.hasPrefix(root == "/" ? "/" : root + "/"),
            let slash = real.lastIndex(of: "/")
        else { return present }
        let parent = real[..<slash].dropFirst(root == "/" ? 0 : root.count)
        let path = "\(parent)/iio:device*/\(attribute)"
        return !parent.hasWildcard && parent.hasPrefix("/sys/devices/") && context.matches(path).count == 1
            ? path : present
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    /// One channel of a device.
    private struct Channel {
        /// "voltage0", "temp", "accel_x".
        let name: String
        private let quantity: Quantity
        private let scale: Double
        private let offset: Double

        /// - Returns: nil if the attribute is not a channel's value, or repeats another one.
        init?(attribute: String, among names: Set<String>, in folder: String) {
            guard attribute.hasPrefix("in_"), let underscore = attribute.lastIndex(of: "_") else { return nil }
            let base = String(attribute[..<underscore])
            let kind = attribute[underscore...]
            name = String(base.dropFirst("in_".count))
            quantity = Quantity(channel: name)
            switch kind {
            case "_input":
                (scale, offset) = (1, 0)
            case "_raw" where !names.contains("\(base)_input"):
                func number(_ kind: String) -> Double? {
                    Self.sharedNames(of: base).lazy.map { "\($0)_\(kind)" }.first(where: names.contains)
                        .flatMap { try? KernelFile.number("\(folder)/\($0)") }
                }
                (scale, offset) = (number("scale") ?? 1, number("offset") ?? 0)
            default: return nil
            }
        }

        /// What a channel's scale and offset may be called: its own, all channels' of its kind, all channels'.
        private static func sharedNames(of base: String) -> [String] {
            let withoutNumbers = String(base.filter { !$0.isNumber })
            let modifier = withoutNumbers.dropFirst("in_".count).firstIndex(of: "_")
            let kind = modifier.map { String(withoutNumbers[..<$0]) } ?? withoutNumbers
            return [base, withoutNumbers, kind, "in"]
        }

        func options(path: String) -> [SensorCandidate.Option] {
            var options = [SensorCandidate.Option("path", .string(path))]
            let factor = scale / quantity.divisor
            if factor != 1, factor != 0, factor.isFinite { options.append(.init("scale", .number(rounded(factor)))) }
            let shift = offset * factor
            if shift != 0, shift.isFinite { options.append(.init("offset", .number(rounded(shift)))) }
            if let unit = quantity.unit { options.append(.init("unit", .string(unit))) }
            return options
        }

        /// To 12 digits, more than any scale has: without the traces of binary fractions.
        private func rounded(_ number: Double) -> Double {
            let power = 11 - Int(log10(number.magnitude).rounded(.down))
            let shift = pow(10, Double(power.magnitude))
            let rounded = power >= 0 ? (number * shift).rounded() / shift : (number / shift).rounded() * shift
            return rounded.isFinite ? rounded : number
        }
    }

    /// What a channel measures: its unit, and how many of the kernel's are one.
    private struct Quantity {
        var unit: String?
        var divisor = 1.0

        init(channel: String) {
            let kind = channel.prefix { $0.isLetter }
            switch kind {
            case "voltage", "altvoltage": (unit, divisor) = ("V", 1000)
            case "current": (unit, divisor) = ("A", 1000)
            case "power": (unit, divisor) = ("W", 1000)
            case "energy": unit = "J"
            case "temp": (unit, divisor) = ("°C", 1000)
            case "humidityrelative": (unit, divisor) = ("%", 1000)
            case "pressure": unit = "kPa"
            case "distance": unit = "m"
            case "illuminance": unit = "lx"
            case "resistance": unit = "Ω"
            case "capacitance": unit = "nF"
            case "concentration": unit = "%"
            case "massconcentration": unit = "µg/m³"
            case "electricalconductivity": unit = "S/m"
            case "accel": unit = "m/s²"
            case "anglvel": unit = "rad/s"
            case "angl", "rot": unit = "rad"
            case "incli": unit = "°"
            case "magn": unit = "G"
            case "velocity": unit = "m/s"
            default: unit = nil
            }
        }
    }
}

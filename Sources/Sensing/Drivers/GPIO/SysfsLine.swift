internal import CLinux

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A line by way of /sys/class/gpio, for kernels without the character device's second version.
/// Documentation/admin-guide/gpio/sysfs.rst; obsolete there.
///
/// sysfs numbers all lines of a board in one row, in which each chip has its place; where, differs from kernel to kernel
/// (a Pi's 17 became 529). So the chip's own `base` is read, and chips are known by their label or device. sysfs has no
/// names of lines, no numbers of edges, no debouncing and no bias.
final class SysfsLine: HeldLine {
    let place: String
    let descriptor: Int32
    private let value: Int32
    /// Where the line is to be given back, and its number; nil if it was exported before.
    private let unexport: (path: String, number: String)?

    /// How long udev may take to make a new line's files ours.
    private static let patience = 20

    /// - Parameter level: an output's, from the beginning.
    /// - Returns: nil if there is no sysfs GPIO either.
    static func find(
        _ options: GPIOOptions, level: Bool?, in context: DriverContext
    ) throws(SensorError) -> SysfsLine? {
        let folder = context.path("/sys/class/gpio")
        let chips = context.matches("/sys/class/gpio/gpiochip*/base").compactMap { path -> Chip? in
            Chip(folder: String(path.dropLast("/base".count)))
        }
        guard !chips.isEmpty else { return nil }
        guard case .offset(let offset) = options.line, let name = options.chip else {
            throw SensorError(
                .unavailable, folder, "has no names of lines, and this kernel's character device is missing or too old",
                mend: "write the chip's label and the line's offset")
        }
        let list = chips.map(\.description).joined(separator: ", ")
        let chosen = chips.filter { $0.label == name || $0.device == name }
        guard let chip = chosen.first else {
            throw SensorError(.missing, folder, "has no chip of label \"\(name)\"", mend: "it has \(list)")
        }
        guard chosen.count == 1 else {
            throw SensorError(
                .ambiguous, folder, "has several chips \"\(name)\": \(list)", mend: "name the one by its device")
        }
        guard offset < chip.count else {
            throw SensorError(
                .missing, chip.description, "has no line \(offset)", mend: "its lines are 0 to \(chip.count - 1)")
        }
        guard options.isPlain else {
            throw SensorError(
                .unavailable, "line \(offset) of \(chip)",
                "cannot be debounced, biased, driven otherwise or counted: sysfs can only read, set and tell of changes",
                mend: "use a kernel from 5.10 on, with its character devices /dev/gpiochip*")
        }
        return try SysfsLine(chip.base + offset, "line \(offset) of \(chip) in sysfs", options, level, folder)
    }

    private init(
        _ number: UInt32, _ place: String, _ options: GPIOOptions, _ level: Bool?, _ folder: String
    ) throws(SensorError) {
        let line = "\(folder)/gpio\(number)"
        var unexport: (path: String, number: String)?
        if access(line, F_OK) != 0 {
            do throws(SystemFault) {
                try Self.put("\(number)", to: "\(folder)/export")
            } catch {
                throw error.code == EBUSY
                    ? SensorError(
                        .busy, place, "is used by the kernel or by another program",
                        mend: "/sys/kernel/debug/gpio names it")
                    : .system(error.code, reading: "\(folder)/export")
            }
            unexport = ("\(folder)/unexport", "\(number)")
        }
        do throws(SensorError) {
            for _ in 0..<Self.patience where access("\(line)/value", R_OK | W_OK) != 0 { usleep(10_000) }
            try Self.configure(line, options, level)
            value = open("\(line)/value", (level == nil ? O_RDONLY : O_RDWR) | O_CLOEXEC)
            guard value >= 0 else { throw .system(errno, reading: "\(line)/value") }
            // sysfs tells of an edge by urgency, which the one who waits for the descriptor does not know of; a set he does.
            descriptor = options.edges == nil ? value : clinux_make_set()
            guard descriptor >= 0, options.edges == nil || clinux_add_to_set_urgent(descriptor, value) == 0 else {
                let error = SensorError.system(errno, reading: "\(line)/value")
                if descriptor >= 0 { close(descriptor) }
                close(value)
                throw error
            }
        } catch {
            if let unexport { try? Self.put(unexport.number, to: unexport.path) }
            throw error
        }
        self.place = place
        self.unexport = unexport
    }

    deinit {
        if descriptor != value { close(descriptor) }
        close(value)
        if let unexport { try? Self.put(unexport.number, to: unexport.path) }
    }

    private static func configure(
        _ line: String, _ options: GPIOOptions, _ level: Bool?
    ) throws(SensorError) {
        func set(_ attribute: String, _ text: String) throws(SensorError) {
            do throws(SystemFault) {
                try put(text, to: "\(line)/\(attribute)")
            } catch {
                throw .system(error.code, reading: "\(line)/\(attribute)")
            }
        }
        // Edges first of all: an output has none, and may have been an input with some.
        if access("\(line)/edge", F_OK) == 0 { try set("edge", "none") }
        try set("active_low", options.isActiveLow ? "1" : "0")
        if let level {
            // Here they mean the wire's level.
            try set("direction", level != options.isActiveLow ? "high" : "low")
        } else {
            try set("direction", "in")
        }
        if let edges = options.edges { try set("edge", edges.rawValue) }
    }

    func level() throws(SensorError) -> Bool {
        var byte: UInt8 = 0
        var count = 0
        repeat { count = pread(value, &byte, 1, 0) } while count < 0 && errno == EINTR
        guard count == 1 else {
            if count < 0, errno != ENODEV, errno != ENXIO { throw .system(errno, reading: place) }
            throw SensorError(.missing, place, "is gone: its chip was removed", mend: "it is looked for again")
        }
        return byte != UInt8(ascii: "0")
    }

    func set(_ level: Bool) throws(SensorError) {
        var count = 0
        repeat { count = pwrite(value, level ? "1" : "0", 1, 0) } while count < 0 && errno == EINTR
        guard count == 1 else { throw .system(errno, reading: place) }
    }

    private static func put(_ text: String, to path: String) throws(SystemFault) {
        let file = open(path, O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { throw SystemFault(code: errno) }
        defer { close(file) }
        var count = 0
        repeat { count = write(file, text, text.utf8.count) } while count < 0 && errno == EINTR
        guard count >= 0 else { throw SystemFault(code: errno) }
    }

    private struct Chip: CustomStringConvertible {
        let label: String
        let device: String?
        let base: UInt32
        let count: UInt32

        init?(folder: String) {
            guard let base = (try? KernelFile.text("\(folder)/base")).flatMap({ UInt32($0) }),
                let count = (try? KernelFile.text("\(folder)/ngpio")).flatMap({ UInt32($0) }),
                count > 0, !base.addingReportingOverflow(count).overflow
            else { return nil }
            self.base = base
            self.count = count
            label = (try? KernelFile.text("\(folder)/label")) ?? ""
            device = KernelFolder.linkTarget("\(folder)/device")
        }

        var description: String { "\(label.isEmpty ? device ?? "unnamed" : label) (\(base) to \(base + count - 1))" }
    }
}

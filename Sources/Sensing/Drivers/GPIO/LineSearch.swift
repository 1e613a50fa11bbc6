internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Finds a line by what its owner calls it.
///
/// Numbers change: the Pi 5's header was gpiochip4 once and is gpiochip0 now. So names are looked up at each opening.
struct LineSearch: Sendable {
    enum Line: Sendable, Hashable {
        case name(String)
        case offset(UInt32)
    }

    let kernel: any GPIOKernel
    let context: DriverContext
    /// Its label, its device, its name, or the path of its device file; nil: any chip.
    let chip: String?
    let line: Line

    /// - Returns: nil if the kernel has no chips of the second version of the character device's interface.
    func find() throws(SensorError) -> FoundLine? {
        let (all, closed) = openChips()
        if all.isEmpty {
            if let closed { throw closed }
            return nil
        }
        var chips = all
        if let chip, !chip.hasPrefix("/") {
            chips = all.filter { [$0.chip.label, $0.chip.device, $0.chip.name].contains(chip) }
        }
        guard let first = chips.first else {
            if let closed { throw closed }
            throw SensorError(
                .missing, context.path("/dev"), "has no GPIO chip \"\(chip ?? "")\"", mend: "it has \(Self.list(all))")
        }
        guard first.chip.lineCount == 0 || first.speaksSecondVersion else { return nil }
        switch line {
        case .offset(let offset): return try find(offset, in: chips)
        case .name(let name): return try find(name, in: chips, closed)
        }
    }

    private func find(_ offset: UInt32, in chips: [OpenChip]) throws(SensorError) -> FoundLine {
        guard let chip = chips.first, chips.count == 1 else {
            throw SensorError(
                .ambiguous, "GPIO chip \"\(self.chip ?? "")\"", "is several: \(Self.list(chips))",
                mend: "name the one by its device")
        }
        guard offset < chip.chip.lineCount else {
            throw SensorError(
                .missing, chip.place, "has no line \(offset)",
                mend: "its lines are 0 to \(Int(chip.chip.lineCount) - 1)"
            )
        }
        return FoundLine(chip: chip, line: try chip.line(offset))
    }

    private func find(
        _ name: String, in chips: [OpenChip], _ closed: SensorError?
    ) throws(SensorError) -> FoundLine {
        var found: [FoundLine] = []
        var names: [String] = []
        for chip in chips {
            for line in chip.lines {
                if line.name == name { found.append(FoundLine(chip: chip, line: line)) }
                if let name = line.name { names.append(name) }
            }
        }
        if let line = found.first, found.count == 1 { return line }
        guard found.isEmpty else {
            let places = found.map { "line \($0.line.offset) of \($0.chip.place)" }.joined(separator: ", ")
            throw SensorError(
                .ambiguous, "line \"\(name)\"", "is there \(found.count) times: \(places)",
                mend: "say which with chip, or by its offset")
        }
        // It may be on one that we may not open.
        if let closed, self.chip == nil { throw closed }
        let mend =
            names.isEmpty
            ? "its lines have no names: write the offset, a number"
            : names.nearest(to: name).map { "did you mean \"\($0)\"?" } ?? "names are \(Self.some(names))"
        throw SensorError(.missing, Self.list(chips), "has no line \"\(name)\"", mend: mend)
    }

    /// All chips that this user may open, each once, and why others could not be opened.
    private func openChips() -> ([OpenChip], SensorError?) {
        var chips: [OpenChip] = []
        var closed: SensorError?
        for path in chip.flatMap({ $0.hasPrefix("/") ? [context.path($0)] : nil }) ?? kernel.chipPaths() {
            do throws(SensorError) {
                let chip = try OpenChip(path, of: kernel)
                // The Pi's system has a link by the chip's former name.
                if !chips.contains(where: { $0.chip.name == chip.chip.name }) { chips.append(chip) }
            } catch {
                closed = closed ?? error
            }
        }
        return (chips, closed)
    }

    private static func list(_ chips: [OpenChip]) -> String { chips.map(\.place).joined(separator: ", ") }

    private static func some(_ names: [String]) -> String {
        names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    }
}

/// A line that was found, with its chip open.
struct FoundLine: Sendable {
    let chip: OpenChip
    let line: GPIOLine

    /// For messages.
    var place: String {
        line.name.map { "\($0) (line \(line.offset) of \(chip.place))" } ?? "line \(line.offset) of \(chip.place)"
    }
}

/// A chip's device, open until nobody needs it.
final class OpenChip: Sendable {
    let chip: GPIOChip
    let kernel: any GPIOKernel
    let descriptor: Int32

    init(_ path: String, of kernel: any GPIOKernel) throws(SensorError) {
        do throws(SystemFault) {
            let descriptor = try kernel.retrying { () throws(SystemFault) in try kernel.openChip(path) }
            do throws(SystemFault) {
                chip = try kernel.retrying { () throws(SystemFault) in try kernel.chip(descriptor, at: path) }
            } catch {
                kernel.release(descriptor)
                throw error
            }
            self.descriptor = descriptor
            self.kernel = kernel
        } catch {
            throw Self.failure(error, path)
        }
    }

    deinit { kernel.release(descriptor) }

    /// For messages: "pinctrl-bcm2711 (gpiochip0)".
    var place: String { chip.label.isEmpty ? chip.name : "\(chip.label) (\(chip.name))" }

    /// All its lines, or as many as it tells of before it goes.
    var lines: [GPIOLine] {
        var lines: [GPIOLine] = []
        for offset in 0..<chip.lineCount {
            guard let line = try? line(offset) else { break }
            lines.append(line)
        }
        return lines
    }

    var speaksSecondVersion: Bool {
        do throws(SystemFault) {
            _ = try kernel.retrying { () throws(SystemFault) in try kernel.line(0, ofChip: descriptor) }
        } catch {
            return error.code != EINVAL && error.code != ENOTTY
        }
        return true
    }

    func line(_ offset: UInt32) throws(SensorError) -> GPIOLine {
        do throws(SystemFault) {
            return try kernel.retrying { () throws(SystemFault) in try kernel.line(offset, ofChip: descriptor) }
        } catch {
            throw .system(error.code, reading: chip.path)
        }
    }

    private static func failure(_ fault: SystemFault, _ path: String) -> SensorError {
        if fault.code == ENOTTY { return SensorError(.malformed, path, "is no GPIO chip") }
        return SensorError.system(fault.code, reading: path)
            .with(udevRule: #"SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*", GROUP="gpio", MODE="0660""#)
    }
}

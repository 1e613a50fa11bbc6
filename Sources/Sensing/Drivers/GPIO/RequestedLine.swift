#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// A line that is ours until nobody needs it any more.
protocol HeldLine: AnyObject, Sendable {
    /// For messages.
    var place: String { get }
    /// Readable when there is an edge, if edges were asked for.
    var descriptor: Int32 { get }
    /// What it throws as ``SensorError/Kind/missing`` is gone for good.
    func level() throws(SensorError) -> Bool
    func set(_ level: Bool) throws(SensorError)
}

/// A line that the character device gave us.
final class RequestedLine: HeldLine {
    let place: String
    let descriptor: Int32
    private let kernel: any GPIOKernel

    init(_ found: FoundLine, _ request: LineRequest) throws(SensorError) {
        let kernel = found.chip.kernel
        do throws(SystemFault) {
            descriptor = try kernel.retrying { () throws(SystemFault) in
                try kernel.request(request, ofChip: found.chip.descriptor)
            }
        } catch {
            throw Self.refusal(error, found, request)
        }
        self.kernel = kernel
        place = found.place
    }

    deinit { kernel.release(descriptor) }

    func level() throws(SensorError) -> Bool {
        try asking { () throws(SystemFault) in try kernel.level(descriptor) }
    }

    func set(_ level: Bool) throws(SensorError) {
        try asking { () throws(SystemFault) in try kernel.set(descriptor, to: level) }
    }

    /// The next edges, oldest first; none if there is none now.
    func events() throws(SensorError) -> [LineEvent] {
        try asking { () throws(SystemFault) in try kernel.events(descriptor) }
    }

    private func asking<Result>(_ call: () throws(SystemFault) -> Result) throws(SensorError) -> Result {
        do throws(SystemFault) {
            return try kernel.retrying(call)
        } catch {
            switch error.code {
            case ENODEV, ENXIO, EBADF:
                throw SensorError(
                    .missing, place, "is gone: its chip was removed", mend: "it is looked for again")
            default: throw .system(error.code, reading: place)
            }
        }
    }

    private static func refusal(_ fault: SystemFault, _ found: FoundLine, _ request: LineRequest) -> SensorError {
        let place = found.place
        switch fault.code {
        case EBUSY: return busy(place, consumer: (try? found.chip.line(request.offset))?.consumer)
        case EPERM, EACCES: return SensorError(.forbidden, place, "may not be used by programs")
        case ENXIO, ENODEV:
            // It still answers, so it is not the chip that is missing.
            let needsInterrupt = request.debounce != nil || !request.flags.isDisjoint(with: [.rising, .falling])
            guard needsInterrupt, (try? found.chip.line(request.offset)) != nil else {
                return SensorError(.missing, place, "is gone: its chip was removed", mend: "it is looked for again")
            }
            return SensorError(
                .unavailable, place, "has no interrupt, so that the kernel cannot see its edges",
                mend: "remove edges, measure and debounce, and let it be read every so often")
        default: return .system(fault.code, reading: place)
        }
    }

    private static func busy(_ place: String, consumer: String?) -> SensorError {
        guard let consumer else {
            return SensorError(
                .busy, place, "is used by somebody who gives no name",
                mend: "a program, the kernel's driver of a device, or its pin does something else")
        }
        let mend =
            consumer == "sysfs"
            ? "a program has exported it in /sys/class/gpio: end it, or write the line's number to unexport there"
            : consumer.hasPrefix("fieldpost ")
                ? "it stands in two sensors, or another agent runs"
                : "end that program, or remove what gives the line to that driver (a device-tree overlay, in config.txt)"
        return SensorError(.busy, place, "is used by \"\(consumer)\"", mend: mend)
    }
}

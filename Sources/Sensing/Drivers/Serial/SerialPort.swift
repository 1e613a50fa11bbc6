internal import CLinux

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// An open serial device that nobody else may open meanwhile; closed with its last reference.
///
/// Modem control is ignored: no carrier is waited for, and the lines DTR and RTS, which open a board's boot loader or
/// reset it, do not fall when the device is closed.
final class SerialPort: Sendable {
    /// The device, as the configuration names it.
    let path: String
    private let descriptor: Descriptor

    /// - Throws: ``SensorError``: it is missing, closed to us, in other hands, no serial device, or cannot be set so.
    init(_ path: String, _ settings: SerialSettings, context: DriverContext) throws(SensorError) {
        self.path = path
        let file = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard file >= 0 else {
            if errno == EBUSY { throw Self.busy(path, context) }
            var error = SensorError.system(errno, reading: path)
            if error.kind == .missing { error.mend = "is it plugged in? /dev/serial/by-id names what is" }
            throw error
        }
        descriptor = Descriptor(file)
        // Once locked, the kernel refuses others to open it, but for root; and the lock tells those who ask for one.
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else { throw Self.busy(path, context) }

        var kernel = settings.kernel
        guard clinux_serial_configure(file, &kernel) == 0 else {
            throw SensorError(
                errno == ENOTTY ? .malformed : .rejected, path,
                errno == ENOTTY
                    ? "is no serial device" : "does not take \(settings) (\(Descriptor.Failure.text(errno)))",
                mend: errno == ENOTTY ? "name one such as /dev/ttyUSB0" : "choose what the adapter can do")
        }
        _ = ioctl(file, UInt(TIOCEXCL))
        // Receivers tolerate 3 % or so.
        let speed = Self.speed(file)
        guard speed == 0 || abs(speed - settings.baud) * 100 <= 3 * settings.baud else {
            throw SensorError(
                .rejected, path, "cannot do \(settings.baud) baud; the nearest is \(speed)",
                mend: "choose another speed, or an adapter that can")
        }
        if settings.isRS485 { try switchToRS485(file) }
        discardInput()
    }

    deinit {
        // A pseudo-terminal would stay closed to others.
        _ = ioctl(descriptor.number, UInt(TIOCNXCL))
        // A program that is being started holds a copy of the descriptor for a moment, and the lock would last as long.
        _ = flock(descriptor.number, LOCK_UN)
    }

    private func switchToRS485(_ file: Int32) throws(SensorError) {
        var mode = serial_rs485()
        mode.flags = clinux_rs485_flags
        guard ioctl(file, UInt(TIOCSRS485), &mode) == 0 else {
            throw SensorError(
                .rejected, path, "does not switch the direction of RS-485 (\(Descriptor.Failure.text(errno)))",
                mend: "remove rs485 = true if the adapter does it by itself, as most on USB do")
        }
    }

    /// The descriptor to wait for input with.
    var number: Int32 { descriptor.number }

    /// Forgets what has come and was not read.
    func discardInput() { _ = ioctl(descriptor.number, UInt(TCFLSH), Int32(TCIFLUSH)) }

    /// Whether nothing comes for a while; what comes may still be read.
    func isSilent(for time: Duration) throws(SensorError) -> Bool {
        do {
            try descriptor.wait(for: Int32(POLLIN), until: .now + time)
            return false
        } catch {
            if error.code == ETIMEDOUT { return true }
            throw gone(error.text)
        }
    }

    /// Takes what has come; waits for it until the deadline if nothing has. Empty when nothing came in time.
    ///
    /// - Throws: the device is gone, or broken.
    func read(until deadline: ContinuousClock.Instant) throws(SensorError) -> [UInt8] {
        let bytes: [UInt8]
        do {
            bytes = try descriptor.read(atMost: 4096, until: deadline)
        } catch {
            if error.code == ETIMEDOUT { return [] }
            throw gone(error.text)
        }
        guard !bytes.isEmpty else { throw gone("hung up") }
        return bytes
    }

    /// Takes what has come; nil if nothing has.
    func readNow() throws(SensorError) -> [UInt8]? {
        let bytes: [UInt8]?
        do { bytes = try descriptor.readNow(atMost: 4096) } catch { throw gone(error.text) }
        if let bytes, bytes.isEmpty { throw gone("hung up") }
        return bytes
    }

    func write(_ bytes: [UInt8], until deadline: ContinuousClock.Instant) throws(SensorError) {
        do {
            try descriptor.write(bytes, until: deadline)
        } catch {
            guard error.code == ETIMEDOUT else { throw gone(error.text) }
            throw SensorError(
                .unavailable, path, "takes nothing (\(error.text))",
                mend: "is flow control on without need, or the device stopped?")
        }
    }

    private func gone(_ reason: String) -> SensorError {
        SensorError(
            .missing, path, "has lost its device (\(reason))",
            mend: "is it still plugged in? It is opened again when it is")
    }

    /// In bauds, as the line's driver has set them; 0 if it does not tell.
    static func speed(_ file: Int32) -> Int { Int(clinux_serial_speed(file)) }

    // MARK: Others

    private static func busy(_ path: String, _ context: DriverContext) -> SensorError {
        let holder = holder(of: path, context).map { "is in use by \($0)" } ?? "is in use by another program"
        return SensorError(
            .busy, path, holder, mend: "a serial line can have one reader; stop the other one (fuser -v \(path))")
    }

    /// The program that has the device open, as far as this user may know.
    private static func holder(of path: String, _ context: DriverContext) -> String? {
        guard let device = resolved(path) else { return nil }
        for folder in context.matches("/proc/[0-9]*") {
            guard let files = try? KernelFolder.names(in: "\(folder)/fd"),
                files.contains(where: { resolved("\(folder)/fd/\($0)") == device })
            else { continue }
            let number = folder.split(separator: "/").last ?? ""
            if Int(number) == Int(getpid()) { return "another sensor of this agent" }
            return "\((try? KernelFile.text("\(folder)/comm")) ?? "a program") (process \(number))"
        }
        return nil
    }

    /// The path without links.
    static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A channel of a pulse-width modulator in sysfs.
struct PWMChannel {
    let chip: String
    let number: Int

    var folder: String { "\(chip)/pwm\(number)" }
    var isExported: Bool { access(folder, F_OK) == 0 }

    /// The folders there are, what each chip hangs on, and how many channels it has.
    static func chips(in place: String) throws(SensorError) -> [(name: String, device: String?, count: Int)] {
        try KernelFolder.names(in: place).filter { $0.hasPrefix("pwmchip") }.compactMap { name in
            guard let text = try? KernelFile.text("\(place)/\(name)/npwm"), let count = Int(text), count > 0 else {
                return nil
            }
            return (name, KernelFolder.linkTarget("\(place)/\(name)/device"), count)
        }
    }

    static func nanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    // MARK: Having it

    /// Takes the channel, and waits until udev has opened its files to us.
    func export() throws(SensorError) {
        try KernelFile.write("\(number)", to: "\(chip)/export")
        let end = ContinuousClock.now + .seconds(1)
        while access("\(folder)/duty_cycle", W_OK) != 0 || access("\(folder)/enable", W_OK) != 0 {
            guard ContinuousClock.now < end else {
                if isExported { throw .system(EACCES, writing: "", to: "\(folder)/duty_cycle") }
                throw SensorError(.unavailable, folder, "did not come when it was exported")
            }
            usleep(10_000)
        }
    }

    func unexport() { try? KernelFile.write("\(number)", to: "\(chip)/unexport") }

    // MARK: Its state

    func measure() throws(SensorError) -> [Measurement] {
        let period = try KernelFile.number("\(folder)/period")
        let pulse = try KernelFile.number("\(folder)/duty_cycle")
        var measured = [
            Measurement(channel: "period", .number(period / 1000), unit: "µs"),
            Measurement(channel: "polarity", .text(try KernelFile.text("\(folder)/polarity"))),
            Measurement(channel: "enabled", .boolean(try KernelFile.number("\(folder)/enable") != 0)),
        ]
        if period > 0 {
            let duty = (pulse / period * 100).roundedToTwelveDigits
            measured.insert(Measurement(channel: "duty", .number(duty), unit: "%"), at: 0)
        }
        return measured
    }

    /// Brings period and polarity to what is wanted, and gives the period.
    @discardableResult
    func prepare(period wanted: Int64?, polarity: String?) throws(SensorError) -> Double {
        if let polarity, try KernelFile.text("\(folder)/polarity") != polarity {
            // It cannot be changed while there are pulses.
            try KernelFile.write("0", ifOtherThan: "\(folder)/enable")
            try KernelFile.write(polarity, to: "\(folder)/polarity")
        }
        let period = try KernelFile.number("\(folder)/period")
        guard let wanted, Double(wanted) != period else {
            if period > 0 { return period }
            throw SensorError(
                .rejected, folder, "has no period yet",
                mend: "write one that its device wants, such as period = \"20ms\"")
        }
        // A pulse is never longer than its period.
        if try KernelFile.number("\(folder)/duty_cycle") > Double(wanted) {
            try KernelFile.write("0", to: "\(folder)/duty_cycle")
        }
        try KernelFile.write("\(wanted)", to: "\(folder)/period")
        return Double(wanted)
    }

    /// - Parameter duty: in %.
    func set(duty: Double, period: Int64?, polarity: String?) throws(SensorError) {
        let period = try prepare(period: period, polarity: polarity)
        let pulse = (period * min(max(duty, 0), 100) / 100).rounded()
        try KernelFile.write("\(Int64(exactly: pulse) ?? 0)", to: "\(folder)/duty_cycle")
        try enable(true)
    }

    func enable(_ isOn: Bool) throws(SensorError) {
        try KernelFile.write(isOn ? "1" : "0", ifOtherThan: "\(folder)/enable")
    }
}

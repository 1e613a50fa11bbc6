internal import Units

/// A thermometer on a 1-Wire bus, as it is found at present.
struct W1Thermometer {
    /// DS18S20, DS1822, DS18B20, DS1825 (and MAX31850), DS28EA00.
    static let families = ["10", "22", "28", "3b", "42"]

    /// "28-0000075d6ab2"
    let address: String

    private let folder: String
    private var family: Substring { address.prefix(2) }
    /// Family 3b has thermocouples too.
    private var isLimited: Bool { family != "3b" }

    static func all(in place: String) throws(SensorError) -> [W1Thermometer] {
        do throws(SensorError) {
            return try KernelFolder.names(in: place).filter { isAddress($0) && isFamily($0) }
                .map { W1Thermometer(address: $0, folder: "\(place)/\($0)") }
        } catch let error where error.kind == .missing {
            var error = error
            error.mend = "switch the bus on: on a Raspberry Pi dtoverlay=w1-gpio in /boot/firmware/config.txt"
            throw error
        }
    }

    static func isAddress(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.count == 15 && bytes[2] == UInt8(ascii: "-")
            && bytes.enumerated().allSatisfy { index, byte in
                index == 2 || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            }
    }

    static func isFamily(_ address: String) -> Bool { families.contains(String(address.prefix(2))) }

    // MARK: Measuring

    func measure(_ history: inout W1History, at now: Timestamp) throws(SensorError) -> Measurement {
        let path = "\(folder)/temperature"
        var celsius: Double
        do throws(SensorError) {
            celsius = try checked(KernelFile.celsius(path), path)
            if celsius == W1History.powerUp, !history.isNearPowerUp(at: now) {
                celsius = try again(history, at: now)
            }
        } catch let error where error.kind == .missing {
            // Before Linux 5.8 there was this file only.
            celsius = try again(history, at: now)
        }
        history.add(celsius, at: now)
        let isPossible = !isLimited || (-55...125).contains(celsius)
        return Measurement(
            .number(celsius), unit: "°C",
            quality: isPossible ? .good : .outOfRange("beyond -55 °C to 125 °C, which the device can measure"))
    }

    /// What `w1_slave` says, which measures anew and shows the bytes of it.
    private func again(_ history: W1History, at now: Timestamp) throws(SensorError) -> Double {
        let path = "\(folder)/w1_slave"
        let text = try KernelFile.text(path)
        guard !text.isEmpty else { throw SensorError(.unavailable, path, "is empty: the device did not answer") }
        guard let scratchpad = W1Scratchpad(text) else {
            throw SensorError(.malformed, path, "says \(KernelFile.quoted(text)), which is no temperature")
        }
        guard scratchpad.isIntact else {
            throw SensorError(
                .unavailable, path, "has a checksum that does not fit",
                mend: "check the wires, their length and the pull-up; it is tried again")
        }
        let celsius = try checked(scratchpad.temperature / 1000, path)
        if celsius == W1History.powerUp, !history.believesPowerUp(evidence(scratchpad), at: now) {
            let before = history.recent(at: now).map { ", after \($0) °C" } ?? ""
            throw SensorError(
                .unavailable, path, "says 85.0 °C\(before), as a device does that lost its power while it measured",
                mend: "check supply and pull-up; a true 85 °C is believed once it was a little more or less")
        }
        return celsius
    }

    private func evidence(_ scratchpad: W1Scratchpad) -> W1History.Evidence {
        // Only these count the rest of a step in byte 6, which is whole after 85.0 °C was measured.
        if family == "28" || family == "22" {
            switch scratchpad.bytes[6] {
            case 0x0C: return .powerUp
            case 0x10: return .measured
            default: break
            }
        }
        let features = (try? KernelFile.number("\(folder)/features")) ?? 0
        return Int(exactly: features).map { $0 & 1 == 1 } == true ? .checkedByKernel : .none
    }

    private func checked(_ celsius: Double, _ path: String) throws(SensorError) -> Double {
        guard isLimited else { return celsius }
        // 0x07FF, printed with three digits or two.
        if celsius == 127.937 || celsius == 127.94 {
            throw SensorError(
                .unavailable, path, "says \(celsius) °C, as a device does with too little power to measure",
                mend: "give it a supply of its own (three wires), or a stronger pull-up")
        }
        if celsius == -127 {
            throw SensorError(.unavailable, path, "says -127 °C, as nothing does", mend: "is the device connected?")
        }
        return celsius
    }

    // MARK: Settings

    func setResolution(_ bits: Int) throws(SensorError) {
        let path = "\(folder)/resolution"
        do throws(SensorError) {
            try set(path, to: bits, unit: "bits")
        } catch let error where error.kind == .missing {
            var error = error
            error.mend = "devices of family 10 have one resolution only, and so has Linux before 5.8; remove the option"
            throw error
        }
    }

    func setConversionTime(_ time: Duration) throws(SensorError) {
        try set("\(folder)/conv_time", to: Int(clamping: time.milliseconds), unit: "ms")
    }

    private func set(_ path: String, to wanted: Int, unit: String) throws(SensorError) {
        if try KernelFile.number(path) == Double(wanted) { return }
        try KernelFile.write("\(wanted)", to: path)
        let actual = try KernelFile.number(path)
        guard actual == Double(wanted) else {
            throw SensorError(
                .rejected, path, "does not take \(wanted) \(unit): it stays at \(actual)",
                mend: "some copies of the device have one setting only; remove the option")
        }
    }
}

/// What a Raspberry Pi's firmware says of its supply and its temperature.
enum Throttling {
    /// By their bit in the firmware's word.
    static let channels: KeyValuePairs<String, Int> = [
        "under_voltage": 0, "frequency_capped": 1, "throttled": 2, "temperature_limited": 3,
        "under_voltage_occurred": 16, "frequency_capped_occurred": 17, "throttled_occurred": 18,
        "temperature_limited_occurred": 19,
    ]

    /// Nothing on other boards.
    static func read(in context: DriverContext) -> [(channel: String, isSo: Result<Bool, SensorError>)] {
        if let path = context.matches("/sys/devices/platform/soc*/soc*:firmware/get_throttled").first {
            let said = Result { () throws(SensorError) in try word(path) }
            return channels.map { name, bit in (name, said.map { $0 >> bit & 1 == 1 }) }
        }
        // The kernel asks the firmware every two seconds whether the voltage has fallen since it asked last.
        for path in context.matches("/sys/class/hwmon/hwmon*/in0_lcrit_alarm") {
            let folder = path.dropLast("/in0_lcrit_alarm".count)
            guard (try? KernelFile.text("\(folder)/name")) == "rpi_volt" else { continue }
            return [("under_voltage", Result { () throws(SensorError) in try KernelFile.number(path) != 0 })]
        }
        return []
    }

    /// Hexadecimal, with or without its mark: "50005".
    private static func word(_ path: String) throws(SensorError) -> UInt32 {
        let text = try KernelFile.text(path)
        guard let word = UInt32(text.hasPrefix("0x") ? text.dropFirst(2) : text[...], radix: 16) else {
            throw SensorError(.malformed, path, "says \(KernelFile.quoted(text)), which is no hexadecimal number")
        }
        return word
    }
}

internal import Settings
internal import Units

/// TI's ADS1115: voltages at four inputs, with 16 bits. Datasheet SBAS444, sections 8.6
/// (registers) and 7.5 (timing).
///
/// Each value is one conversion of its own; the chip sleeps in between.
struct ADS1115: I2CChip {
    static let name = "ads1115"
    static let addresses = [0x48, 0x49, 0x4A, 0x4B]

    private static let conversion: UInt8 = 0
    private static let config: UInt8 = 1
    /// Begin a conversion; when read: no conversion is under way.
    private static let start: UInt16 = 0x8000
    private static let singleShot: UInt16 = 0x0100
    private static let noComparator: UInt16 = 0x0003

    /// What the multiplexer can be set to, by its code.
    private static let inputs = ["A0-A1", "A0-A3", "A1-A3", "A2-A3", "A0", "A1", "A2", "A3"]
    /// In volts, by the amplifier's code.
    private static let scales: KeyValuePairs = [
        "6.144V": 0, "4.096V": 1, "2.048V": 2, "1.024V": 3, "0.512V": 4, "0.256V": 5,
    ]
    private static let volts = [6.144, 4.096, 2.048, 1.024, 0.512, 0.256]
    private static let rates = [8, 16, 32, 64, 128, 250, 475, 860]

    /// Codes of the multiplexer.
    private let chosen: [Int]
    private let scaleCode: Int
    private let rate: Int
    private let scale: LinearScale
    private let unit: String

    init(_ settings: SettingsReader) {
        settings.require("inputs", mend: "write inputs = \"A0\", or [\"A0\", \"A1\"] for a channel each")
        chosen =
            settings.parsedAll("inputs") { text throws(InvalidText) in
                if let code = Self.inputs.firstIndex(of: text) { return code }
                throw InvalidText("\"\(text)\" is no input", mend: Self.inputs.suggestion(for: text))
            } ?? []
        if settings.has("inputs"), Set(chosen).count != chosen.count {
            settings.problem(at: "inputs", message: "names an input twice")
        }
        scaleCode = settings.choice("full_scale", of: Self.scales) ?? 2
        rate = settings.integer("samples_per_second", among: Self.rates) ?? 128
        let factor = settings.number("scale") ?? 1
        if factor == 0 { settings.problem(at: "scale", message: "0 would make every value the same") }
        scale = LinearScale(factor: factor, offset: settings.number("offset") ?? 0)
        unit = settings.string("unit") ?? "V"
    }

    func measure(_ device: I2CDevice) throws(SensorError) -> [Measurement] {
        var results: [Result<Measurement, SensorError>] = []
        for input in chosen {
            let result = Result { () throws(SensorError) in try measure(input, device) }
                .of(chosen.count == 1 ? nil : Self.inputs[input])
            results.append(result)
            // The chip has gone: the others need not be asked.
            if case .failure(let error) = result, error.kind == .unavailable { break }
        }
        return try SensorError.collect(results, unasked: chosen.dropFirst(results.count).map { Self.inputs[$0] })
    }

    private func measure(_ input: Int, _ device: I2CDevice) throws(SensorError) -> Measurement {
        let rateCode = UInt16(Self.rates.firstIndex(of: rate) ?? 4)
        let settings =
            UInt16(input) << 12 | UInt16(scaleCode) << 9 | Self.singleShot | rateCode << 5 | Self.noComparator
        try device.write16(Self.config, Self.start | settings)

        // The chip's clock may be 10 % slow, and it takes 25 µs to wake.
        device.pause(.microseconds(1_100_000 / rate + 50))
        var state: UInt16 = 0
        try device.wait(every: .milliseconds(1), times: 20, "does not come to an end of its conversion") {
            () throws(SensorError) in
            state = try device.read16(Self.config)
            return state & Self.start != 0
        }
        guard state & ~Self.start == settings else {
            throw device.malformed(
                "does not keep its settings", mend: "is it an ADS1115, and does no other program use it?")
        }
        let code = Int16(bitPattern: try device.read16(Self.conversion))
        let fullScale = Self.volts[scaleCode]
        let value = scale(Double(code) * fullScale / 32768)
        guard value.isFinite else { throw device.malformed("gave a value that scaled is not a finite number") }
        return Measurement(
            channel: chosen.count == 1 ? nil : Self.inputs[input], .number(value.rounded(toPlaces: 9)), unit: unit,
            quality: code == .max || code == .min
                ? .outOfRange("the input is at or beyond the full scale of ±\(fullScale) V") : .good)
    }
}

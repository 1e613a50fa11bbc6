/// One channel of a device of the industrial I/O subsystem, such as `in_voltage0_raw` with its scale and offset.
struct IIOChannel {
    enum Form: String, CaseIterable { case processed, raw }

    /// "voltage0", "temp", "accel_x"
    let name: String
    let label: String?

    private let base: String
    private let folder: String
    private let attributes: Set<String>
    private let quantity: IIOQuantity
    /// An offset that the kernel's driver does not tell.
    private let untoldOffset: Double?

    /// Nil if the attribute is not a channel's value, or only another form of one.
    init?(attribute: String, among attributes: Set<String>, in folder: String, untoldOffset: Double? = nil) {
        guard attribute.hasPrefix("in_"), let underscore = attribute.lastIndex(of: "_") else { return nil }
        let base = String(attribute[..<underscore])
        switch attribute[underscore...] {
        case "_input": break
        case "_raw" where !attributes.contains("\(base)_input"): break
        default: return nil
        }
        let name = String(base.dropFirst("in_".count))
        // Four numbers in one are no value.
        guard !name.isEmpty, !name.hasSuffix("quaternion") else { return nil }
        self.name = name
        self.base = base
        self.folder = folder
        self.attributes = attributes
        self.untoldOffset = untoldOffset
        quantity = IIOQuantity(channel: name)
        let label = attributes.contains("\(base)_label") ? try? KernelFile.text("\(folder)/\(base)_label") : nil
        self.label = label?.isEmpty == false ? label : nil
    }

    // MARK: Measuring

    func measure(_ form: Form) throws(SensorError) -> Measurement {
        do throws(SensorError) {
            switch form {
            case .raw:
                let raw = try KernelFile.number("\(folder)/\(base)_raw")
                return Measurement(.number(raw), quality: quality(ofRaw: raw))
            case .processed where attributes.contains("\(base)_input"):
                return measurement(try KernelFile.number("\(folder)/\(base)_input"), .good)
            case .processed:
                // The scale after the value: some devices tell that of the channel read last.
                let raw = try KernelFile.number("\(folder)/\(base)_raw")
                let offset = try shared("offset", default: untoldOffset ?? 0)
                return measurement((raw + offset) * (try shared("scale", default: 1)), quality(ofRaw: raw))
            }
        } catch let error where error.kind == .unavailable && quantity.isDistance {
            var error = error
            error.mend =
                "without an echo there is no distance: is something in front of it, within its range and not too soft "
                + "or slanted? Else check wiring and supply"
            throw error
        }
    }

    private func measurement(_ value: Double, _ quality: Quality) -> Measurement {
        Measurement(.number((value / quantity.divisor).roundedToTwelveDigits), unit: quantity.unit, quality: quality)
    }

    /// What may be this channel's own, or all channels' of its kind, or all channels'.
    private func sharedPath(_ kind: String) -> String? {
        let withoutNumbers = String(base.filter { !$0.isNumber })
        let modifier = withoutNumbers.dropFirst("in_".count).firstIndex(of: "_")
        let type = modifier.map { String(withoutNumbers[..<$0]) } ?? withoutNumbers
        return ["\(base)_", "\(withoutNumbers)_", "\(type)_", "in_", ""].lazy.map { $0 + kind }
            .first(where: attributes.contains).map { "\(folder)/\($0)" }
    }

    private func shared(_ kind: String, default: Double) throws(SensorError) -> Double {
        guard let path = sharedPath(kind) else { return `default` }
        return try KernelFile.number(path)
    }

    // MARK: Range

    private func quality(ofRaw raw: Double) -> Quality {
        guard let range = rawRange else { return .good }
        // Of a converter that counts from nothing, 0 is no end.
        let hasLowerEnd = range.lowerBound != 0 || untoldOffset != nil
        guard raw >= range.upperBound || (hasLowerEnd && raw <= range.lowerBound) else { return .good }
        return .outOfRange(
            "the raw value \(Int64(exactly: raw).map(String.init) ?? "\(raw)") is at the end of the scale")
    }

    /// What the converter can say.
    private var rawRange: ClosedRange<Double>? {
        if let path = sharedPath("raw_available"), let text = try? KernelFile.text(path),
            let values = IIOAvailable(text), let range = values.range
        {
            return range
        }
        for buffer in ["scan_elements", "buffer0"] {
            let types = [base, String(base.filter { !$0.isNumber })].map { "\(folder)/\(buffer)/\($0)_type" }
            for path in types {
                if let text = try? KernelFile.text(path), let range = Self.range(ofType: text) { return range }
            }
        }
        return nil
    }

    /// "le:s12/16>>4": a signed number of 12 bits.
    static func range(ofType text: String) -> ClosedRange<Double>? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        let type = text[text.index(after: colon)...]
        guard let slash = type.firstIndex(of: "/"), let bits = Int(type[..<slash].dropFirst()), (2...64).contains(bits)
        else { return nil }
        let power = Double(sign: .plus, exponent: bits, significand: 1)
        switch type.first {
        case "s": return -power / 2...(power / 2 - 1)
        case "u": return 0...(power - 1)
        default: return nil
        }
    }

    // MARK: Oversampling

    /// - Throws: kind ``SensorError/Kind/rejected`` if the device does not permit it.
    func setOversampling(_ ratio: Int) throws(SensorError) {
        guard let path = sharedPath("oversampling_ratio") else {
            throw SensorError(.rejected, "\(folder)/\(base)", "has no oversampling", mend: "remove the option")
        }
        if try KernelFile.number(path) == Double(ratio) { return }
        if let text = try? KernelFile.text("\(path)_available"), let permitted = IIOAvailable(text),
            !permitted.contains(Double(ratio))
        {
            throw SensorError(.rejected, path, "does not permit \(ratio)", mend: "it permits \(text)")
        }
        try KernelFile.write("\(ratio)", to: path)
    }
}

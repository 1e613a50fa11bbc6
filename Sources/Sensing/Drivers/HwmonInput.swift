/// One input of a hardware monitoring chip: `temp1_input` with its label and its fault flag.
struct HwmonInput: Comparable {
    /// In the order in which a chip's channels are listed.
    private enum Quantity: String, CaseIterable {
        case temp, `in`, curr, power, energy, humidity, fan

        var unit: String {
            switch self {
            case .temp: "°C"
            case .in: "V"
            case .curr: "A"
            case .power: "W"
            case .energy: "J"
            case .humidity: "%"
            case .fan: "rpm"
            }
        }

        /// The kernel's units in one of ours.
        var divisor: Double {
            switch self {
            case .temp, .in, .curr, .humidity: 1000
            case .power, .energy: 1_000_000
            case .fan: 1
            }
        }
    }

    /// "temp1"
    let name: String
    /// "Core 0"
    let label: String?

    private let quantity: Quantity
    private let number: Int
    private let path: String
    private let faultPath: String?

    /// Nil if the attribute is not an input's value.
    init?(attribute: String, among attributes: Set<String>, in folder: String) {
        guard let underscore = attribute.firstIndex(of: "_") else { return nil }
        let name = String(attribute[..<underscore])
        guard let digits = name.firstIndex(where: { $0.isNumber }), let number = Int(name[digits...]),
            let quantity = Quantity(rawValue: String(name[..<digits]))
        else { return nil }
        switch attribute[underscore...] {
        case "_input": break
        case "_average" where quantity == .power && !attributes.contains("\(name)_input"): break
        default: return nil
        }

        self.name = name
        self.quantity = quantity
        self.number = number
        path = "\(folder)/\(attribute)"
        let label = attributes.contains("\(name)_label") ? try? KernelFile.text("\(folder)/\(name)_label") : nil
        self.label = label?.isEmpty == false ? label : nil
        faultPath = attributes.contains("\(name)_fault") ? "\(folder)/\(name)_fault" : nil
    }

    func measure(channel: String?) throws(SensorError) -> Measurement {
        if let faultPath, try KernelFile.text(faultPath) == "1" {
            throw SensorError(.unavailable, path, "reports a fault (\(name)_fault is 1)", mend: "check its connection")
        }
        let value =
            quantity == .temp ? try KernelFile.celsius(path) : try KernelFile.number(path) / quantity.divisor
        return Measurement(channel: channel, .number(value), unit: quantity.unit)
    }

    private var order: (Int, Int) { (Quantity.allCases.firstIndex(of: quantity) ?? 0, number) }

    static func < (left: Self, right: Self) -> Bool { left.order < right.order }
    static func == (left: Self, right: Self) -> Bool { left.path == right.path }
}

internal import Settings

/// One value of a device: where it is, how it is kept, and what it stands for.
struct ModbusChannel: Sendable {
    /// What the sensor's table says for all of its channels.
    struct Defaults {
        fileprivate var table: ModbusTable?
        fileprivate var kind: ModbusFormat.Kind?
        fileprivate var wordOrder: ModbusFormat.Order
        fileprivate var byteOrder: ModbusFormat.Order
        /// The number of the first register in the device's manual; nil if nothing was said.
        fileprivate var firstAddress: Int?

        init(_ settings: SettingsReader) {
            table = settings.choice("table", of: ModbusTable.self)
            kind = settings.choice("type", of: ModbusFormat.Kind.self)
            wordOrder = settings.choice("word_order", of: ModbusFormat.Order.self) ?? .big
            byteOrder = settings.choice("byte_order", of: ModbusFormat.Order.self) ?? .big
            firstAddress = settings.integer("first_address", in: 0...1)
        }
    }

    let name: String?
    let table: ModbusTable
    let address: UInt16
    let format: ModbusFormat
    let unit: String?
    let isWritable: Bool
    /// What it is set to when the agent stops.
    let safe: Reading.Value?
    private let factor: Double
    private let offset: Double

    /// How many registers or bits it takes.
    var count: Int { table.holdsBits ? 1 : format.registers }

    init(_ settings: SettingsReader, name: String?, _ defaults: Defaults) {
        self.name = name
        let ownTable = settings.choice("table", of: ModbusTable.self)
        if ownTable == nil, defaults.table == nil, !settings.has("table") {
            let all = ModbusTable.allCases.map(\.rawValue).joined(separator: ", ")
            settings.problem(at: "table", message: "is missing", mend: "possible are \(all)")
        }
        let table = ownTable ?? defaults.table ?? .holding
        self.table = table
        address = Self.address(settings, table, defaults)
        format = Self.format(settings, table, defaults)
        unit = settings.string("unit")
        if Int(address) + (table.holdsBits ? 1 : format.registers) > 0x10000 {
            settings.problem(
                at: "address", message: "\(format.registers) registers from there go beyond the last one, 65535")
        }

        let isNumber = format.kind != .bool && format.kind != .text
        factor = settings.number("scale") ?? 1
        offset = settings.number("offset") ?? 0
        if factor == 0 { settings.problem(at: "scale", message: "0 would make every value the same") }
        for key in ["scale", "offset"] where settings.has(key) && !isNumber {
            settings.problem(at: key, message: "is for numbers only", mend: "remove it, or give another type")
        }

        isWritable = settings.boolean("writable") ?? false
        if isWritable, !table.isWritable {
            settings.problem(
                at: "writable", message: "is for coils and holding registers only",
                mend: "a \(table.rawValue) \(table.holdsBits ? "input" : "register") can only be read")
        } else if isWritable, !table.holdsBits, !isNumber {
            settings.problem(
                at: "writable", message: "is for numbers and coils only",
                mend: "remove it; one bit of a register cannot be written alone")
        }
        if table.holdsBits {
            safe = settings.boolean("safe").map { .boolean($0) }
        } else {
            safe = settings.number("safe").map { .number($0) }
        }
        if settings.has("safe"), !isWritable {
            settings.problem(at: "safe", message: "is for what is writable", mend: "write writable = true")
        }
        if let safe, isWritable, action(setting: safe) == nil {
            settings.problem(at: "safe", message: "is no value that \(format.kind.rawValue) has")
        }
    }

    // MARK: Options

    private static func address(_ settings: SettingsReader, _ table: ModbusTable, _ defaults: Defaults) -> UInt16 {
        settings.require(
            "address", mend: "the number in the protocol, which begins with 0; or say first_address = 1")
        let first = defaults.firstAddress ?? 0
        guard let wanted = settings.integer("address") else { return 0 }
        // Far outside there is nothing to tell apart, and nothing below can overflow.
        let number = min(max(wanted, -1), 1_000_000)
        // 40001 means the first holding register in many manuals; but some devices have one at that address.
        if defaults.firstAddress == nil || number > 0xFFFF {
            for factor in [10_000, 100_000] where table.digit > 0 {
                let inManual = number - table.digit * factor
                if (1..<factor).contains(inManual), inManual <= 0x10000 {
                    let reallyMeant =
                        number > 0xFFFF ? "" : "; if \(number) is really the address, add first_address = 0"
                    settings.problem(
                        at: "address", message: "\(number) is the manuals' way to number \(table.rawValue) registers",
                        mend: "write \(inManual - 1)" + reallyMeant)
                    return 0
                }
            }
        }
        guard let address = UInt16(exactly: number - first) else {
            settings.problem(
                at: "address", message: "\(wanted) is out of range", mend: "allowed is \(first) to \(first + 0xFFFF)")
            return 0
        }
        return address
    }

    private static func format(
        _ settings: SettingsReader, _ table: ModbusTable, _ defaults: Defaults
    ) -> ModbusFormat {
        let own = settings.choice("type", of: ModbusFormat.Kind.self)
        let wordOrder = settings.choice("word_order", of: ModbusFormat.Order.self) ?? defaults.wordOrder
        let byteOrder = settings.choice("byte_order", of: ModbusFormat.Order.self) ?? defaults.byteOrder
        let bit = settings.integer("bit", in: 0...15)
        let length = settings.integer("length", in: 1...125)

        if table.holdsBits {
            for key in ["type", "bit", "length", "word_order", "byte_order"] where settings.has(key) {
                if key == "type", own == .bool || own == nil { continue }
                settings.problem(
                    at: key, message: "is for registers only", mend: "a \(table.rawValue) is always true or false")
            }
            return ModbusFormat(.bool)
        }
        let kind = own ?? defaults.kind ?? .uint16
        if settings.has("bit"), kind != .bool {
            settings.problem(at: "bit", message: "is for type = \"bool\" only", mend: "remove it, or change the type")
        }
        if kind == .bool, bit == nil {
            settings.problem(at: "bit", message: "is missing", mend: "say which of the register's bits, 0 to 15")
        }
        if kind == .text ? length == nil && !settings.has("length") : settings.has("length") {
            settings.problem(
                at: "length", message: kind == .text ? "is missing" : "is for type = \"text\" only",
                mend: kind == .text ? "say how many registers the text has" : "remove it")
        }
        var format = ModbusFormat(kind, registers: length)
        format.wordOrder = wordOrder
        format.byteOrder = byteOrder
        format.bit = bit ?? 0
        return format
    }

    // MARK: Values

    /// - Parameter bytes: the channel's own, as they came; one of 0 or 1 for a bit.
    func measurement(_ bytes: [UInt8], from place: String) throws(SensorError) -> Measurement {
        if table.holdsBits { return Measurement(channel: name, .boolean(bytes.first == 1), unit: unit) }
        let place = "\(place) \(table.rawValue) \(address)"
        switch format.decoded(bytes) {
        case .number(let raw):
            let number = LinearScale(factor: factor, offset: offset)(raw)
            guard number.isFinite else { throw SensorError(.malformed, place, "scaled is not a finite number") }
            return Measurement(channel: name, .number(number), unit: unit)
        case .some(let value): return Measurement(channel: name, value, unit: unit)
        case nil:
            throw SensorError(
                .unavailable, place, "holds no number",
                mend: "the device may have no value now; if never, check address, type and word_order")
        }
    }

    /// What sets it to a value; nil if it cannot have that.
    func action(setting value: Reading.Value) -> ModbusRequest.Action? {
        switch value {
        case .boolean(let isOn) where table == .coil: .writeCoil(isOn)
        case .number(let number) where table == .coil && (number == 0 || number == 1): .writeCoil(number == 1)
        case .number(let number) where table == .holding:
            format.encoded((number - offset) / factor).map { .writeRegisters($0) }
        default: nil
        }
    }
}

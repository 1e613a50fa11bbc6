internal import Units

/// Records that share a name's beginning and a time (RFC 8428 §4).
struct SenMLPack {
    enum Value: Hashable {
        case number(Double)
        case boolean(Bool)
        case text(String)
    }

    struct Record {
        /// What follows the base name.
        var name: String
        var unit: String?
        var value: Value
        /// In milliseconds behind the base time.
        var offset: Int64 = 0
    }

    var baseName: String
    /// Nil: the records have no time, which means about now (§4.5.3).
    var baseTime: Timestamp?
    var records: [Record]

    /// Fields with the labels of JSON and of CBOR (§4.3, §6), in the deterministic order of the latter.
    private func fields(of record: Record, isFirst: Bool) -> [(name: String, label: Int64, value: Value)] {
        var fields: [(name: String, label: Int64, value: Value)] = [("n", 0, .text(record.name))]
        if let unit = record.unit { fields.append(("u", 1, .text(unit))) }
        switch record.value {
        case .number: fields.append(("v", 2, record.value))
        case .text: fields.append(("vs", 3, record.value))
        case .boolean: fields.append(("vb", 4, record.value))
        }
        if record.offset != 0 { fields.append(("t", 6, .number(Double(record.offset) / 1000))) }
        if isFirst {
            fields.append(("bn", -2, .text(baseName)))
            if let baseTime { fields.append(("bt", -3, .number(baseTime.seconds))) }
        }
        return fields
    }

    var json: String {
        JSON.array(
            records.enumerated().map { index, record in
                let fields = fields(of: record, isFirst: index == 0)
                // Readers find what concerns all records in front.
                let ordered = fields.filter { $0.label < 0 } + fields.filter { $0.label >= 0 }
                return .object(ordered.map { JSON.Member($0.name, $0.value.json) })
            }
        ).text
    }

    var cbor: [UInt8] {
        var encoder = CBOREncoder()
        encoder.beginArray(count: records.count)
        for (index, record) in records.enumerated() {
            let fields = fields(of: record, isFirst: index == 0)
            encoder.beginMap(count: fields.count)
            for field in fields {
                encoder.write(field.label)
                switch field.value {
                case .number(let number): encoder.write(number)
                case .boolean(let boolean): encoder.write(boolean)
                case .text(let text): encoder.write(text)
                }
            }
        }
        return encoder.bytes
    }
}

extension SenMLPack.Value {
    fileprivate var json: JSON {
        switch self {
        case .number(let number): .number(number)
        case .boolean(let boolean): .boolean(boolean)
        case .text(let text): .string(text)
        }
    }
}

import Units

/// The records of a pack with their base values resolved (RFC 8428 §4.6), as a reader has them.
enum SenMLResolver {
    struct Record: Equatable {
        var name: String
        var unit: String?
        var value: JSON?
        /// In milliseconds since 1970; nil: about now.
        var time: Int64?
    }

    static func records(_ text: String) throws -> [Record] {
        var baseName = ""
        var baseTime = 0.0
        return try (JSONReader.value(Array(text.utf8)[...]).array ?? []).map { record in
            baseName = record["bn"]?.string ?? baseName
            baseTime = record["bt"]?.number ?? baseTime
            let time = baseTime + (record["t"]?.number ?? 0)
            return Record(
                name: baseName + (record["n"]?.string ?? ""), unit: record["u"]?.string,
                value: record["v"] ?? record["vs"] ?? record["vb"],
                time: time == 0 ? nil : Int64((time * 1000).rounded()))
        }
    }
}

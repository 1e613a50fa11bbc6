internal import Units

/// InfluxDB's line protocol: `measurement,tag=value field=1.5,other=2i 1465839830100400200`, a point a line.
///
/// A field is a channel: the measurement, the tags' values and the field, joined by points; a field called "value" is
/// left out. `temperature,room=kitchen value=21.5` gives "temperature.kitchen", and `disk,path=/ used=5i,free=3i`
/// "disk./.used" and "disk./.free". Numbers with `i` or `u` are whole; `t`, `true`, `f`, `false` are booleans; texts
/// stand in quotes. Lines that begin with `#` say nothing.
struct LineProtocol {
    /// What time stamps count.
    enum Precision: String, CaseIterable, Sendable {
        case nanoseconds = "ns"
        case microseconds = "us"
        case milliseconds = "ms"
        case seconds = "s"

        /// Nil for a time beyond the year 9999.
        func timestamp(_ count: Int64) -> Timestamp? {
            let milliseconds: Int64? =
                switch self {
                case .nanoseconds: count / 1_000_000
                case .microseconds: count / 1000
                case .milliseconds: count
                case .seconds: count.magnitude < 1 << 40 ? count * 1000 : nil
                }
            return milliseconds.flatMap(Timestamp.init(reasonable:))
        }
    }

    private let place: String
    private let precision: Precision
    private let bytes: [UInt8]
    private var index = 0

    /// The measurements of each line in turn, or what is wrong with it.
    static func measurements(
        of bytes: [UInt8], precision: Precision, from place: String
    ) -> [Result<Measurement, SensorError>] {
        var parser = LineProtocol(place: place, precision: precision, bytes: bytes)
        var all: [Result<Measurement, SensorError>] = []
        var places: [String: Int] = [:]
        while parser.skipToPoint() {
            let start = parser.index
            do throws(InvalidText) {
                for measurement in try parser.point() { add(measurement, to: &all, &places) }
            } catch {
                parser.skipLine()
                let line = String(decoding: parser.bytes[start..<parser.index], as: UTF8.self)
                all.append(
                    .failure(
                        SensorError(
                            .malformed, place, "said \(KernelFile.quoted(String(line.trimmed))), which \(error)")))
            }
        }
        return all
    }

    /// Of a channel that has several points, the latest stays.
    private static func add(
        _ measurement: Measurement, to all: inout [Result<Measurement, SensorError>], _ places: inout [String: Int]
    ) {
        let channel = measurement.channel ?? ""
        guard let place = places[channel], case .success(let before) = all[place] else {
            places[channel] = all.count
            all.append(.success(measurement))
            return
        }
        if let old = before.time, let new = measurement.time, new < old { return }
        all[place] = .success(measurement)
    }

    private init(place: String, precision: Precision, bytes: [UInt8]) {
        self.place = place
        self.precision = precision
        self.bytes = bytes
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private var isAtEnd: Bool { next == nil || next == UInt8(ascii: "\n") || next == UInt8(ascii: "\r") }

    private mutating func skipLine() {
        while let byte = next {
            index += 1
            if byte == UInt8(ascii: "\n") { return }
        }
    }

    /// False if nothing more comes.
    private mutating func skipToPoint() -> Bool {
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: " "), UInt8(ascii: "\t"): index += 1
            case UInt8(ascii: "#"): skipLine()
            default: return true
            }
        }
        return false
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    /// One line, its end not included.
    private mutating func point() throws(InvalidText) -> [Measurement] {
        var series = [try name(until: ", ", of: "a measurement")]
        while take(",") {
            _ = try name(until: "=", of: "a tag")
            guard take("=") else { throw InvalidText("has a tag without a value") }
            series.append(try name(until: ", ", of: "a tag's value"))
        }
        guard take(" ") else { throw InvalidText("has no field") }
        skipSpaces()
        var fields: [(name: String, value: Reading.Value)] = []
        repeat {
            let name = try name(until: "=", of: "a field")
            guard take("=") else { throw InvalidText("has a field without a value") }
            fields.append((name, try value()))
        } while take(",")
        skipSpaces()
        let time = isAtEnd ? nil : try time()
        skipSpaces()
        guard isAtEnd else { throw InvalidText("goes on behind its time") }
        return fields.map { field in
            let path = field.name == "value" ? series : series + [field.name]
            return Measurement(channel: path.joined(separator: "."), field.value, time: time)
        }
    }

    private mutating func skipSpaces() { while take(" ") {} }

    /// Up to one of `ends`; commas, equals signs and spaces may be escaped.
    private mutating func name(until ends: StaticString, of what: String) throws(InvalidText) -> String {
        var name: [UInt8] = []
        while !isAtEnd, let byte = next, !ends.holds(byte) {
            index += 1
            if byte == UInt8(ascii: "\\"), let escaped = next, (", =" as StaticString).holds(escaped) {
                name.append(escaped)
                index += 1
            } else {
                name.append(byte)
            }
        }
        guard !name.isEmpty else { throw InvalidText("has \(what) without a name") }
        guard let text = String(validating: name, as: UTF8.self) else { throw InvalidText("is not in UTF-8") }
        return text
    }

    private mutating func value() throws(InvalidText) -> Reading.Value {
        if take("\"") { return .text(try text()) }
        let start = index
        while !isAtEnd, let byte = next, byte != UInt8(ascii: ","), byte != UInt8(ascii: " ") { index += 1 }
        let word = String(decoding: bytes[start..<index], as: UTF8.self)
        switch word {
        case "t", "T", "true", "True", "TRUE": return .boolean(true)
        case "f", "F", "false", "False", "FALSE": return .boolean(false)
        default: break
        }
        let number: Double? =
            switch word.last {
            case "i": Int64(word.dropLast()).map(Double.init)
            case "u": UInt64(word.dropLast()).map(Double.init)
            default: Double(word)
            }
        guard let number, number.isFinite else { throw InvalidText("has no value in \(KernelFile.quoted(word))") }
        return .number(number)
    }

    /// Up to the closing quotes; may hold the end of a line.
    private mutating func text() throws(InvalidText) -> String {
        var text: [UInt8] = []
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw InvalidText("is not in UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                if let escaped = next, escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\") {
                    text.append(escaped)
                    index += 1
                } else {
                    text.append(byte)
                }
            default: text.append(byte)
            }
        }
        throw InvalidText("has a text without its closing quotes")
    }

    private mutating func time() throws(InvalidText) -> Timestamp {
        let start = index
        while !isAtEnd, next != UInt8(ascii: " ") { index += 1 }
        let word = String(decoding: bytes[start..<index], as: UTF8.self)
        guard let count = Int64(word) else { throw InvalidText("has no time in \(KernelFile.quoted(word))") }
        guard let time = precision.timestamp(count) else {
            throw InvalidText("has a time beyond the year 9999", mend: "set precision")
        }
        return time
    }
}

extension StaticString {
    /// For the few separators of ASCII.
    fileprivate func holds(_ byte: UInt8) -> Bool { withUTF8Buffer { $0.contains(byte) } }
}

extension Timestamp {
    /// An instant that somebody else names; nil beyond the years 0 to 9999, which nobody can have measured in.
    init?(reasonable milliseconds: Int64) {
        guard (-62_167_219_200_000...253_402_300_799_999).contains(milliseconds) else { return nil }
        self.init(milliseconds: milliseconds)
    }
}

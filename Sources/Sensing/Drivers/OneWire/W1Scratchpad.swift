/// What `w1_slave` says: the nine bytes of a thermometer's memory, whether their checksum fits, and the temperature.
///
///     50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
///     50 05 4b 46 7f ff 0c 10 1c t=85000
struct W1Scratchpad {
    let bytes: [UInt8]
    let isIntact: Bool
    /// In m°C.
    let temperature: Double

    /// Nil for another kind of text.
    init?(_ text: String) {
        let lines = text.split(separator: "\n")
        guard lines.count >= 2, let last = lines[1].split(separator: " ").last, last.hasPrefix("t="),
            let temperature = Double(last.dropFirst(2)), temperature.isFinite
        else { return nil }
        let words = lines[0].split(separator: " ")
        bytes = words.prefix { $0 != ":" }.compactMap { UInt8($0, radix: 16) }
        guard bytes.count == 9 else { return nil }
        isIntact = words.last == "YES"
        self.temperature = temperature
    }
}

/// /proc/meminfo: "MemAvailable:    2983712 kB" and many more.
struct MemoryInformation {
    private var bytes: [String: Double] = [:]

    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0].last == ":", words[2] == "kB", let number = Double(words[1]) else {
                continue
            }
            bytes[String(words[0].dropLast())] = number * 1024
        }
    }

    /// In bytes.
    subscript(name: String) -> Double? { bytes[name] }
}

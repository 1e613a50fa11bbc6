/// How strong the stations of the wireless interfaces come in, from /proc/net/wireless:
///
///     Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
///      face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
///      wlan0: 0000   54.  -56.  -256        0      0      0      0      0        0
struct WirelessSignals {
    private var levels: [String: Double] = [:]

    /// Without the file, which not every kernel has, nothing is known.
    init(path: String) {
        self.init((try? KernelFile.text(path)) ?? "")
    }

    init(_ text: String) {
        for line in text.split(separator: "\n").dropFirst(2) {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard words.count > 3, words[0].last == ":" else { continue }
            // The point says that the value is new.
            let level = words[3].last == "." ? words[3].dropLast() : words[3]
            // What is not negative is no dBm, but a share of something that only the driver knows.
            guard let number = Double(level), number < 0, number > -256 else { continue }
            levels[String(words[0].dropLast())] = number
        }
    }

    subscript(interface: String) -> Double? { levels[interface] }
}

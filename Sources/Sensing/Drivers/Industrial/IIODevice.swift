/// A device of the industrial I/O subsystem, as it is found at present.
struct IIODevice {
    /// "bme280"
    let name: String
    /// What the device tree calls it.
    let label: String?
    /// What it hangs on: "1-0076".
    let parent: String?

    private let folder: String

    /// Nil if it has no name: it went while we looked.
    init?(_ folder: String) {
        guard let name = try? KernelFile.text("\(folder)/name"), !name.isEmpty else { return nil }
        self.name = name
        self.folder = folder
        let label = (try? KernelFile.text("\(folder)/label")) ?? ""
        self.label = label.isEmpty ? nil : label
        parent = KernelFolder.linkComponents(folder).dropLast().last { $0 != ".." }
    }

    static func all(in place: String) throws(SensorError) -> [IIODevice] {
        try KernelFolder.names(in: place).filter { $0.hasPrefix("iio:device") }.compactMap {
            IIODevice("\(place)/\($0)")
        }
    }

    /// What a configuration may call it.
    var names: [String] { [name, label, parent].compactMap { $0 } }

    var title: String {
        let others = [label, parent].compactMap { $0 }
        return others.isEmpty ? name : "\(name) (\(others.joined(separator: ", ")))"
    }

    /// For errors: where it is, and what.
    var place: String { "\(folder) (\(name))" }

    func channels() throws(SensorError) -> [IIOChannel] {
        let names = Set(try KernelFolder.names(in: folder))
        let offset: Double? = name == "hx711" ? -0x1p23 : nil
        return names.sorted().compactMap { IIOChannel(attribute: $0, among: names, in: folder, untoldOffset: offset) }
    }
}

/// A disk, or a part of one, in sysfs.
struct BlockDevice {
    /// "mmcblk0", "sda1"
    let name: String

    private let folder: String

    /// - Parameter device: its name, or a path in /dev, which may be a link.
    init(_ device: String, in context: DriverContext) throws(SensorError) {
        var name = device
        if device.hasPrefix("/") {
            let path = context.path(device)
            name = KernelFolder.linkTarget(path) ?? device.split(separator: "/").last.map(String.init) ?? device
        }
        let place = context.path("/sys/class/block")
        let known = try KernelFolder.names(in: place)
        guard known.contains(name) else {
            let disks = known.filter { !$0.hasPrefix("loop") && !$0.hasPrefix("ram") }
            throw SensorError(
                .missing, place, "has no device \"\(device)\"",
                mend: disks.isEmpty ? "it has none at all" : "it has \(disks.joined(separator: ", "))")
        }
        self.name = name
        folder = "\(place)/\(name)"
    }

    /// Bytes read and written, and seconds in which something was under way, since the start.
    func counts() throws(SensorError) -> (read: Double, written: Double, busy: Double) {
        let path = "\(folder)/stat"
        let text = try KernelFile.text(path)
        let numbers = text.split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
        guard numbers.count >= 10 else {
            throw SensorError(.malformed, path, "says \(KernelFile.quoted(text)), which are no ten numbers")
        }
        // A sector is 512 bytes here, whatever the disk's are.
        return (numbers[2] * 512, numbers[6] * 512, numbers[9] / 1000)
    }

    /// How much of its life an eMMC has behind it, for two types of cells: nothing, where it does not tell.
    func lifeUsed() throws(SensorError) -> [Measurement?] {
        guard let text = try attribute("life_time") else { return [] }
        return try text.split(separator: " ").prefix(2).map { word throws(SensorError) in
            switch try KernelFile.number(String(word), from: "\(folder)/device/life_time") {
            case 0: nil
            case 1...10: Measurement(.number(try KernelFile.number(String(word), from: folder) * 10), unit: "%")
            default:
                Measurement(
                    .number(100), unit: "%", quality: .outOfRange("it has outlived the life that was estimated for it"))
            }
        }
    }

    /// What its spare blocks are like.
    func reserve() throws(SensorError) -> String? {
        guard let text = try attribute("pre_eol_info") else { return nil }
        switch try KernelFile.number(text, from: "\(folder)/device/pre_eol_info") {
        case 1: return "normal"
        case 2: return "warning"
        case 3: return "urgent"
        default: return nil
        }
    }

    private func attribute(_ name: String) throws(SensorError) -> String? {
        do throws(SensorError) {
            return try KernelFile.text("\(folder)/device/\(name)")
        } catch let error where error.kind == .missing {
            return nil
        }
    }
}

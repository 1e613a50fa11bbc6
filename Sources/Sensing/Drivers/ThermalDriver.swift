public import Settings
public import Units

/// `driver = "thermal"`: the kernel's thermal zones, such as a board's processor, in °C.
///
///     [[sensor]]
///     name = "processor"
///     driver = "thermal"
///     zone = "cpu-thermal"
///
/// Options:
/// - `zone`: a zone's type ("cpu-thermal"), or its folder's name ("thermal_zone0", which may change from start to
///   start). Default: all zones, a channel each, called after its type; zones of one type are called
///   "type.number".
///
/// Failure modes: no such zone (the error lists those there are); the zone is switched off (ENODATA: left out if other
/// zones give a value), not ready (EAGAIN), or says less than absolute zero.
/// Documentation/driver-api/thermal/sysfs-api.rst: `temp` is in m°C.
public struct ThermalDriver: SensorDriver {
    public static let name = "thermal"

    private struct Zone {
        var number: Int
        var type: String
        var folder: String
    }

    private let context: DriverContext
    private let zone: String?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        zone = settings.string("zone")
    }

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let place = context.path("/sys/class/thermal")
        let zones = try zones(in: place)
        guard !zones.isEmpty else { throw SensorError(.missing, place, "has no thermal zone") }
        guard let zone else { return try measure(zones) }

        let chosen = zones.filter { $0.type == zone || zone == "thermal_zone\($0.number)" }
        switch chosen.count {
        case 0:
            let known = zones.map { "\($0.type) (thermal_zone\($0.number))" }.joined(separator: ", ")
            throw SensorError(.missing, place, "has no zone \"\(zone)\"", mend: "it has \(known)")
        case 1: return [Self.measurement(try KernelFile.celsius("\(chosen[0].folder)/temp"), channel: nil)]
        default: return try measure(chosen)
        }
    }

    private func zones(in place: String) throws(SensorError) -> [Zone] {
        var zones: [Zone] = []
        for name in try KernelFolder.names(in: place) where name.hasPrefix("thermal_zone") {
            let folder = "\(place)/\(name)"
            // A zone may go while we look.
            guard let number = Int(name.dropFirst("thermal_zone".count)),
                let type = try? KernelFile.text("\(folder)/type")
            else { continue }
            zones.append(Zone(number: number, type: type, folder: folder))
        }
        return zones.sorted { $0.number < $1.number }
    }

    private func measure(_ zones: [Zone]) throws(SensorError) -> [Measurement] {
        let count = zones.reduce(into: [:]) { $0[$1.type, default: 0] += 1 }
        return try SensorError.collect(
            zones.map { zone in
                let channel = count[zone.type] == 1 ? zone.type : "\(zone.type).\(zone.number)"
                return Result { () throws(SensorError) in
                    Self.measurement(try KernelFile.celsius("\(zone.folder)/temp"), channel: channel)
                }.of(channel)
            })
    }

    private static func measurement(_ celsius: Double, channel: String?) -> Measurement {
        Measurement(channel: channel, .number(celsius), unit: "°C")
    }
}

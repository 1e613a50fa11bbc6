internal import MQTTWire
public import Settings
public import Units

/// Who a board is among Sparkplug's Edge Nodes, and how it behaves as one.
///
///     [[uplink]]
///     profile = "sparkplug"
///     group = "Plant 1"
///     node = "press-7"                       # default: the device's id
///     devices = { "boiler" = ["temperature", "pressure"], "pump" = ["flow"] }
///     primary_host = "scada"
///     rebirth_wait = "5s"
///
/// - `group`, `node`: the group ID and the edge node ID (Sparkplug 3.0 §4.2): what is unique in the plant together.
/// - `device`: all sensors are metrics of this one device of the node, or
/// - `devices`: which sensors are metrics of which devices; those of no device, and all without either of the two, are
///   metrics of the node itself.
/// - `primary_host`: the host application without which the node keeps its readings to itself (§5.4). When it goes, the
///   node says its death, and waits for it on another connection, of the next server if there are several.
/// - `rebirth_wait`: births follow each other not closer than this, however many are asked for.
/// - `maximum_metrics`: further metrics are dropped, and counted. A sensor with ever new channels must not fill the memory.
public struct SparkplugSettings: Sendable, Hashable {
    public let group: String
    public let node: String
    public let primaryHost: String?
    public let rebirthWait: Duration
    public let maximumMetrics: Int
    /// That all sensors belong to.
    let onlyDevice: String?
    /// By sensor.
    let devices: [String: String]

    public static let defaultRebirthWait = Duration.seconds(5)
    public static let defaultMaximumMetrics = 5000

    /// - Parameter devices: which sensors belong to which devices.
    /// - Throws: ``InvalidText`` when an identifier cannot be a part of a topic.
    public init(
        group: String, node: String, device: String? = nil, devices: [String: [String]] = [:],
        primaryHost: String? = nil, rebirthWait: Duration = Self.defaultRebirthWait,
        maximumMetrics: Int = Self.defaultMaximumMetrics
    ) throws(InvalidText) {
        self.group = try Self.group(group)
        self.node = try Self.identifier(node)
        self.primaryHost = if let primaryHost { try Self.identifier(primaryHost) } else { nil }
        self.rebirthWait = rebirthWait
        self.maximumMetrics = max(maximumMetrics, 1)
        onlyDevice = if let device { try Self.identifier(device) } else { nil }
        var bySensor: [String: String] = [:]
        for (device, sensors) in devices {
            _ = try Self.identifier(device)
            for sensor in sensors {
                if let other = bySensor.updateValue(device, forKey: sensor) {
                    throw InvalidText("\"\(sensor)\" is of two devices, \"\(device)\" and \"\(other)\"")
                }
            }
        }
        self.devices = bySensor
    }

    /// Reads an uplink's table; what is wrong is told to its problems.
    ///
    /// - Parameter device: the board's id.
    public init?(_ settings: SettingsReader, device: String) {
        settings.require("group", mend: #"name the plant, as in group = "Plant 1""#)
        let group = settings.parsed("group", Self.group)
        let node = settings.has("node") ? settings.parsed("node", Self.identifier) : device
        let only = settings.parsed("device", Self.identifier)
        let host = settings.parsed("primary_host", Self.identifier)
        let wait =
            settings.duration("rebirth_wait", in: .milliseconds(100) ... .seconds(3600)) ?? Self.defaultRebirthWait
        let maximum = settings.integer("maximum_metrics", in: 1...50_000) ?? Self.defaultMaximumMetrics
        let devices = Self.devices(settings)
        if settings.has("device"), settings.has("devices") {
            settings.problem(
                at: "device", message: "stands beside devices", mend: "list its sensors under devices, or leave one out"
            )
        }
        guard let group, let node, let devices else { return nil }
        do {
            try self.init(
                group: group, node: node, device: only, devices: devices, primaryHost: host, rebirthWait: wait,
                maximumMetrics: maximum)
        } catch {
            settings.problem(
                at: settings.has("devices") ? "devices" : "node", message: error.message, mend: error.mend)
            return nil
        }
    }

    private static func devices(_ settings: SettingsReader) -> [String: [String]]? {
        guard settings.has("devices") else { return [:] }
        guard let table = settings.anyTable("devices") else { return nil }
        var devices: [String: [String]] = [:]
        for entry in table.entries {
            let values: [Value] = if case .array(let values) = entry.value.kind { values } else { [entry.value] }
            let names = values.compactMap { if case .string(let name) = $0.kind { name } else { nil } }
            guard names.count == values.count else {
                settings.problem(
                    at: "devices", message: "\"\(entry.key)\" has something else than names of sensors",
                    mend: #"write it as in { "boiler" = ["temperature", "pressure"] }"#)
                return nil
            }
            devices[entry.key] = names
        }
        return devices
    }

    private static func group(_ text: String) throws(InvalidText) -> String {
        // Where a group's name stands, this one means the state of a host.
        if text == "STATE" { throw InvalidText("\"STATE\" is no name for a group", mend: "name it otherwise") }
        return try identifier(text)
    }

    /// - Throws: if it cannot be one (§4.2: UTF-8 without `+`, `/` and `#`).
    private static func identifier(_ text: String) throws(InvalidText) -> String {
        let mend = "it becomes a part of topics: use letters, digits, blanks, - and _"
        if text.isEmpty { throw InvalidText("is empty", mend: mend) }
        if text.utf8.count > 128 { throw InvalidText("is longer than 128 bytes", mend: mend) }
        if let bad = text.first(where: { $0 == "/" || $0 == "+" || $0 == "#" }) {
            throw InvalidText("\"\(text)\" holds \"\(bad)\"", mend: mend)
        }
        if text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            throw InvalidText("holds a control character", mend: mend)
        }
        return text
    }

    /// The sensors that `devices` names: whoever knows the sensors can check them.
    public var sensorsOfDevices: [String] { devices.keys.sorted() }

    // MARK: Topics

    /// The device that a sensor's metrics belong to; nil: the node itself.
    func device(of sensor: String) -> String? { onlyDevice ?? devices[sensor] }

    /// The sensor that a metric is of, and its device: its name is `sensor`, or `sensor/channel` where a channel's name
    /// may hold slashes too. Alarms are the node's own.
    func owner(ofMetric name: String) -> (sensor: String, device: String?) {
        if name.hasPrefix("Alarms/") { return (name, nil) }
        var sensor = name[...]
        while devices[String(sensor)] == nil, let slash = sensor.lastIndex(of: "/") { sensor = sensor[..<slash] }
        return (String(sensor), device(of: String(sensor)))
    }

    enum Verb: String {
        case birth = "BIRTH"
        case data = "DATA"
        case death = "DEATH"
        case command = "CMD"
    }

    static let namespace = "spBv1.0/"

    /// `spBv1.0/group/NDATA/node`, `spBv1.0/group/DDATA/node/device` (§4.1).
    func topic(_ verb: Verb, device: String? = nil) throws(TopicError) -> TopicName {
        let level = device.map { "D\(verb.rawValue)/\(node)/\($0)" } ?? "N\(verb.rawValue)/\(node)"
        return try TopicName("\(Self.namespace)\(group)/\(level)")
    }

    /// `spBv1.0/STATE/host` (§4.5).
    var stateTopic: String? { primaryHost.map { "\(Self.namespace)STATE/\($0)" } }
}

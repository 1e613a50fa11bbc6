internal import MQTT
public import MQTTWire
internal import Pipeline
internal import Sensing
internal import Settings
internal import Units
public import Uplink

extension AgentConfiguration {
    /// `[uplink]` or `[[uplink]]`: in which form readings and alarms leave the board, and to whom.
    public struct Uplink: Sendable {
        /// `name`: its own, fit for topics. Default: its profile's.
        public var name = "plain"
        /// `profile`
        public var profile = Profile.plain
        /// `topic`: with `{device}`, `{sensor}` and `{channel}` to be filled in. Default: "fieldpost/{device}/{sensor}".
        public var topic = TopicTemplate.reading
        /// `qos`: 0, 1 or 2.
        public var qos = QoS.atLeastOnce
        /// `retain`: whether the broker keeps each sensor's last reading for those who come later.
        public var retain = false
        /// `sequence`: whether payloads carry the queue's number of the message as "seq": it counts everything that the
        /// board accepts, so whoever subscribes to all of a board's topics sees in a gap that something was given up.
        public var sequence = false
        /// `payload`: "json", "number", or a template; see ``PayloadTemplate``.
        public var payload = PlainFormat.json
        /// `sensors`: of which sensors it tells, and of their alarms. Default: of all.
        public var sensors: Set<String>?
        /// `[uplink.broker]`, as `[broker]`: a connection of its own. Default: that of `[broker]`.
        public var broker: Broker?
        /// `[uplink.queue]`, as `[queue]`: what waits for that connection. Default: as `[queue]`, in a file "queue-NAME.db".
        public var queue: Queue?

        public init() {}

        /// The file of its queue, where it does not name it.
        var queueName: String { "queue-\(name).db" }

        /// `profile`
        public enum Profile: Sendable {
            /// "plain": a message for each reading, and one for each alarm.
            case plain
            /// "senml": RFC 8428.
            case senml(SenMLProfile)
            /// "homeassistant": as plain, and what makes Home Assistant show it.
            case homeAssistant(HomeAssistantSettings)
            /// "onenet": OneNET's data points or thing model, on a connection of its own.
            case oneNET(OneNETSettings)
            /// "sparkplug": Sparkplug B 3.0, on a connection of its own.
            case sparkplug(SparkplugSettings)

            /// Whether readings go as plain ones do.
            var isPlain: Bool {
                switch self {
                case .plain, .homeAssistant: true
                case .senml, .oneNET, .sparkplug: false
                }
            }

            /// Whether it goes by Fieldpost's own manners, and can share a connection with others that do.
            var isSociable: Bool {
                switch self {
                case .plain, .senml, .homeAssistant: true
                case .oneNET, .sparkplug: false
                }
            }
        }
    }

    /// Where readings go that sensors say nothing about.
    var plainUplink: Uplink {
        uplinks.first(where: \.profile.isPlain) ?? Uplink()
    }
}

extension AgentConfiguration.Uplink.Profile {
    /// Refuses what a platform decides itself: it would look as if it counted.
    ///
    /// - Parameter broker: the table of its connection.
    func refuse(_ broker: SettingsReader) {
        func refuse(_ keys: [String], _ why: String, _ mend: String = "leave it out") {
            for key in keys where broker.has(key) { broker.problem(at: key, message: why, mend: mend) }
        }
        switch self {
        case .plain, .senml, .homeAssistant: return
        case .oneNET:
            refuse(["username"], "is the product's id on OneNET", "leave it out, and write product under the uplink")
            refuse(["client_id"], "is the device's name on OneNET", "leave it out, and write device under the uplink")
            refuse(
                ["password", "password_file"], "is a token on OneNET, signed at each connect",
                "leave it out, and write key_file under the uplink")
            refuse(["keep_alive"], "is not that of OneNET's uplink", "write keep_alive under the uplink, not here")
            refuse(["session_expiry", "shared_sessions", "maximum_qos"], "is not for OneNET, which keeps no sessions")
            if broker.string("version") == "5" {
                broker.problem(at: "version", message: "OneNET speaks 3.1.1 only", mend: "leave it out")
            }
        case .sparkplug:
            refuse(["session_expiry", "shared_sessions"], "is not for Sparkplug, whose sessions are clean")
            refuse(["return_after"], "is not for Sparkplug, whose hosts would see a death in it")
        }
    }
}

extension AgentConfiguration {
    /// Looks whether what uplinks name is there; said are the names of sensors, alarms and programs.
    func checkNames(ofUplinks root: SettingsReader) {
        let names = sensors.map(\.name)
        func problem(_ uplink: Uplink, _ message: String, _ mend: String?) {
            root.problem(at: "uplink", message: "\"\(uplink.name)\" names \(message)", mend: mend)
        }
        for alarm in alarms where names.contains(alarm.sensor) {
            guard uplinks.allSatisfy({ $0.sensors.map { !$0.contains(alarm.sensor) } ?? false }) else { continue }
            root.warning(
                at: "uplink",
                message: "nobody is told of the alarm \"\(alarm.name)\": its sensor is in no uplink's sensors",
                mend: "write \"\(alarm.sensor)\" into the sensors of one")
        }
        for uplink in uplinks {
            for name in (uplink.sensors ?? []).union(uplink.profile.sensors).sorted() where !names.contains(name) {
                problem(
                    uplink, "the sensor \"\(name)\", which is not there",
                    names.nearest(to: name).map { "did you mean \"\($0)\"?" })
            }
            checkPlaces(of: uplink, root)
            guard case .oneNET(let settings) = uplink.profile else { continue }
            let outputs = settings.allOutputs.sorted()
            for name in outputs where sensors.contains(where: { $0.name == name && !$0.isOutput }) {
                problem(
                    uplink, "the output \"\(name)\", which cannot be set",
                    "name sensors whose driver can be set: gpio with direction = \"output\", pwm, led, file")
            }
            for name in Set(settings.services.values).sorted()
            where !(commands?.programs ?? []).contains(where: { $0.name == name }) {
                problem(uplink, "the program \"\(name)\", which is not there", "write it under [[commands.program]]")
            }
            for name in outputs where !(commands?.maySet(name) ?? false) {
                root.warning(
                    at: "uplink",
                    message: "\"\(uplink.name)\" would let OneNET set \"\(name)\", and [commands] does not",
                    mend: #"write "set" into its allow, and the sensor into its outputs if it has any"#)
            }
        }
    }
}

extension AgentConfiguration {
    /// Platforms have fewer characters for names than we do: two that become one would be mixed up.
    private func checkPlaces(of uplink: Uplink, _ root: SettingsReader) {
        let told = sensors.map(\.name).filter { uplink.sensors?.contains($0) ?? true }
        let alarms = alarms.filter { told.contains($0.sensor) }
        var places: [(name: String, place: String)]
        let mend: String
        switch uplink.profile {
        case .plain, .homeAssistant, .sparkplug: return
        case .senml:
            places = told.map { ($0, SenMLProfile.recordName(of: $0)) }
            places += alarms.map { ($0.name, "alarm/\(SenMLProfile.recordName(of: $0.name))") }
            mend = "give one of them a name whose letters, digits and - differ"
        case .oneNET(let settings):
            let profile = OneNETProfile(settings)
            places = told.map { ($0, profile.place(of: $0)) }
            places += alarms.map { ($0.name, profile.place(of: $0.name, alarmOf: $0.sensor)) }
            mend = "give one of them another, under identifiers of the uplink"
        }
        var names: [String: String] = [:]
        for (name, place) in places {
            if let other = names.updateValue(name, forKey: place) {
                // A board that has run so is not to stand still after an update.
                root.warning(
                    at: "uplink",
                    message:
                        "\"\(uplink.name)\" would tell of \"\(other)\" and \"\(name)\" under one name, \"\(place)\"",
                    mend: mend)
            }
        }
    }
}

extension AgentConfiguration.Uplink.Profile {
    /// The one that its platform prescribes.
    fileprivate var clientID: String? {
        if case .oneNET(let settings) = self { settings.credentials.device } else { nil }
    }

    /// The sensors that it names.
    fileprivate var sensors: Set<String> {
        switch self {
        case .plain, .senml, .homeAssistant: []
        case .oneNET(let settings): settings.subDevices.reduce(into: settings.allOutputs) { $0.formUnion($1.sensors) }
        case .sparkplug(let settings): Set(settings.sensorsOfDevices)
        }
    }
}

extension OneNETSettings {
    /// Sensors that it lets the platform set.
    fileprivate var allOutputs: Set<String> {
        Set((Array(outputs.values) + subDevices.flatMap(\.outputs.values)).map(\.sensor))
    }
}

extension CommandSettings {
    fileprivate func maySet(_ sensor: String) -> Bool {
        allowed.contains(.set) && (outputs?.contains(sensor) ?? true)
    }
}

/// The tables of uplinks, while they are read.
struct UplinkReader {
    let device: String
    let isPublic: Bool
    let stateDirectory: String

    func uplinks(_ root: SettingsReader) -> [AgentConfiguration.Uplink] {
        var names: [String: String] = [:]
        let uplinks = root.tableOrTables("uplink").map { settings in
            let uplink = uplink(settings)
            if let owner = names[uplink.name] {
                settings.problem(
                    at: settings.has("name") ? "name" : "profile",
                    message: "\"\(uplink.name)\" is the name of \(owner) too",
                    mend: #"give each uplink its own, as name = "second""#)
            }
            names[uplink.name] = settings.keyPath
            return uplink
        }
        return uplinks.isEmpty ? [AgentConfiguration.Uplink()] : uplinks
    }

    /// Looks whether the uplinks of one connection get on with each other.
    func check(
        _ uplinks: [AgentConfiguration.Uplink], _ main: (AgentConfiguration.Broker, AgentConfiguration.Queue),
        bridges: Bool, _ root: SettingsReader
    ) {
        checkConnections(uplinks, main, root)
        let shared = uplinks.filter { $0.broker == nil }
        if let loner = shared.first(where: { !$0.profile.isSociable }) {
            if shared.count > 1 {
                root.problem(
                    at: "uplink",
                    message: "\"\(loner.name)\" wants the connection of [broker] for itself, and others use it too",
                    mend: "give it its own, under [uplink.broker]")
            }
            if bridges {
                root.problem(
                    at: "bridge", message: "nothing can be carried over the connection of \"\(loner.name)\"",
                    mend: "give that uplink its own, under [uplink.broker]")
            }
        }
        checkDiscovery(uplinks, main.0, root)
        let plain = shared.filter(\.profile.isPlain)
        for (index, uplink) in plain.enumerated() {
            guard let twin = plain[..<index].first(where: { $0.topic == uplink.topic }) else { continue }
            root.problem(
                at: "uplink",
                message: "\"\(twin.name)\" and \"\(uplink.name)\" would both send each reading to \(uplink.topic)",
                mend: #"leave one of them out ("homeassistant" sends what "plain" does), or give it another topic"#)
        }
    }

    /// Two that announce a board under one prefix at one broker would take away what the other has announced.
    private func checkDiscovery(
        _ uplinks: [AgentConfiguration.Uplink], _ main: AgentConfiguration.Broker, _ root: SettingsReader
    ) {
        var others: [(name: String, prefix: String, places: Set<String>)] = []
        for uplink in uplinks {
            guard case .homeAssistant(let settings) = uplink.profile else { continue }
            let places = Set((uplink.broker ?? main).servers.map(\.place))
            if let twin = others.first(where: {
                $0.prefix == settings.discoveryPrefix && !$0.places.isDisjoint(with: places)
            }) {
                root.problem(
                    at: "uplink",
                    message: "\"\(twin.name)\" and \"\(uplink.name)\" would both announce the board under "
                        + "\(settings.discoveryPrefix)/, and take away each other's sensors",
                    mend: "leave one of them out, or give it another discovery_prefix")
            }
            others.append((uplink.name, settings.discoveryPrefix, places))
        }
    }

    /// Two connections in one queue, or under one name at one broker, would put each other out.
    private func checkConnections(
        _ uplinks: [AgentConfiguration.Uplink], _ main: (AgentConfiguration.Broker, AgentConfiguration.Queue),
        _ root: SettingsReader
    ) {
        var others = [
            (
                name: "[broker]", broker: main.0, queue: main.1,
                id: uplinks.lazy.filter { $0.broker == nil }.compactMap(\.profile.clientID).first ?? main.0.clientID
            )
        ]
        for uplink in uplinks {
            guard let broker = uplink.broker, let queue = uplink.queue else { continue }
            let id = uplink.profile.clientID ?? broker.clientID
            for other in others {
                if other.queue.path == queue.path {
                    root.problem(
                        at: "uplink", message: "\"\(uplink.name)\" has the queue of \(other.name), \(queue.path)",
                        mend: "give it its own, as path under [uplink.queue], or leave the path out")
                }
                let places = Set(other.broker.servers.map(\.place))
                if other.id == id,
                    broker.servers.contains(where: { places.contains($0.place) })
                {
                    root.problem(
                        at: "uplink",
                        message: "\"\(uplink.name)\" and \(other.name) go to one server as \"\(id)\"",
                        mend: "give one of them another client_id: a server lets only one stay")
                }
            }
            others.append(("\"\(uplink.name)\"", broker, queue, id))
        }
    }

    private func uplink(_ settings: SettingsReader) -> AgentConfiguration.Uplink {
        var uplink = AgentConfiguration.Uplink()
        let kind = settings.choice("profile", of: Kind.self) ?? .plain
        uplink.name = settings.parsed("name", TopicLevel.check) ?? kind.rawValue
        switch kind {
        case .plain, .homeassistant:
            if kind == .homeassistant, let homeAssistant = HomeAssistantSettings(settings) {
                uplink.profile = .homeAssistant(homeAssistant)
            }
            uplink.topic = settings.topicTemplate() ?? uplink.topic
            uplink.qos = settings.qos() ?? uplink.qos
            uplink.retain = settings.boolean("retain") ?? uplink.retain
            uplink.sequence = settings.boolean("sequence") ?? uplink.sequence
            uplink.payload =
                settings.parsed("payload") { text throws(InvalidText) in try PlainFormat(parsing: text) }
                ?? uplink.payload
        case .onenet: if let oneNET = OneNETSettings(settings, device: device) { uplink.profile = .oneNET(oneNET) }
        case .sparkplug:
            if let sparkplug = SparkplugSettings(settings, device: device) { uplink.profile = .sparkplug(sparkplug) }
        case .senml: if let profile = SenMLProfile(settings, device: device) { uplink.profile = .senml(profile) }
        }
        uplink.sensors = settings.strings("sensors").map { Set($0) }
        if let table = settings.table("broker") {
            uplink.profile.refuse(table)
            let client = "\(device)-\(uplink.name)"
            uplink.broker = AgentConfiguration.Broker(table, device: client, isPublic: isPublic)
        }
        if let broker = uplink.broker {
            uplink.queue = settings.table("queue").map { queue in
                AgentConfiguration.Queue(
                    queue, stateDirectory: stateDirectory, version: broker.version, name: uplink.queueName)
            }
        } else if settings.has("queue") {
            settings.problem(
                at: "queue", message: "there is no connection of its own that anything could wait for",
                mend: "write [uplink.broker] too, or set up [queue]")
        }
        return uplink
    }

    private enum Kind: String, CaseIterable {
        case plain, senml, homeassistant, onenet, sparkplug
    }
}

extension Endpoint {
    /// Where it is, however it is spoken to.
    fileprivate var place: String { "\(host.lowercased()):\(port)" }
}

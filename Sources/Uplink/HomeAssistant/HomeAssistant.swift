public import MQTT
public import MQTTWire
internal import NIOCore
public import Pipeline
internal import Sensing
public import Units

/// Shows a board in Home Assistant, by its MQTT discovery: what the plain profile publishes becomes entities of one
/// device, each announced by a retained message of its own.
///
///     homeassistant/sensor/fieldpost-bin-0427/fill/config   {"name":"Fill","state_topic":"fieldpost/bin-0427/fill",…}
///
/// One message an entity, and not one for the whole device, which newer versions know as well: it is understood by all
/// versions; an entity that comes or goes is a small message, where a device of a thousand sensors would be told anew
/// in a megabyte; an empty message takes exactly one entity away; and a broker's retained messages can be compared with
/// the configuration topic by topic.
///
/// A sensor's channels, units and kinds of value are known from its readings: so an entity is announced with the first
/// one (``observe(_:)``). What was announced is kept (``state``), announced again at the next start (``begin()``), and
/// taken away when the configuration has it no more. So is what our own discovery topics still hold at the broker
/// although nobody remembers it (``receive(_:_:at:using:)``).
///
/// A value without I/O: its owner subscribes to ``subscriptions``, publishes what is returned, keeps ``state`` when it has
/// changed, and calls ``wake(at:)`` at ``wakeTime``.
public struct HomeAssistant: Sendable {
    /// A sensor of the configuration.
    public struct Sensor: Sendable {
        public var name: String
        /// The driver's name.
        public var driver: String
        /// How the plain profile tells its readings.
        public var route: Route
        /// Whether it can be set.
        public var isOutput: Bool
        /// The longest time between two of its messages; nil for what speaks for itself.
        public var interval: Duration?
        public var options: HomeAssistantEntity

        public init(
            name: String, driver: String, route: Route, isOutput: Bool = false, interval: Duration? = nil,
            options: HomeAssistantEntity = HomeAssistantEntity()
        ) {
            self.name = name
            self.driver = driver
            self.route = route
            self.isOutput = isOutput
            self.interval = interval
            self.options = options
        }
    }

    /// An alarm of the configuration.
    public struct Alarm: Sendable {
        public var name: String
        public var sensor: String

        public init(name: String, sensor: String) {
            self.name = name
            self.sensor = sensor
        }
    }

    /// What all entities of a board have in common.
    public struct Board: Sendable {
        /// The device's id, as topics name it.
        public var device: String
        /// Of Fieldpost.
        public var version: String
        public var status: TopicName
        /// Where `set` is commanded; nil where that is not allowed: outputs are shown as sensors.
        public var set: TopicName?
        /// Where `acknowledge` is commanded; nil where that is not allowed.
        public var acknowledge: TopicName?
        /// How the plain profile tells alarms.
        public var alarms: Route

        public init(
            device: String, version: String, status: TopicName, set: TopicName? = nil, acknowledge: TopicName? = nil,
            alarms: Route = .alarm
        ) {
            self.device = device
            self.version = version
            self.status = status
            self.set = set
            self.acknowledge = acknowledge
            self.alarms = alarms
        }
    }

    /// More than that are refused, and counted.
    public static let maximumEntities = 10_000
    /// How often an entity may change its kind or unit before it is left as it is, until the next start.
    static let maximumChanges = 8
    /// Home Assistant asks not to be answered by all devices at once when it starts.
    static let delays = 1.0...10.0
    /// A Home Assistant that starts over and over is not answered more often.
    static let pause = Duration.seconds(30)

    let settings: HomeAssistantSettings
    let board: Board
    let sensors: [String: Sensor]
    let alarms: [String: Alarm]
    private var entities: [DiscoverySubject: Announced] = [:]
    /// Of an earlier run, under other topics.
    private var leftover: [String] = []
    /// By identifier, the components under which topics were found whose sensors have not said anything yet.
    private var found: [String: Set<String>] = [:]
    private var changes: [DiscoverySubject: Int] = [:]
    private var lastAnnounced: ContinuousClock.Instant?

    private var unshown: Set<DiscoverySubject> = []

    /// How many entities are not announced: because there are too many, because their names make a topic that is too long,
    /// or because their sensor's format cannot be read by Home Assistant without a `value_template`.
    public var refused: Int { unshown.count }
    /// When ``wake(at:)`` is to be called; nil: not.
    public private(set) var wakeTime: ContinuousClock.Instant?

    /// - Parameter state: what ``state`` was when the last run ended; nil if there was none. What cannot be read of it is left
    ///     out: its entities are announced with their next readings.
    public init(_ settings: HomeAssistantSettings, board: Board, sensors: [Sensor], alarms: [Alarm], state: JSON?) {
        self.settings = settings
        self.board = board
        self.sensors = Dictionary(sensors.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.alarms = Dictionary(alarms.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let base = state?["base"]?.string ?? base
        for stored in state?["entities"]?.array?.prefix(Self.maximumEntities) ?? [] {
            guard let subject = stored["id"]?.string.flatMap(DiscoverySubject.init(identifier:)),
                let announced = Announced(stored)
            else { continue }
            if base == self.base {
                entities[subject] = announced
            } else {
                // Its readings will announce it under the new name.
                leftover.append(Self.topic(base, announced.component, subject))
            }
        }
    }

    // MARK: Topics

    /// The discovery prefix and the node, between which the component stands: `homeassistant/+/fieldpost-bin-0427`.
    private var base: String {
        "\(settings.discoveryPrefix)/+/\(node)"
    }

    /// Ours alone: no other program calls its node so.
    var node: String { "fieldpost-" + DiscoverySubject.escaped(board.device) }

    /// Home Assistant's own status, and our discovery messages.
    public var subscriptions: [TopicFilter] {
        [settings.birthTopic, "\(base)/+/config"].compactMap { try? TopicFilter($0) }
    }

    private static func topic(_ base: String, _ component: String, _ subject: DiscoverySubject) -> String {
        base.replacing(each: "/+/", with: "/\(component)/") + "/\(subject.identifier)/config"
    }

    // MARK: State

    /// What has to be kept for the next start. It changes only when ``begin()`` or ``observe(_:)`` return something.
    public var state: JSON {
        .object([
            JSON.Member("base", .string(base)),
            JSON.Member(
                "entities",
                .array(
                    sortedSubjects.compactMap { subject in
                        entities[subject].map { .object([JSON.Member("id", .string(subject.identifier))] + $0.members) }
                    })),
        ])
    }

    private var sortedSubjects: [DiscoverySubject] { entities.keys.sorted { $0.identifier < $1.identifier } }

    /// Under which discovery prefix it was announced.
    ///
    /// - Parameter state: what ``state`` was.
    public static func discoveryPrefix(of state: JSON) -> String? {
        state["base"]?.string.flatMap { base in base.range(of: "/+/").map { String(base[..<$0.lowerBound]) } }
    }

    /// What takes away all that was announced, for a board that does not speak to Home Assistant any more.
    ///
    /// - Parameter state: what ``state`` was when it last did.
    public static func removals(of state: JSON) -> [Message] {
        guard let base = state["base"]?.string else { return [] }
        return (state["entities"]?.array?.prefix(maximumEntities) ?? []).compactMap { stored in
            guard let subject = stored["id"]?.string.flatMap(DiscoverySubject.init(identifier:)),
                let announced = Announced(stored)
            else { return nil }
            return message(topic(base, announced.component, subject), "")
        }
    }

    // MARK: Events

    /// To be called once, at the start: announces what is known, and takes away what the configuration has no more.
    public mutating func begin() -> [Message] {
        var messages = leftover.compactMap(removal)
        leftover = []
        for alarm in alarms.keys.sorted() {
            for subject in [DiscoverySubject.alarm(alarm), .acknowledgement(alarm: alarm)]
            where entities[subject] == nil {
                guard let component = component(of: subject, .boolean) else { continue }
                entities[subject] = Announced(component: component, kind: .boolean)
            }
        }
        for subject in sortedSubjects {
            guard let announced = entities[subject] else { continue }
            messages += announce(subject, announced.kind, announced.unit)
        }
        return messages
    }

    /// Announces the entities that a report is the first to tell of, or of which it tells that they have changed.
    public mutating func observe(_ report: Report) -> [Message] {
        guard case .readings(let readings) = report else { return [] }
        return readings.flatMap { reading -> [Message] in
            let subject = DiscoverySubject.reading(sensor: reading.sensor, channel: reading.channel)
            let kind = Announced.Kind(reading.value)
            if unshown.contains(subject) { return [] }
            if let known = entities[subject] {
                if known.kind == kind, known.unit == reading.unit { return [] }
                guard changes[subject, default: 0] < Self.maximumChanges else { return [] }
                changes[subject, default: 0] += 1
            }
            return announce(subject, kind, reading.unit)
        }
    }

    /// Takes what came by ``subscriptions``: Home Assistant's start, after which all is announced again a little later,
    /// and retained discovery messages of ours, of which those that the configuration has nothing for are taken away.
    /// - Parameter generator: chooses how much later.
    public mutating func receive(
        _ topic: String, _ payload: some Collection<UInt8>, at now: ContinuousClock.Instant,
        using generator: inout some RandomNumberGenerator
    ) -> [Message] {
        if topic == settings.birthTopic {
            guard payload.elementsEqual("online".utf8), wakeTime == nil else { return [] }
            let earliest = max(now, lastAnnounced.map { $0 + Self.pause } ?? now)
            wakeTime = earliest + .seconds(Double.random(in: Self.delays, using: &generator))
            return []
        }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.count >= 4, !payload.isEmpty else { return [] }
        let component = String(levels[levels.count - 4])
        let identifier = String(levels[levels.count - 2])
        guard topic == "\(settings.discoveryPrefix)/\(component)/\(node)/\(identifier)/config" else { return [] }
        guard isOurs(payload) else { return [] }
        return found(component, identifier, topic)
    }

    /// Announces everything again, if it is time.
    public mutating func wake(at now: ContinuousClock.Instant) -> [Message] {
        guard let wakeTime, wakeTime <= now else { return [] }
        self.wakeTime = nil
        lastAnnounced = now
        return sortedSubjects.compactMap { subject in
            entities[subject].flatMap { discovery(subject, $0.component, $0.kind, $0.unit) }
        }
    }

    // MARK: Announcing

    private mutating func announce(_ subject: DiscoverySubject, _ kind: Announced.Kind, _ unit: String?) -> [Message] {
        let known = entities.removeValue(forKey: subject)
        var others = found.removeValue(forKey: subject.identifier) ?? []
        if let known { others.insert(known.component) }
        var messages: [Message] = []
        // Without a component it is hidden or gone.
        if let component = component(of: subject, kind) {
            if entities.count < Self.maximumEntities, let message = discovery(subject, component, kind, unit) {
                entities[subject] = Announced(component: component, kind: kind, unit: unit)
                others.remove(component)
                messages = [message]
            } else if unshown.count < Self.maximumEntities {
                unshown.insert(subject)
            }
        }
        return others.sorted().compactMap { removal(Self.topic(base, $0, subject)) } + messages
    }

    /// A topic of ours that the broker holds.
    private mutating func found(_ component: String, _ identifier: String, _ topic: String) -> [Message] {
        let subject = DiscoverySubject(identifier: identifier)
        if let subject, entities[subject]?.component == component { return [] }
        // One that is configured may only not have been read yet.
        if case .reading(let name, _)? = subject, let subject, entities[subject] == nil, !unshown.contains(subject),
            let sensor = sensors[name], !sensor.options.isHidden
        {
            if found[identifier] != nil || found.count < Self.maximumEntities, Self.components.contains(component) {
                found[identifier, default: []].insert(component)
            }
            return []
        }
        return removal(topic).map { [$0] } ?? []
    }

    private func isOurs(_ payload: some Collection<UInt8>) -> Bool {
        guard payload.count <= 65_536, let json = try? JSONReader.value(Array(payload)[...]) else { return false }
        return json["origin"]?["name"]?.string == Self.origin
    }

    private func removal(_ topic: String) -> Message? { Self.message(topic, "") }

    private func discovery(
        _ subject: DiscoverySubject, _ component: String, _ kind: Announced.Kind, _ unit: String?
    ) -> Message? {
        configuration(of: subject, component, kind, unit).flatMap {
            Self.message(Self.topic(base, component, subject), JSON.object($0).text)
        }
    }

    private static func message(_ topic: String, _ payload: String) -> Message? {
        guard let topic = try? TopicName(topic) else { return nil }
        // Ahead of the readings, which Home Assistant otherwise would not listen to yet.
        return Message(
            topic: topic, payload: ByteBuffer(string: payload), qos: .atLeastOnce, retain: true, priority: .high)
    }
}

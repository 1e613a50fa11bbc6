internal import Logging
public import MQTT
public import MQTTWire
public import Pipeline
public import Sensing
internal import Settings
internal import Units
public import Uplink

extension AgentConfiguration {
    /// `[[sensor]]`
    public struct Sensor: Sendable {
        /// `name`, its own and fit for topics, as a device's id.
        public var name: String
        /// `driver` with its settings, which stand in the same table; `every`, how often it is read; `timeout`, after which
        /// a reading is given up. Nil for a sensor that is computed: `expression`.
        public var source: ConfiguredSensor?
        /// What becomes of its values; see ``PipelineSensor``.
        public var processing: PipelineSensor
        /// `unit`: in the place of the driver's.
        public var unit: String?
        /// `topic`, `qos`, `retain` and `payload`. Default: as its uplink says.
        public var topic: TopicTemplate?
        public var qos: QoS?
        public var retain: Bool?
        public var payload: PlainFormat?
        /// `priority`: "low", "normal", "high" or "urgent": what is sent first, and given up last.
        public var priority = Priority.normal
        /// `expiry`: after which a reading is not worth sending; 1 s or more. Default: never.
        public var expiry: Duration?
        /// `safe_after`: of an output, how long the connection may be gone until it goes into its safe state; 0 s and more.
        /// Default: it stays as it is until the agent ends.
        public var safeAfter: Duration?
        /// `[sensor.homeassistant]`
        public var homeAssistant = HomeAssistantEntity()

        /// How its readings travel where an uplink has it.
        public func route(_ uplink: Uplink) -> Route {
            Route(
                topic: topic ?? uplink.topic, qos: qos ?? uplink.qos, retain: retain ?? uplink.retain,
                priority: priority, expiry: expiry, includesSequence: uplink.sequence,
                format: payload ?? uplink.payload)
        }

        /// The longest time between two of its messages; nil where there is no such time.
        var longestSilence: Duration? { processing.filters.longestSilence(every: source?.every) }

        var isOutput: Bool { (source?.driver as? any OutputDriver)?.isSettable ?? false }
    }
}

extension AgentConfiguration.Sensor {
    /// - Returns: nil only after an error.
    init?(_ settings: SettingsReader, registry: DriverRegistry, logger: Logger) {
        if settings.has("expression"), !settings.has("driver") {
            guard let name = settings.requiredString("name") else { return nil }
            self.name = name
        } else {
            let source = ConfiguredSensor(settings, registry: registry) { sensor, line in
                logger.notice("a sensor says", metadata: ["sensor": "\(sensor)", "line": "\(line)"])
            }
            if settings.has("expression") {
                settings.problem(
                    at: "expression", message: "stands beside a driver",
                    mend: "give what is computed a table of its own, without a driver")
            }
            guard let source else { return nil }
            name = source.name
            self.source = source
        }
        if settings.string("name") != "" { _ = settings.parsed("name", TopicLevel.check) }
        let derived = source == nil ? DerivedSensor(settings) : nil
        let filters = FilterSettings(settings)
        unit = settings.string("unit")
        topic = settings.topicTemplate()
        qos = settings.qos()
        retain = settings.boolean("retain")
        payload = settings.parsed("payload") { text throws(InvalidText) in try PlainFormat(parsing: text) }
        priority = settings.priority() ?? priority
        expiry = settings.duration("expiry", in: .seconds(1)...)
        safeAfter = settings.duration("safe_after")
        homeAssistant = settings.table("homeassistant").map { HomeAssistantEntity($0) } ?? homeAssistant
        guard let filters, source != nil || derived != nil else { return nil }
        processing = PipelineSensor(name: name, filters: filters, derived: derived)
        if safeAfter != nil, !isOutput {
            settings.problem(
                at: "safe_after", message: "sensor \"\(name)\" has no safe state: it is no output",
                mend: "leave it out")
        }
    }
}

extension SettingsReader {
    func topicTemplate() -> TopicTemplate? {
        parsed("topic") { text throws(InvalidText) in try TopicTemplate(parsing: text) }
    }
}

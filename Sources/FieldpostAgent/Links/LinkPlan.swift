internal import MQTTWire
internal import Pipeline
internal import Units
internal import Uplink

/// A connection that the configuration asks for, and what goes over it.
struct LinkPlan: Sendable {
    var name: String
    var broker: AgentConfiguration.Broker
    var queue: AgentConfiguration.Queue
    var uplinks: [AgentConfiguration.Uplink]
    /// The agent's own: the first one.
    var isOwn = false
}

extension AgentConfiguration {
    /// The agent's own connection first, then those of uplinks that have one for themselves.
    var linkPlans: [LinkPlan] {
        let shared = LinkPlan(
            name: "main", broker: broker, queue: queue, uplinks: uplinks.filter { $0.broker == nil }, isOwn: true)
        let others = uplinks.compactMap { uplink -> LinkPlan? in
            guard let broker = uplink.broker, let queue = uplink.queue else { return nil }
            return LinkPlan(name: uplink.name, broker: broker, queue: queue, uplinks: [uplink])
        }
        return [shared] + others
    }

    /// Where the agent's status, its readings and its alarms go, as far as that is known before the first reading.
    var ownTopics: Set<TopicName> {
        var topics: Set = [status.topic]
        for uplink in uplinks where uplink.profile.isPlain {
            for sensor in sensors {
                if let topic = try? sensor.route(uplink).topic.topic(device: device.id, sensor: sensor.name) {
                    topics.insert(topic)
                }
            }
        }
        for alarm in alarms {
            if let topic = try? TopicTemplate.alarm.topic(device: device.id, sensor: alarm.sensor, alarm: alarm.name) {
                topics.insert(topic)
            }
        }
        return topics
    }

    /// Whether commands come over this connection: over the agent's own, and where a platform has its own ways of
    /// commanding.
    func takesCommands(over plan: LinkPlan) -> Bool {
        guard commands != nil else { return false }
        return plan.isOwn
            || plan.uplinks.contains { uplink in
                switch uplink.profile {
                case .plain, .senml: false
                case .homeAssistant, .sparkplug, .oneNET: true
                }
            }
    }

    /// What an uplink makes of reports.
    func profile(_ uplink: Uplink) -> any Profile {
        let profile: any Profile
        switch uplink.profile {
        case .plain, .homeAssistant:
            // It counts alarms too: without their numbers there would be gaps where nothing was given up.
            var alarmRoute = Route.alarm
            alarmRoute.includesSequence = uplink.sequence
            profile = PlainProfile(
                device: device.id,
                routes: Dictionary(
                    sensors.map { ($0.name, $0.route(uplink)) }, uniquingKeysWith: { first, _ in first }),
                defaultRoute: Route(
                    topic: uplink.topic, qos: uplink.qos, retain: uplink.retain, includesSequence: uplink.sequence,
                    format: uplink.payload),
                alarmRoute: alarmRoute,
                alarmMessages: Dictionary(
                    alarms.compactMap { alarm in alarm.message.map { (alarm.name, $0) } },
                    uniquingKeysWith: { first, _ in first }),
                position: device.position)
        case .senml(let senml): profile = senml
        case .oneNET(let oneNET): profile = NewAlarmsProfile(OneNETProfile(oneNET))
        case .sparkplug(let sparkplug): profile = SparkplugProfile(sparkplug)
        }
        return uplink.sensors.map { SelectiveProfile(profile, sensors: $0) } ?? profile
    }
}

extension AgentConfiguration.Queue {
    /// Where what the agent knows beside the queue is kept.
    var statePath: String { "\(base).state.json" }

    /// Where readings wait for the clock to be set.
    var heldPath: String { "\(base).held.db" }

    private var base: String { path.hasSuffix(".db") ? String(path.dropLast(3)) : path }
}

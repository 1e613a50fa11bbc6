internal import MQTTWire
internal import Units

/// What the discovery messages say: the options of Home Assistant's MQTT components.
extension HomeAssistant {
    static let components = ["sensor", "binary_sensor", "switch", "number", "button"]
    static let origin = "Fieldpost"

    /// Drivers that look at the board itself.
    private static let diagnosticDrivers: Set<String> = ["disk", "net", "rtc", "system", "thermal"]

    /// Nil for what is not to be shown.
    func component(of subject: DiscoverySubject, _ kind: Announced.Kind) -> String? {
        switch subject {
        case .alarm(let alarm): return alarms[alarm] != nil ? "binary_sensor" : nil
        case .acknowledgement(let alarm): return alarms[alarm] != nil && board.acknowledge != nil ? "button" : nil
        case .reading(let name, _):
            guard let sensor = sensors[name], !sensor.options.isHidden else { return nil }
            let canBeSet = sensor.isOutput && board.set != nil
            switch kind {
            case .boolean: return canBeSet ? "switch" : "binary_sensor"
            case .number: return canBeSet ? "number" : "sensor"
            case .text: return "sensor"
            }
        }
    }

    /// Nil where a name makes no topic, and where Home Assistant could not read what the sensor's format says.
    func configuration(
        of subject: DiscoverySubject, _ component: String, _ kind: Announced.Kind, _ unit: String?
    ) -> [JSON.Member]? {
        var members = Members()
        switch subject {
        case .reading(let name, let channel):
            guard let sensor = sensors[name], add(sensor, channel, component, kind, unit, to: &members) else {
                return nil
            }
        case .alarm(let alarm):
            guard let sensor = alarms[alarm]?.sensor,
                let topic = try? board.alarms.topic.topic(device: board.device, sensor: sensor, alarm: alarm)
            else { return nil }
            members.add("name", .string(Self.title(alarm)))
            members.add("state_topic", .string(topic.string))
            members.add("value_template", "{{ 'OFF' if value_json.state == 'cleared' else 'ON' }}")
            members.add("device_class", "problem")
            members.add("json_attributes_topic", .string(topic.string))
            members.add("qos", .integer(1))
        case .acknowledgement(let alarm):
            guard let topic = board.acknowledge else { return nil }
            let command: JSON = ["alarm": .string(alarm), "by": "Home Assistant"]
            members.add("name", .string("Acknowledge \(Self.title(alarm).lowercased())"))
            members.add("command_topic", .string(topic.string))
            members.add("payload_press", .string(command.text))
            members.add("icon", "mdi:bell-check")
            members.add("qos", .integer(1))
        }
        members.add("unique_id", .string("\(node)_\(subject.identifier)" + (component == "button" ? "_button" : "")))
        members.add("default_entity_id", .string("\(component).\(Self.slug("\(board.device) \(slugName(subject))"))"))
        members.add(
            "availability",
            [
                [
                    "topic": .string(board.status.string), "value_template": "{{ value_json.state }}",
                    "payload_available": "online", "payload_not_available": "offline",
                ]
            ])
        members.add("device", device)
        members.add("origin", ["name": .string(Self.origin), "sw_version": .string(board.version)])
        return members.all
    }

    private var device: JSON {
        var members = Members()
        members.add("identifiers", [.string(node)])
        members.add("name", .string(settings.name ?? board.device))
        members.add("manufacturer", .string(settings.manufacturer))
        members.add("model", .string(settings.model))
        members.add("sw_version", .string(board.version))
        if let area = settings.area { members.add("suggested_area", .string(area)) }
        return .object(members.all)
    }

    // MARK: Sensors

    /// - Returns: false if it cannot be shown.
    private func add(
        _ sensor: Sensor, _ channel: String?, _ component: String, _ kind: Announced.Kind, _ unit: String?,
        to members: inout Members
    ) -> Bool {
        let options = sensor.options
        guard
            let topic = try? sensor.route.topic.topic(device: board.device, sensor: sensor.name, channel: channel),
            let template = options.valueTemplate ?? valueTemplate(sensor, channel, component, kind)
        else { return false }
        let title = options.name ?? Self.title(sensor.name)
        members.add("name", .string(channel.map { "\(title) \(Self.title($0).lowercased())" } ?? title))
        members.add("state_topic", .string(topic.string))
        members.add("value_template", .string(template))
        members.add("qos", .integer(1))
        switch component {
        case "sensor" where kind == .number: addNumber(sensor, channel, unit, to: &members)
        case "binary_sensor":
            if let name = options.deviceClass, DeviceClass.ofBooleans.contains(name) {
                members.add("device_class", .string(name))
            }
        case "switch", "number": addOutput(sensor, channel, component, unit, to: &members)
        default: break
        }
        if let icon = options.icon { members.add("icon", .string(icon)) }
        addCategory(sensor, component, to: &members)
        if component == "sensor" || component == "binary_sensor", let seconds = expiry(of: sensor) {
            members.add("expire_after", .integer(seconds))
        }
        // Where channels share a topic these would be another channel's just as often.
        if sensor.route.format == .json, channel == nil || sensor.route.topic.contains(.channel) {
            members.add("json_attributes_topic", .string(topic.string))
            members.add(
                "json_attributes_template",
                "{{ {'time': value_json.time, 'quality': value_json.quality | default('good'), 'reason': value_json.reason | default(none)} | tojson }}"
            )
        }
        return true
    }

    private func addNumber(_ sensor: Sensor, _ channel: String?, _ unit: String?, to members: inout Members) {
        let options = sensor.options
        let name =
            options.deviceClass
            ?? unit.flatMap {
                DeviceClass.name(forUnit: $0, sensor: sensor.name, channel: channel, driver: sensor.driver)
            }
        let known = name.flatMap { DeviceClass.known[$0] }.flatMap { $0.units.contains(unit) ? $0 : nil }
        if let unit { members.add("unit_of_measurement", .string(unit)) }
        if let known {
            members.add("device_class", name.map(JSON.string) ?? .null)
            let wanted =
                options.stateClass.flatMap(DeviceClass.StateClass.init(rawValue:))
                ?? (Self.counts(channel ?? sensor.name) ? .totalIncreasing : nil)
            let state = wanted.flatMap { known.states.contains($0) ? $0 : nil } ?? known.states.first
            if let state { members.add("state_class", .string(state.rawValue)) }
        } else {
            let state = Self.counts(channel ?? sensor.name) ? .totalIncreasing : DeviceClass.StateClass.measurement
            members.add("state_class", .string(options.stateClass ?? state.rawValue))
        }
    }

    private func addOutput(
        _ sensor: Sensor, _ channel: String?, _ component: String, _ unit: String?, to members: inout Members
    ) {
        guard let topic = board.set else { return }
        members.add("command_topic", .string(topic.string))
        var command = [JSON.Member("sensor", .string(sensor.name))]
        if let channel { command.append(JSON.Member("channel", .string(channel))) }
        if component == "switch" {
            for (name, value) in [("payload_on", true), ("payload_off", false)] {
                members.add(name, .string(JSON.object(command + [JSON.Member("value", .boolean(value))]).text))
            }
            members.add("state_on", "ON")
            members.add("state_off", "OFF")
            if let name = sensor.options.deviceClass, DeviceClass.ofSwitches.contains(name) {
                members.add("device_class", .string(name))
            }
        } else {
            // The literals of Jinja are those of JSON here.
            let fixed = String(JSON.object(command).text.dropLast())
            members.add("command_template", .string("{{ \(fixed),\"value\":value} | tojson }}"))
            members.add("min", .number(sensor.options.minimum))
            members.add("max", .number(sensor.options.maximum))
            members.add("step", .number(sensor.options.step))
            members.add("mode", "box")
            if let unit { members.add("unit_of_measurement", .string(unit)) }
        }
    }

    private func addCategory(_ sensor: Sensor, _ component: String, to members: inout Members) {
        let isDiagnostic = Self.diagnosticDrivers.contains(sensor.driver)
        let category = sensor.options.category ?? (isDiagnostic ? .diagnostic : .none)
        // Only what can be set may be called a configuration.
        let isAllowed =
            category == .diagnostic || category == .config && (component == "switch" || component == "number")
        if isAllowed { members.add("entity_category", .string(category.rawValue)) }
        let isEnabled = sensor.options.isEnabled ?? (category != .diagnostic || settings.enablesDiagnostics)
        if !isEnabled { members.add("enabled_by_default", false) }
    }

    /// In seconds.
    private func expiry(of sensor: Sensor) -> Int64? {
        if let own = sensor.options.expiresAfter { return max(1, own.components.seconds) }
        guard settings.expires, let interval = sensor.interval else { return nil }
        return max(60, interval.components.seconds.multipliedReportingOverflow(by: 3).partialValue)
    }

    /// How Home Assistant gets the value out of a payload: `ON` and `OFF` for booleans, `None` for a sensor without a
    /// value, and nothing, which changes nothing, for another channel's message.
    private func valueTemplate(
        _ sensor: Sensor, _ channel: String?, _ component: String, _ kind: Announced.Kind
    ) -> String? {
        let isOwnTopic = channel == nil || sensor.route.topic.contains(.channel)
        switch sensor.route.format {
        case .template: return nil
        case .number:
            guard isOwnTopic else { return nil }
            return kind == .boolean ? "{{ 'ON' if value == 'true' else 'OFF' }}" : "{{ value }}"
        case .json:
            let value =
                switch kind {
                case .boolean:
                    "{{ 'ON' if value_json.value == true else 'OFF' if value_json.value == false else 'None' }}"
                case .number: "{{ value_json.value }}"
                // A state has 255 characters at most.
                case .text: "{{ 'unknown' if value_json.value is none else (value_json.value | string)[:255] }}"
                }
            guard let channel, !isOwnTopic else { return value }
            let other = kind == .text ? "{% else %}{{ this.state }}" : ""
            // That a sensor fails concerns all its channels, and names none.
            let name = JSON.string(channel).text
            return
                "{% if value_json.channel is not defined or value_json.channel == \(name) %}\(value)\(other){% endif %}"
        }
    }

    // MARK: Names

    /// Whether a name is one of a count since some beginning, as the drivers of this package call theirs.
    private static func counts(_ name: String) -> Bool { name.hasSuffix("_total") }

    /// "bin_fill" as a person would write it: "Bin fill".
    private static func title(_ name: String) -> String {
        let text = String(name.map { $0 == "_" ? " " : $0 })
        return text.prefix(1).uppercased() + text.dropFirst()
    }

    private func slugName(_ subject: DiscoverySubject) -> String {
        switch subject {
        case .reading(let sensor, let channel): channel.map { "\(sensor) \($0)" } ?? sensor
        case .alarm(let name): "\(name) alarm"
        case .acknowledgement(let alarm): "acknowledge \(alarm)"
        }
    }

    /// As entity ids are written: small letters, digits, and single underscores between them.
    private static func slug(_ text: String) -> String {
        let words = text.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        return words.isEmpty ? "entity" : words.joined(separator: "_")
    }

    private struct Members {
        var all: [JSON.Member] = []

        mutating func add(_ name: String, _ value: JSON) { all.append(JSON.Member(name, value)) }
    }
}

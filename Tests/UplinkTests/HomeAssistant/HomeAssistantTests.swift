import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import TestSupport
import Testing
import Units

@testable import Uplink

@Suite struct HomeAssistantTests {
    static let time = Timestamp(milliseconds: 1_795_208_400_123)

    static func home(
        _ sensors: [HomeAssistant.Sensor], alarms: [String] = [], settings: HomeAssistantSettings = .init(),
        device: String = "bin-0427", canCommand: Bool = true, state: JSON? = nil
    ) throws -> HomeAssistant {
        let set = canCommand ? try TopicName("fieldpost/\(device)/command/set") : nil
        let acknowledge = canCommand ? try TopicName("fieldpost/\(device)/command/acknowledge") : nil
        return HomeAssistant(
            settings,
            board: HomeAssistant.Board(
                device: device, version: "1.2.3", status: try TopicName("fieldpost/\(device)/status"), set: set,
                acknowledge: acknowledge),
            sensors: sensors, alarms: alarms.map { HomeAssistant.Alarm(name: $0, sensor: "fill") }, state: state)
    }

    static func sensor(
        _ name: String, driver: String = "iio", topic: String = "fieldpost/{device}/{sensor}", format: String = "json",
        isOutput: Bool = false, interval: Duration? = .seconds(10),
        _ change: (inout HomeAssistantEntity) -> Void = { _ in }
    ) throws -> HomeAssistant.Sensor {
        var options = HomeAssistantEntity()
        change(&options)
        return HomeAssistant.Sensor(
            name: name, driver: driver,
            route: Route(topic: try TopicTemplate(parsing: topic), format: try PlainFormat(parsing: format)),
            isOutput: isOutput, interval: interval, options: options)
    }

    static func report(_ sensor: String, _ value: Reading.Value, _ unit: String? = nil, channel: String? = nil)
        -> Report
    {
        .readings([Reading(sensor: sensor, channel: channel, value: value, unit: unit, time: time)])
    }

    /// Topics and payloads; every message is retained.
    static func said(_ messages: [Message]) throws -> [(topic: String, payload: JSON?)] {
        try messages.map { message in
            #expect(message.retain && message.qos == .atLeastOnce)
            let bytes = Array(message.payload.readableBytesView)
            return (message.topic.string, bytes.isEmpty ? nil : try JSONReader.value(bytes[...]))
        }
    }

    /// As "+ topic" for an announcement and "- topic" for a removal, without what all topics share.
    static func changes(_ messages: [Message]) throws -> [String] {
        try said(messages).map { topic, payload in
            (payload == nil ? "- " : "+ ") + topic.dropFirst("homeassistant/".count).dropLast("/config".count)
        }
    }

    // MARK: What is announced

    @Test func aSensorIsAnnouncedWithItsFirstReadingAndOnlyThen() throws {
        var home = try Self.home([try Self.sensor("fill") { $0.icon = "mdi:trash-can" }])
        #expect(try Self.said(home.begin()).isEmpty)
        let said = try Self.said(home.observe(Self.report("fill", .number(83.2), "%")))
        let (topic, payload) = try #require(said.first)
        #expect(topic == "homeassistant/sensor/fieldpost-bin-0427/fill/config")
        let expected: JSON = [
            "name": "Fill", "state_topic": "fieldpost/bin-0427/fill", "value_template": "{{ value_json.value }}",
            "qos": 1, "unit_of_measurement": "%", "state_class": "measurement", "icon": "mdi:trash-can",
            "expire_after": 60, "json_attributes_topic": "fieldpost/bin-0427/fill",
            "json_attributes_template":
                "{{ {'time': value_json.time, 'quality': value_json.quality | default('good'), 'reason': value_json.reason | default(none)} | tojson }}",
            "unique_id": "fieldpost-bin-0427_fill", "default_entity_id": "sensor.bin_0427_fill",
            "availability": [
                [
                    "topic": "fieldpost/bin-0427/status", "value_template": "{{ value_json.state }}",
                    "payload_available": "online", "payload_not_available": "offline",
                ]
            ],
            "device": [
                "identifiers": ["fieldpost-bin-0427"], "name": "bin-0427", "manufacturer": "Fieldpost",
                "model": "Fieldpost board", "sw_version": "1.2.3",
            ],
            "origin": ["name": "Fieldpost", "sw_version": "1.2.3"],
        ]
        #expect(payload?.text == expected.text)
        #expect(home.observe(Self.report("fill", .number(84), "%")).isEmpty)
        #expect(home.observe(.failure(sensor: "fill", reason: "no answer", time: Self.time)).isEmpty)
    }

    @Test func outputsAndAlarmsCanBeCommanded() throws {
        var home = try Self.home(
            [try Self.sensor("lamp", isOutput: true), try Self.sensor("fan", isOutput: true) { $0.maximum = 20 }],
            alarms: ["full"])
        let alarms = try Self.said(home.begin())
        #expect(alarms.map(\.topic).map { $0.split(separator: "/")[1] } == ["binary_sensor", "button"])
        #expect(alarms[0].payload?["state_topic"] == "fieldpost/bin-0427/alarm/full")
        #expect(alarms[0].payload?["device_class"] == "problem")
        #expect(alarms[1].payload?["command_topic"] == "fieldpost/bin-0427/command/acknowledge")
        #expect(alarms[1].payload?["payload_press"] == #"{"alarm":"full","by":"Home Assistant"}"#)
        let lamp = try #require(try Self.said(home.observe(Self.report("lamp", .boolean(false)))).first)
        #expect(lamp.topic == "homeassistant/switch/fieldpost-bin-0427/lamp/config")
        #expect(lamp.payload?["command_topic"] == "fieldpost/bin-0427/command/set")
        #expect(lamp.payload?["payload_on"] == #"{"sensor":"lamp","value":true}"#)
        #expect(lamp.payload?["payload_off"] == #"{"sensor":"lamp","value":false}"#)
        let fan = try #require(try Self.said(home.observe(Self.report("fan", .number(7.5), "%"))).first)
        #expect(fan.topic == "homeassistant/number/fieldpost-bin-0427/fan/config")
        #expect(fan.payload?["min"] == .number(0) && fan.payload?["max"] == .number(20))
        // What may not be set is only shown.
        var watched = try Self.home([try Self.sensor("lamp", isOutput: true)], alarms: ["full"], canCommand: false)
        #expect(try Self.changes(watched.begin()) == ["+ binary_sensor/fieldpost-bin-0427/full_alarm"])
        #expect(
            try Self.changes(watched.observe(Self.report("lamp", .boolean(false))))
                == ["+ binary_sensor/fieldpost-bin-0427/lamp"])
    }

    @Test(
        arguments: [
            ("fill", nil, "%", nil, "measurement"), ("climate", "humidity", "%", "humidity", "measurement"),
            ("battery", nil, "%", "battery", "measurement"), ("t", nil, "°C", "temperature", "measurement"),
            ("t", nil, "hPa", "pressure", "measurement"), ("t", nil, "V", "voltage", "measurement"),
            ("t", nil, "mV", "voltage", "measurement"), ("t", nil, "A", "current", "measurement"),
            ("t", nil, "W", "power", "measurement"), ("t", nil, "kWh", "energy", "total_increasing"),
            ("t", nil, "mm", "distance", "measurement"), ("t", nil, "lx", "illuminance", "measurement"),
            ("t", nil, "dBm", "signal_strength", "measurement"), ("t", nil, "B/s", "data_rate", "measurement"),
            ("t", "read_total", "B", "data_size", "total_increasing"), ("t", nil, "s", "duration", "measurement"),
            ("t", nil, "Hz", "frequency", "measurement"), ("t", nil, "kg", "weight", "measurement"),
            ("t", nil, "m/s", "speed", "measurement"), ("co2", nil, "ppm", "carbon_dioxide", "measurement"),
            ("t", nil, "ppm", nil, "measurement"), ("t", nil, "rpm", nil, "measurement"),
            ("t", nil, "µs", nil, "measurement"), ("t", nil, "Ah", nil, "measurement"),
            ("t", nil, nil, nil, "measurement"),
            ("t", nil, "W/m²", "irradiance", "measurement"),
            ("t", nil, "mm/h", "precipitation_intensity", "measurement"),
            ("pulses_total", nil, nil, nil, "total_increasing"),
        ] as [(String, String?, String?, String?, String)])
    func aUnitHasItsDeviceClassAndStateClass(
        sensor: String, channel: String?, unit: String?, deviceClass: String?, stateClass: String
    ) throws {
        var home = try Self.home([try Self.sensor(sensor)])
        let said = try Self.said(home.observe(Self.report(sensor, .number(1), unit, channel: channel)))
        let (topic, payload) = try #require(said.first)
        #expect(payload?["device_class"]?.string == deviceClass)
        #expect(payload?["state_class"]?.string == stateClass)
        #expect(payload?["unit_of_measurement"]?.string == unit)
        #expect(HomeAssistantRules.problems(topic, payload ?? .null) == [])
    }

    @Test func everyMessageKeepsThePublishedRulesAndEveryIdIsUnique() throws {
        let units: [String?] = [
            nil, "%", "°C", "hPa", "V", "mV", "A", "mA", "W", "kW", "Wh", "Ah", "Hz", "mm", "m", "lx", "dBm", "dB", "B",
            "MB", "B/s", "Mbit/s", "s", "ms", "µs", "rpm", "µg/m³", "ppm", "kg", "L", "m³", "m/s", "°", "furlong",
            "lux",
        ]
        let classes = [nil] + DeviceClass.known.keys.sorted().map(Optional.some)
        let drivers = ["system", "iio", "power-supply", "pwm"]
        let names = ["fill", "a_b", "a", "Kühl raum", "a-b", "humidity", "x_alarm", "battery"]
        var ids: Set<String> = []
        var count = 0
        var generator = SplitMix64(seed: .random(in: 0...(.max)))
        let seed = generator.seed
        for round in 0..<80 {
            let sensors = try names.map { name in
                try Self.sensor(
                    name, driver: drivers.randomElement(using: &generator) ?? "iio",
                    topic: ["f/{device}/{sensor}", "f/{device}/{sensor}/{channel}"].randomElement(using: &generator)
                        ?? "x", isOutput: Bool.random(using: &generator),
                    interval: round % 3 == 0 ? nil : .seconds(round)
                ) { options in
                    options.deviceClass = classes.randomElement(using: &generator) ?? nil
                    options.stateClass = DeviceClass.StateClass.allCases.randomElement(using: &generator)?.rawValue
                    options.category =
                        [nil, .diagnostic, .config, HomeAssistantEntity.Category.none]
                        .randomElement(using: &generator) ?? nil
                }
            }
            var home = try Self.home(sensors, alarms: ["full", "x", "a_b"], device: "b \(round)")
            var messages = home.begin()
            for name in names {
                for channel in [nil, "b", "+3.3V", "Core 0", "a_b", "0-0"] {
                    let value: [Reading.Value] = [.number(1), .boolean(true), .text("on")]
                    messages += home.observe(
                        Self.report(
                            name, value.randomElement(using: &generator) ?? .number(2),
                            units.randomElement(using: &generator) ?? nil, channel: channel))
                }
            }
            for (topic, payload) in try Self.said(messages) {
                let problems = HomeAssistantRules.problems(topic, payload ?? .null)
                #expect(problems == [], "seed \(seed), \(payload?.text ?? "")")
                ids.insert("\(topic.split(separator: "/")[1]) \(payload?["unique_id"]?.string ?? "")")
                count += 1
            }
        }
        #expect(ids.count == count)
        #expect(count == 80 * (8 * 6 + 6))
    }

    @Test func identifiersAreReadBackWhateverTheNamesAre() {
        let names = [
            "fill", "a_b", "a", "_", "__a", "a-", "-", "0", "Kühl raum", "x_alarm", "ac", "+3.3V", "_-_", "a_",
        ]
        var all: Set<String> = []
        for sensor in names {
            var subjects = names.map { DiscoverySubject.reading(sensor: sensor, channel: $0) }
            subjects += [.reading(sensor: sensor, channel: nil), .alarm(sensor), .acknowledgement(alarm: sensor)]
            for subject in subjects {
                #expect(DiscoverySubject(identifier: subject.identifier) == subject, "\(subject.identifier)")
                all.insert(subject.identifier)
            }
        }
        #expect(all.count == names.count * (names.count + 3))
        for foreign in ["", "_", "a_x", "a_-b_-c", "a_ALARM", "_ff"] {
            #expect(DiscoverySubject(identifier: foreign) == nil, "\(foreign)")
        }
    }

    @Test func ownersOverrideWhatIsGuessed() throws {
        var settings = HomeAssistantSettings()
        settings.name = "Cold store"
        settings.area = "Cellar"
        settings.enablesDiagnostics = false
        var home = try Self.home(
            [
                try Self.sensor("a") {
                    $0.name = "Soil"
                    $0.deviceClass = "moisture"
                    $0.expiresAfter = .seconds(3600)
                    $0.isEnabled = false
                },
                try Self.sensor("b") { $0.deviceClass = "temperature" }, try Self.sensor("c") { $0.isHidden = true },
                try Self.sensor("d", driver: "system"), try Self.sensor("e", interval: nil),
            ], settings: settings)
        let said = try ["a", "b", "c", "d", "e"].map {
            try Self.said(home.observe(Self.report($0, .number(1), "%"))).first?.payload
        }
        #expect(said[0]?["name"] == "Soil" && said[0]?["device_class"] == "moisture")
        #expect(said[0]?["expire_after"] == .number(3600) && said[0]?["enabled_by_default"] == false)
        #expect(said[0]?["device"]?["name"] == "Cold store" && said[0]?["device"]?["suggested_area"] == "Cellar")
        #expect(said[1]?["device_class"] == nil, "a percentage is no temperature")
        #expect(said[2] == nil)
        #expect(said[3]?["entity_category"] == "diagnostic" && said[3]?["enabled_by_default"] == false)
        #expect(said[4]?["expire_after"] == nil)
    }

    @Test func aFormatThatCannotBeReadIsNotAnnounced() throws {
        var home = try Self.home([
            try Self.sensor("a", format: "{value} {unit}"), try Self.sensor("b", format: "number"),
            try Self.sensor("c", format: "{value} {unit}") { $0.valueTemplate = "{{ value.split()[0] }}" },
        ])
        #expect(home.observe(Self.report("a", .number(1))).isEmpty)
        #expect(home.observe(Self.report("b", .number(1), channel: "x")).isEmpty, "channels cannot be told apart")
        #expect(home.refused == 2)
        #expect(
            try Self.said(home.observe(Self.report("b", .number(1))))[0].payload?["value_template"] == "{{ value }}")
        #expect(home.observe(Self.report("c", .number(1))).count == 1)
    }
}

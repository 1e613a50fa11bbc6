import MQTT
import MQTTWire
import NIOCore
import OneNETModel
import Pipeline
import Sensing
import Settings
import Units

@testable import Uplink

let noonOnOneNET = Timestamp(milliseconds: 1_763_672_400_123)

func oneNET(_ change: (inout OneNETSettings) -> Void = { _ in }) -> OneNETSettings {
    var settings = OneNETSettings(
        credentials: OneNETCredentials(
            product: "123456", device: "bin-01", key: Secret(OneNETTokenTests.key.utf8)))
    change(&settings)
    return settings
}

func subDevice(_ name: String, sensors: Set<String>, outputs: [String: OneNETSettings.Output] = [:])
    -> OneNETSettings.SubDevice
{
    OneNETSettings.SubDevice(
        product: "654321", device: name,
        credentials: OneNETCredentials(product: "654321", device: name, key: Secret(OneNETTokenTests.key.utf8)),
        sensors: sensors, outputs: outputs)
}

func reading(
    _ sensor: String, _ value: Double, channel: String? = nil, at time: Timestamp = noonOnOneNET,
    quality: Quality = .good
) -> Reading {
    Reading(sensor: sensor, channel: channel, value: .number(value), unit: "%", time: time, quality: quality)
}

func alarm(_ name: String, of sensor: String = "fill", _ level: Double? = 92) -> AlarmReport {
    AlarmReport(
        alarm: name, sensor: sensor, state: .raised, isActive: true, severity: .warning,
        value: level.map(Reading.Value.number), unit: "%", time: noonOnOneNET, raisedAt: noonOnOneNET)
}

extension Message {
    /// Behind `$sys/{product}/{device}/`, and what it says.
    var told: String {
        let suffix = topic.string.split(separator: "/", maxSplits: 3).last ?? ""
        return "\(suffix) \(String(buffer: payload))"
    }
}

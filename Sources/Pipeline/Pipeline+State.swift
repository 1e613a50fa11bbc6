internal import Sensing
public import Units

extension Pipeline {
    /// What would raise a false alarm, or tell a thing twice, if it were forgotten over a restart. The values themselves
    /// are none of it: what a sensor said in an earlier run may be long over.
    public var state: JSON {
        let sensors = JSON.object(
            indices.sorted { $0.key < $1.key }.compactMap { name, index in
                let sensor = self.sensors[index]
                let calibrations = sensor.calibrations.map {
                    JSON.members([
                        "channel": $0.channel.map(JSON.string), "offset": .number($0.offset),
                        "of": .string(calibrationFingerprint(of: index)),
                    ]) ?? .null
                }
                let state = JSON.members([
                    "failure": (sensor.failure ?? sensor.formerFailure).map { .string(String($0.prefix(500))) },
                    "calibrations": calibrations.isEmpty ? nil : .array(calibrations),
                    "channels": sensor.channels.isEmpty ? nil : .array(sensor.channels.map(\.state)),
                ])
                guard case .object(let members)? = state else { return nil }
                return JSON.Member(name, .object([JSON.Member("of", .string(fingerprint(of: index)))] + members))
            })
        return .members(["clock": clock.map { JSON($0) }, "sensors": sensors]) ?? .object([])
    }

    mutating func restore(_ state: JSON) {
        clock = state["clock"]?.time
        for member in state["sensors"]?.object ?? [] {
            guard let index = indices[member.name], sensors[index].channels.isEmpty else { continue }
            for calibration in member.value["calibrations"]?.array ?? [] {
                guard let offset = calibration["offset"]?.finite else { continue }
                if let kept = calibration["of"]?.string, kept != calibrationFingerprint(of: index) {
                    let channel = calibration["channel"]?.string
                    forgotten.append(Calibration(sensor: member.name, channel: channel, offset: offset))
                    continue
                }
                calibrate(member.name, channel: calibration["channel"]?.string, by: offset)
            }
            guard member.value["of"]?.string == fingerprint(of: index) else { continue }
            sensors[index].formerFailure = member.value["failure"]?.string
            for stored in member.value["channels"]?.array ?? [] {
                let name = stored["channel"]?.string
                guard let channel = channel(name, of: index, hint: sensors[index].channels.count) else { break }
                sensors[index].channels[channel].restore(stored)
            }
        }
    }

    /// Of what an offset is in terms of.
    private func calibrationFingerprint(of index: Int) -> String {
        let (filters, derived) = (sensors[index].settings.filters, sensors[index].settings.derived)
        return "\(filters.scale.factor) \(filters.scale.offset) \(filters.convert.map(\.name)) \(filters.rate != nil) "
            + "\(derived?.expression.text ?? "") \(derived?.unit ?? "")"
    }

    private func fingerprint(of index: Int) -> String {
        let settings = sensors[index].settings
        return
            "\(settings.filters.fingerprint) \(settings.derived?.expression.text ?? "") \(settings.derived?.unit ?? "")"
    }
}

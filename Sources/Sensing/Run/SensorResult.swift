import Units

/// What one read of a sensor gave: values, an error, or, if only some of its channels fail, both.
public struct SensorResult: Sendable, Hashable {
    public var sensor: String
    public var readings: [Reading] = []
    public var error: SensorError?

    public init(sensor: String, readings: [Reading] = [], error: SensorError? = nil) {
        self.sensor = sensor
        self.readings = readings
        self.error = error
    }

    /// Adds measurements; those without a time of their own were taken at `time`. What is not finite is no value.
    mutating func take(_ measured: [Measurement], at time: Timestamp) {
        var good: [Measurement] = []
        for measurement in measured {
            if case .number(let number) = measurement.value, !number.isFinite {
                let channel = measurement.channel.map { " channel \"\($0)\"" } ?? ""
                var trouble = SensorError(
                    .malformed, "sensor \"\(sensor)\"\(channel)", "gave \(number), which is no value")
                trouble.failing = (error?.failing ?? [:]).merging(trouble.failing(in: measurement.channel)) { $1 }
                error = trouble
                continue
            }
            readings.append(
                Reading(
                    sensor: sensor, channel: measurement.channel, value: measurement.value, unit: measurement.unit,
                    time: measurement.time ?? time, quality: measurement.quality))
            good.append(measurement)
        }
        error?.measured = good
    }
}

internal import Settings

/// The board's lights; not those of keyboards.
struct LEDFinder: SensorFinder {
    func find(in context: DriverContext) -> [SensorCandidate] {
        let all = (try? KernelFolder.names(in: context.path("/sys/class/leds"))) ?? []
        return all.filter { !$0.hasPrefix("input") }.map { led in
            var candidate = SensorCandidate(
                name: "led-\(led)", driver: LEDDriver.name, options: [.init("led", .string(led))],
                summary: "light \(led)")
            candidate.isOutput = true
            return candidate
        }
    }
}

/// Channels of pulse-width modulators.
struct PWMFinder: SensorFinder {
    /// As many of a chip as the largest one has.
    private static let limit = 17

    func find(in context: DriverContext) -> [SensorCandidate] {
        let chips = (try? PWMChannel.chips(in: context.path("/sys/class/pwm"))) ?? []
        return chips.flatMap { chip in
            let name = chip.device ?? chip.name
            return (0..<min(chip.count, Self.limit)).map { channel in
                var candidate = SensorCandidate(
                    name: "\(name)-\(channel)", driver: PWMDriver.name,
                    options: [.init("chip", .string(name)), .init("channel", .integer(Int64(channel)))],
                    summary: "pulse-width modulator \(name), channel \(channel)")
                candidate.isOutput = true
                return candidate
            }
        }
    }
}

import Settings
import Testing
import Units

@testable import Sensing

/// A driver on a model of the kernel, called as the agent would.
final class GPIOProbe {
    let kernel: ModelKernel
    var driver: GPIODriver
    /// The wall clock's lead before the kernel's clock.
    var wall: Int64 = noon.milliseconds - 1_000_000

    init(
        _ options: Options, on kernel: ModelKernel, sensor: String = "lid", tree: FakeTree? = nil
    ) throws {
        let settings = reader(options)
        let driver = GPIODriver(
            settings, context: DriverContext(sensor: sensor, root: tree?.root ?? "/nowhere"), kernel: kernel)
        // The sensor's own table is read before its driver's options.
        _ = settings.has("every")
        settings.finish()
        #expect(settings.problems.all == [])
        self.driver = try #require(driver)
        self.kernel = kernel
    }

    var now: Timestamp { Timestamp(milliseconds: wall + Int64(kernel.monotonicNow / 1_000_000)) }

    func open() throws(SensorError) -> Int32 { try driver.open(at: now) }
    func read() throws(SensorError) -> [Measurement] { try driver.read(at: now) }
    func stop() { driver.stop(at: now) }

    func set(_ value: Reading.Value, channel: String? = nil) throws(SensorError) -> [Measurement] {
        try driver.set(value, channel: channel, at: now)
    }

    /// As long as there is something, as the runner does.
    func receive() throws(SensorError) -> [Measurement] {
        var measured: [Measurement] = []
        while kernel.isReadable(try open()) { measured += try driver.receive(at: now) }
        return measured
    }

    /// The failure of a call.
    func failure(_ body: (GPIOProbe) throws(SensorError) -> Void) -> SensorError? {
        do throws(SensorError) {
            try body(self)
            return nil
        } catch {
            return error
        }
    }

    var readFailure: SensorError? { failure { probe throws(SensorError) in _ = try probe.read() } }
    var openFailure: SensorError? { failure { probe throws(SensorError) in _ = try probe.open() } }
    var receiveFailure: SensorError? {
        failure { probe throws(SensorError) in _ = try probe.driver.receive(at: probe.now) }
    }

    /// The one number that a read gives.
    func number() throws -> Double {
        let measured = try read()
        #expect(measured.count == 1)
        return try #require(measured.first?.number)
    }
}

/// A Pi's two chips; the first one's number in the model is 1.
func pi(_ name: String = "gpiochip0") -> ModelKernel {
    let kernel = ModelKernel()
    kernel.plug(name, "pinctrl-bcm2711", (0..<28).map { "GPIO\($0)" })
    kernel.plug("gpiochip1", "raspberrypi-exp-gpio", ["BT_ON", "WL_ON", "PWR_LED_OFF"])
    return kernel
}

func milliseconds(_ count: Int) -> UInt64 { UInt64(count) * 1_000_000 }

import Glibc
import Settings
import Testing
import Units

@testable import Sensing

@Suite struct GPIODriverTests {
    private static func measured(_ on: Bool, _ time: Timestamp? = nil) -> Measurement {
        Measurement(.boolean(on), time: time)
    }

    // MARK: States

    @Test func `a state is read as often as one likes, from one request`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["chip": "pinctrl-bcm2711", "line": "GPIO17"], on: kernel)
        #expect(!lid.driver.listens)
        #expect(try lid.read() == [Self.measured(false)])
        kernel.put(1, 17, true)
        #expect(try lid.read() == [Self.measured(true)])
        let request = try #require(kernel.request(1, 17))
        #expect(request.consumer == "fieldpost lid")
        #expect(request.flags == .input)
        #expect(request.debounce == nil && request.output == nil)
        #expect(kernel.openDescriptors == 1, "the chip's is closed")
        lid.stop()
        #expect(kernel.openDescriptors == 0)
        #expect(kernel.request(1, 17) == nil)
    }

    @Test func `a driver that is dropped gives its line up`() throws {
        let kernel = pi()
        do {
            let lid = try GPIOProbe(["chip": "gpiochip0", "line": 17], on: kernel)
            _ = try lid.read()
            #expect(kernel.openDescriptors == 1)
        }
        #expect(kernel.openDescriptors == 0)
    }

    @Test func `bias, active-low and debouncing reach the kernel`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(
            ["line": "GPIO17", "active_low": true, "bias": "pull-up", "edges": "both", "debounce": "20ms"], on: kernel)
        _ = try lid.read()
        let request = try #require(kernel.request(1, 17))
        #expect(request.flags == [.input, .activeLow, .pullUp, .rising, .falling])
        #expect(request.debounce == 20_000)
        let other = try GPIOProbe(["line": "GPIO18", "bias": "disabled", "debounce": "1500us"], on: kernel)
        #expect(try other.read() == [Self.measured(false)])
        #expect(kernel.request(1, 18)?.flags == [.input, .biasDisabled])
        #expect(kernel.request(1, 18)?.debounce == 1500)
    }

    @Test func `the sensor's name is cut to what the kernel keeps, between letters`() {
        #expect(GPIOOptions.consumer(of: "lid") == "fieldpost lid")
        #expect(GPIOOptions.consumer(of: String(repeating: "x", count: 40)).utf8.count == 31)
        #expect(
            GPIOOptions.consumer(of: String(repeating: "ä", count: 40)) == "fieldpost "
                + String(repeating: "ä", count: 10))
    }

    // MARK: Edges

    @Test func `each edge is told, in order, with the time at which it was`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both"], on: kernel)
        #expect(lid.driver.listens)
        #expect(try lid.read() == [Self.measured(false)])
        let start = lid.now
        kernel.pulse(1, 17, times: 2, each: milliseconds(40))
        kernel.pass(milliseconds(1000))
        let times = [20, 40, 60, 80].map { start + .milliseconds($0) }
        #expect(try lid.receive() == zip([true, false, true, false], times).map(Self.measured))
        #expect(try lid.receive() == [])
        #expect(try lid.read() == [Self.measured(false)])
    }

    @Test func `an edge keeps its distance to now when the wall clock is set meanwhile`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "rising"], on: kernel)
        _ = try lid.open()
        kernel.put(1, 17, true)
        kernel.pass(milliseconds(250))
        lid.wall += 3_600_000
        #expect(try lid.receive() == [Self.measured(true, lid.now + .milliseconds(-250))])
    }

    @Test func `edges are those of the active state`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "falling", "active_low": true], on: kernel)
        #expect(try lid.read() == [Self.measured(true)])
        kernel.put(1, 17, true)
        #expect(try lid.receive() == [Self.measured(false, lid.now)])
        kernel.put(1, 17, false)
        #expect(try lid.receive() == [])
    }

    @Test func `a glitch shorter than the debouncing is nothing`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both", "debounce": "20ms"], on: kernel)
        _ = try lid.read()
        kernel.pulse(1, 17, times: 10, each: milliseconds(10))
        kernel.pass(milliseconds(100))
        #expect(try lid.receive() == [])
        kernel.put(1, 17, true)
        kernel.pass(milliseconds(100))
        #expect(try lid.receive() == [Self.measured(true, lid.now + .milliseconds(-80))])
    }

    @Test func `a read passes on the edges before it, and is not older than they are`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both", "every": "1m"], on: kernel)
        _ = try lid.read()
        kernel.put(1, 17, true)
        kernel.pass(milliseconds(5))
        #expect(
            try lid.read() == [Self.measured(true, lid.now + .milliseconds(-5)), Self.measured(true, lid.now)])
    }

    @Test func `more edges than the kernel keeps are told to be lost, how many, and the state is right`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both"], on: kernel)
        _ = try lid.read()
        kernel.pulse(1, 17, times: 1000, each: milliseconds(1))
        let error = try #require(lid.receiveFailure)
        #expect(error.kind == .lost)
        #expect(
            error.description
                == "GPIO17 (line 17 of pinctrl-bcm2711 (gpiochip0)) lost 976 edges (976 in all): more came than the kernel keeps; debounce it, or relieve the board"
        )
        #expect(error.measured.count == 1024)
        #expect(error.measured.last == Self.measured(false, lid.now))
        #expect(lid.receiveFailure == nil, "and that is it")
        #expect(kernel.openDescriptors == 1)
    }

    @Test func `all that the kernel keeps is taken at once`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both"], on: kernel)
        _ = try lid.read()
        kernel.pulse(1, 17, times: 512, each: milliseconds(1))
        #expect(try lid.driver.receive(at: lid.now).count == 1024)
        #expect(!kernel.isReadable(try lid.open()))
    }

    // MARK: Counts

    @Test func `edges are counted as they come, and told when the sensor is read`() throws {
        let kernel = pi()
        let rain = try GPIOProbe(
            ["line": "GPIO27", "measure": "count", "edges": "falling", "every": "1m"], on: kernel)
        #expect(rain.driver.listens)
        #expect(try rain.number() == 0)
        for _ in 0..<60 {
            kernel.pulse(1, 27, times: 500, each: milliseconds(2))
            #expect(try rain.receive() == [])
        }
        kernel.pulse(1, 27, times: 3, each: milliseconds(2))
        #expect(try rain.number() == 30_003)
        #expect(try rain.number() == 30_003)
    }

    @Test func `edges that were lost are counted all the same`() throws {
        let kernel = pi()
        let flow = try GPIOProbe(["line": "GPIO27", "measure": "count", "every": "1m"], on: kernel)
        _ = try flow.read()
        kernel.pulse(1, 27, times: 5000, each: 100_000)
        let error = try #require(flow.receiveFailure)
        #expect(error.kind == .lost)
        #expect(error.measured == [])
        #expect(error.problem.contains("lost 3976 edges"))
        #expect(try flow.number() == 5000)
        kernel.pulse(1, 27, times: 2000, each: 100_000)
        let second = try #require(flow.readFailure)
        #expect(second.problem.contains("lost 976 edges (4952 in all)"))
        #expect(second.measured == [Measurement(.number(7000))], "the read gives its value with it")
    }

    @Test func `whatever the schedule of reads and receptions, no edge is missing from the count`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<8 {
            let kernel = ModelKernel()
            kernel.plug("gpiochip0", "flow", ["METER"])
            if random.next() % 2 == 0 { kernel.interrupt() }
            let flow = try GPIOProbe(
                ["line": "METER", "measure": "count", "edges": "both", "every": "1m"], on: kernel)
            _ = try flow.read()
            var edges = 0
            for _ in 0..<20 {
                let pulses = Int(random.next() % 900)
                kernel.pulse(1, 0, times: pulses, each: 10_000 + random.next() % 3_000_000)
                edges += 2 * pulses
                switch random.next() % 3 {
                case 0: _ = flow.receiveFailure
                case 1: _ = flow.readFailure
                default: break
                }
            }
            _ = flow.receiveFailure
            #expect(try flow.number() == Double(edges), "seed \(seed)")
        }
    }

    // MARK: Frequencies

    @Test func `the first read of a frequency watches the line for a second`() throws {
        let kernel = pi()
        let flow = try GPIOProbe(["line": "GPIO27", "measure": "frequency", "every": "10s"], on: kernel)
        for index in 0..<100 {
            kernel.plan(1, 27, true, after: milliseconds(40 * index + 10))
            kernel.plan(1, 27, false, after: milliseconds(40 * index + 30))
        }
        let before = flow.now
        #expect(try flow.read() == [Measurement(.number(25), unit: "Hz", time: before + .seconds(1))])
        #expect(flow.now == before + .seconds(1))
        kernel.pass(milliseconds(500))
        #expect(try flow.number() == 25, "later it does not wait")
        #expect(flow.now == before + .milliseconds(1500))
        kernel.pass(milliseconds(60_000))
        _ = try flow.read()
        kernel.pass(milliseconds(60_000))
        #expect(try flow.number() == 0)
    }

    @Test func `a frequency is right between any two reads`() throws {
        let kernel = pi()
        let fan = try GPIOProbe(
            ["line": "GPIO27", "measure": "frequency", "edges": "both", "every": "10s"], on: kernel)
        _ = try fan.read()
        kernel.pulse(1, 27, times: 300, each: milliseconds(10))
        _ = try fan.read()
        for _ in 0..<5 {
            kernel.pulse(1, 27, times: 300, each: milliseconds(10))
            #expect(try fan.receive() == [])
            kernel.pulse(1, 27, times: 3, each: milliseconds(10))
            #expect(abs(try fan.number() - 200) < 1e-6)
        }
    }

    // MARK: Pulses

    @Test func `the newest pulse is told, in milliseconds, with the time of its end`() throws {
        let kernel = pi()
        let co2 = try GPIOProbe(["line": "GPIO27", "measure": "pulse", "every": "10s"], on: kernel)
        kernel.plan(1, 27, true, after: milliseconds(100))
        kernel.plan(1, 27, false, after: milliseconds(100) + 1_500_000)
        let start = co2.now
        #expect(
            try co2.read() == [Measurement(.number(1.5), unit: "ms", time: start + .milliseconds(101))])
        #expect(co2.now < start + .milliseconds(200), "the first pulse ends the watching")
        kernel.pulse(1, 27, times: 3, each: milliseconds(100))
        #expect(try co2.receive() == [])
        #expect(try co2.number() == 50)
        let end = co2.now
        kernel.pass(milliseconds(7000))
        #expect(
            try co2.read() == [
                Measurement(.number(50), unit: "ms", quality: .stale("no pulse since \(end.iso8601)"))
            ])
    }

    @Test func `a low pulse is the time between two high ones`() throws {
        let kernel = pi()
        let gap = try GPIOProbe(
            ["line": "GPIO27", "measure": "pulse", "pulse": "low", "every": "10s"], on: kernel)
        let error = try #require(gap.readFailure)
        #expect(error.kind == .unavailable)
        #expect(error.problem == "has given no pulse yet")
        kernel.pulse(1, 27, times: 2, each: milliseconds(30))
        kernel.pass(milliseconds(70))
        kernel.put(1, 27, true)
        #expect(try gap.number() == 70)
    }

    // MARK: Outputs

    @Test func `an output begins with its initial state and keeps what it is set to`() throws {
        let kernel = pi()
        let pump = try GPIOProbe(
            ["line": "GPIO22", "direction": "output", "initial": true, "drive": "open-drain"], on: kernel,
            sensor: "pump")
        #expect(!pump.driver.listens)
        #expect(try pump.read() == [Self.measured(true)])
        #expect(kernel.request(1, 22)?.flags == [.output, .openDrain])
        #expect(kernel.voltage(1, 22) == true)
        #expect(try pump.set(.boolean(false)) == [Self.measured(false)])
        #expect(try pump.read() == [Self.measured(false)])
        #expect(kernel.voltage(1, 22) == false)
    }

    @Test(arguments: [
        (Reading.Value.boolean(true), true), (.number(1), true), (.text("on"), true), (.text("ON"), true),
        (.boolean(false), false), (.number(0), false), (.text("off"), false),
    ])
    func `an output is set by what means on or off`(value: Reading.Value, level: Bool) throws {
        let kernel = pi()
        let pump = try GPIOProbe(
            ["line": "GPIO22", "direction": "output", "initial": .boolean(!level), "active_low": true], on: kernel)
        #expect(try pump.set(value) == [Self.measured(level)])
        #expect(kernel.voltage(1, 22) == !level)
    }

    @Test(arguments: [Reading.Value.number(2), .number(-1), .number(.nan), .number(0.5), .text("open"), .text("1")])
    func `an output is set by nothing else`(value: Reading.Value) throws {
        let kernel = pi()
        let pump = try GPIOProbe(["line": "GPIO22", "direction": "output"], on: kernel, sensor: "pump")
        let error = try #require(pump.failure { probe throws(SensorError) in _ = try probe.set(value) })
        #expect(error.kind == .rejected)
        #expect(error.description == #"sensor "pump" is on or off; set it to true or false"#)
        #expect(kernel.openDescriptors == 0, "nothing was touched")
    }

    @Test func `an input and a channel cannot be set`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["line": "GPIO17"], on: kernel)
        #expect(lid.failure { probe throws(SensorError) in _ = try probe.set(.boolean(true)) }?.kind == .rejected)
        let pump = try GPIOProbe(["line": "GPIO22", "direction": "output"], on: kernel)
        #expect(
            pump.failure { probe throws(SensorError) in _ = try probe.set(.boolean(true), channel: "a") }?.kind
                == .rejected)
    }

    @Test func `an output is safe after the end, if its owner says what is safe`() throws {
        let kernel = pi()
        let heater = try GPIOProbe(["line": "GPIO22", "direction": "output", "safe": false], on: kernel)
        let valve = try GPIOProbe(
            ["line": "GPIO23", "direction": "output", "safe": true, "active_low": true], on: kernel)
        let light = try GPIOProbe(["line": "GPIO24", "direction": "output"], on: kernel)
        for output in [heater, valve, light] {
            _ = try output.read()
            _ = try output.set(.boolean(true))
        }
        _ = try valve.set(.boolean(false))
        for output in [heater, valve, light] { output.stop() }
        #expect(kernel.voltage(1, 22) == false)
        #expect(kernel.voltage(1, 23) == false, "on, since it is active-low")
        #expect(kernel.voltage(1, 24) == true)
        #expect(kernel.openDescriptors == 0)
    }

    @Test func `an output that can be made safe is so although it was not open`() throws {
        let kernel = pi()
        let valve = try GPIOProbe(["line": "GPIO23", "direction": "output", "safe": true], on: kernel)
        valve.stop()
        #expect(kernel.voltage(1, 23) == true)
        let none = try GPIOProbe(["line": "GPIO99", "direction": "output", "safe": true], on: kernel)
        none.stop()
        #expect(
            none.failure { probe throws(SensorError) in try probe.driver.makeSafe(at: probe.now) }?.kind == .missing)
    }

    // MARK: What goes wrong

    @Test func `a busy line names who has it, and what to do`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["chip": "gpiochip0", "line": 4], on: kernel)
        for (consumer, mend) in [
            (
                "onewire@0",
                "end that program, or remove what gives the line to that driver (a device-tree overlay, in config.txt)"
            ),
            (
                "sysfs",
                "a program has exported it in /sys/class/gpio: end it, or write the line's number to unexport there"
            ),
            ("fieldpost probe", "it stands in two sensors, or another agent runs"),
        ] {
            kernel.occupy(1, 4, by: consumer)
            let error = try #require(lid.readFailure)
            #expect(error.kind == .busy)
            #expect(
                error.description
                    == "GPIO4 (line 4 of pinctrl-bcm2711 (gpiochip0)) is used by \"\(consumer)\"; \(mend)")
        }
        kernel.occupy(1, 4, by: "")
        #expect(lid.readFailure?.problem == "is used by somebody who gives no name")
        #expect(kernel.openDescriptors == 0)
        kernel.free(1, 4)
        #expect(try lid.read() == [Self.measured(false)], "it is tried again at each read")
    }

    @Test func `two sensors of one line: the second one names the first`() throws {
        let kernel = pi()
        let one = try GPIOProbe(["line": "GPIO4"], on: kernel, sensor: "one")
        let two = try GPIOProbe(["line": "GPIO4"], on: kernel, sensor: "two")
        _ = try one.read()
        #expect(two.readFailure?.problem == #"is used by "fieldpost one""#)
    }

    @Test func `a chip that is removed is missing until it is back, under whatever number`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["chip": "pinctrl-bcm2711", "line": "GPIO17", "edges": "both"], on: kernel)
        _ = try lid.read()
        kernel.put(1, 17, true)
        _ = try lid.receive()
        kernel.put(1, 17, false)
        kernel.unplug(1)
        #expect(kernel.isReadable(try lid.open()), "the kernel wakes us")
        let error = try #require(lid.receiveFailure)
        #expect(error.kind == .missing)
        #expect(
            error.description
                == "GPIO17 (line 17 of pinctrl-bcm2711 (gpiochip0)) is gone: its chip was removed; it is looked for again"
        )
        #expect(error.measured == [])
        #expect(kernel.openDescriptors == 0)
        #expect(
            lid.openFailure?.description
                == "/nowhere/dev has no GPIO chip \"pinctrl-bcm2711\"; it has raspberrypi-exp-gpio (gpiochip1)")

        let back = kernel.plug("gpiochip4", "pinctrl-bcm2711", (0..<28).map { "GPIO\($0)" })
        kernel.put(back, 17, true)
        #expect(try lid.read() == [Self.measured(true)])
        kernel.put(back, 17, false)
        #expect(try lid.receive() == [Self.measured(false, lid.now)], "numbers begin anew, and nothing is lost")
    }

    @Test func `a chip that is back at once tells its state with the failure`() throws {
        let kernel = pi()
        let lid = try GPIOProbe(["chip": "pinctrl-bcm2711", "line": "GPIO17", "edges": "both"], on: kernel)
        _ = try lid.read()
        kernel.unplug(1)
        let back = kernel.plug("gpiochip4", "pinctrl-bcm2711", (0..<28).map { "GPIO\($0)" })
        kernel.put(back, 17, true)
        let error = try #require(lid.receiveFailure)
        #expect(error.kind == .missing)
        #expect(error.measured == [Self.measured(true)])
        #expect(kernel.openDescriptors == 1)
    }

    @Test func `counts go on when the chip is back`() throws {
        let kernel = pi()
        let rain = try GPIOProbe(
            ["chip": "pinctrl-bcm2711", "line": 27, "measure": "count", "every": "1m"], on: kernel)
        _ = try rain.read()
        kernel.pulse(1, 27, times: 7, each: milliseconds(2))
        _ = try rain.receive()
        kernel.unplug(1)
        #expect(rain.receiveFailure?.kind == .missing)
        #expect(rain.readFailure?.kind == .missing)
        let back = kernel.plug("gpiochip0", "pinctrl-bcm2711", (0..<28).map { "GPIO\($0)" })
        #expect(try rain.number() == 7)
        kernel.pulse(back, 27, times: 5, each: milliseconds(2))
        #expect(try rain.number() == 12)
    }

    @Test func `an output comes back in its initial state`() throws {
        let kernel = pi()
        let pump = try GPIOProbe(["chip": "pinctrl-bcm2711", "line": 22, "direction": "output"], on: kernel)
        _ = try pump.set(.boolean(true))
        kernel.unplug(1)
        #expect(pump.readFailure?.kind == .missing)
        #expect(pump.failure { probe throws(SensorError) in _ = try probe.set(.boolean(true)) }?.kind == .missing)
        let back = kernel.plug("gpiochip0", "pinctrl-bcm2711", (0..<28).map { "GPIO\($0)" })
        #expect(try pump.read() == [Self.measured(false)])
        #expect(kernel.voltage(back, 22) == false)
        _ = try pump.set(.boolean(true))
        kernel.unplug(back)
        #expect(
            pump.failure { probe throws(SensorError) in _ = try probe.set(.boolean(false)) }?.kind == .missing,
            "noticed by setting it too")
        #expect(kernel.openDescriptors == 0)
    }

    @Test func `a chip whose bus fails keeps its line, and an input that fails to tell its edges is opened anew`()
        throws
    {
        let kernel = pi()
        let pump = try GPIOProbe(["line": "GPIO22", "direction": "output"], on: kernel)
        _ = try pump.set(.boolean(true))
        kernel.fail("level", EIO)
        #expect(pump.readFailure?.kind == .unavailable)
        #expect(try pump.read() == [Self.measured(true)])

        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both"], on: kernel)
        let before = try lid.open()
        kernel.fail("events", EIO)
        #expect(lid.receiveFailure?.kind == .unavailable)
        #expect(try lid.open() != before)
        #expect(kernel.openDescriptors == 2)
    }

    @Test func `calls that signals interrupt are made again`() throws {
        let kernel = pi()
        kernel.interrupt()
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both"], on: kernel)
        #expect(try lid.read() == [Self.measured(false)])
        kernel.put(1, 17, true)
        #expect(try lid.receive() == [Self.measured(true, lid.now)])
        let pump = try GPIOProbe(["line": "GPIO22", "direction": "output"], on: kernel)
        #expect(try pump.set(.boolean(true)) == [Self.measured(true)])
        #expect(kernel.calls > 60)
    }

    @Test func `a line without an interrupt says that it has none`() throws {
        let kernel = pi()
        kernel.removeInterrupt(1, 17)
        let lid = try GPIOProbe(["line": "GPIO17", "edges": "both"], on: kernel)
        let error = try #require(lid.openFailure)
        #expect(error.kind == .unavailable)
        #expect(error.problem == "has no interrupt, so that the kernel cannot see its edges")
        let plain = try GPIOProbe(["line": "GPIO17"], on: kernel)
        #expect(try plain.read() == [Self.measured(false)])
        kernel.fail("request", ENODEV)
        let other = try GPIOProbe(["line": "GPIO18"], on: kernel)
        #expect(other.readFailure?.kind == .missing)
        kernel.fail("request", EPERM)
        #expect(other.readFailure?.kind == .forbidden)
        kernel.fail("request", EINVAL)
        #expect(other.readFailure?.description.contains("EINVAL") == true)
    }

    @Test func `without a chip, and without sysfs, it says what is missing`() throws {
        let lid = try GPIOProbe(["line": "GPIO17"], on: ModelKernel())
        #expect(
            lid.readFailure?.description
                == "/nowhere/dev has no GPIO chip (gpiochip*); is the chip connected, and its kernel driver loaded?")
    }
}

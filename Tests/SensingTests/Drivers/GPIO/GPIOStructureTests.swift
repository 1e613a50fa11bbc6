import CLinux
import Settings
import Testing

@testable import Sensing

/// What the kernel's headers say here, against what they say elsewhere.
@Suite struct GPIOStructureTests {
    @Test func `the requests have the kernel's numbers`() {
        #expect(clinux_gpio_get_chipinfo == 0x8044_B401)
        #expect(clinux_gpio_v2_get_lineinfo == 0xC100_B405)
        #expect(clinux_gpio_v2_get_line == 0xC250_B407)
        #expect(clinux_gpio_v2_line_get_values == 0xC010_B40E)
        #expect(clinux_gpio_v2_line_set_values == 0xC010_B40F)
    }

    @Test func `the structures have the kernel's sizes`() {
        #expect(MemoryLayout<gpiochip_info>.size == 68)
        #expect(MemoryLayout<gpio_v2_line_values>.size == 16)
        #expect(MemoryLayout<gpio_v2_line_attribute>.size == 16)
        #expect(MemoryLayout<gpio_v2_line_config_attribute>.size == 24)
        #expect(MemoryLayout<gpio_v2_line_config>.size == 272)
        #expect(MemoryLayout<gpio_v2_line_request>.size == 592)
        #expect(MemoryLayout<gpio_v2_line_info>.size == 256)
        #expect(MemoryLayout<gpio_v2_line_event>.size == LineEvent.size)
        #expect(LineEvent.size == 48)
    }

    @Test func `their members are where the kernel looks for them`() {
        #expect(MemoryLayout<gpio_v2_line_request>.offset(of: \.consumer) == 256)
        #expect(MemoryLayout<gpio_v2_line_request>.offset(of: \.config) == 288)
        #expect(MemoryLayout<gpio_v2_line_request>.offset(of: \.num_lines) == 560)
        #expect(MemoryLayout<gpio_v2_line_request>.offset(of: \.event_buffer_size) == 564)
        #expect(MemoryLayout<gpio_v2_line_request>.offset(of: \.fd) == 588)
        #expect(MemoryLayout<gpio_v2_line_config>.offset(of: \.num_attrs) == 8)
        #expect(MemoryLayout<gpio_v2_line_config>.offset(of: \.attrs) == 32)
        #expect(MemoryLayout<gpio_v2_line_config_attribute>.offset(of: \.mask) == 16)
        #expect(MemoryLayout<gpio_v2_line_event>.offset(of: \.timestamp_ns) == 0)
        #expect(MemoryLayout<gpio_v2_line_event>.offset(of: \.id) == 8)
        #expect(MemoryLayout<gpio_v2_line_event>.offset(of: \.offset) == 12)
        #expect(MemoryLayout<gpio_v2_line_event>.offset(of: \.seqno) == 16)
        #expect(MemoryLayout<gpio_v2_line_event>.offset(of: \.line_seqno) == 20)
    }

    @Test func `flags and attributes have the kernel's values`() {
        let flags: [(LineFlags, UInt64, UInt64)] = [
            (.used, 1, UInt64(GPIO_V2_LINE_FLAG_USED.rawValue)),
            (.activeLow, 2, UInt64(GPIO_V2_LINE_FLAG_ACTIVE_LOW.rawValue)),
            (.input, 4, UInt64(GPIO_V2_LINE_FLAG_INPUT.rawValue)),
            (.output, 8, UInt64(GPIO_V2_LINE_FLAG_OUTPUT.rawValue)),
            (.rising, 0x10, UInt64(GPIO_V2_LINE_FLAG_EDGE_RISING.rawValue)),
            (.falling, 0x20, UInt64(GPIO_V2_LINE_FLAG_EDGE_FALLING.rawValue)),
            (.openDrain, 0x40, UInt64(GPIO_V2_LINE_FLAG_OPEN_DRAIN.rawValue)),
            (.openSource, 0x80, UInt64(GPIO_V2_LINE_FLAG_OPEN_SOURCE.rawValue)),
            (.pullUp, 0x100, UInt64(GPIO_V2_LINE_FLAG_BIAS_PULL_UP.rawValue)),
            (.pullDown, 0x200, UInt64(GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN.rawValue)),
            (.biasDisabled, 0x400, UInt64(GPIO_V2_LINE_FLAG_BIAS_DISABLED.rawValue)),
        ]
        for (ours, fact, header) in flags {
            #expect(ours.rawValue == fact)
            #expect(header == fact)
        }
        #expect(GPIO_V2_LINE_ATTR_ID_FLAGS.rawValue == 1)
        #expect(GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES.rawValue == 2)
        #expect(GPIO_V2_LINE_ATTR_ID_DEBOUNCE.rawValue == 3)
        #expect(GPIO_V2_LINE_EVENT_RISING_EDGE.rawValue == 1)
        #expect(GPIO_V2_LINE_EVENT_FALLING_EDGE.rawValue == 2)
        #expect(LineRequest.eventBufferSize == GPIO_V2_LINES_MAX * 16)
    }

    @Test func `events are read from the bytes that the kernel gives`() {
        var events = [
            gpio_v2_line_event(), gpio_v2_line_event(), gpio_v2_line_event(),
        ]
        events[0].timestamp_ns = 0x0123_4567_89AB_CDEF
        events[0].id = 1
        events[0].seqno = 7
        events[0].line_seqno = 7
        events[1].id = 9
        events[2].timestamp_ns = 5
        events[2].id = 2
        events[2].offset = 17
        events[2].seqno = 9
        events[2].line_seqno = 9
        let first = LineEvent(time: 0x0123_4567_89AB_CDEF, isRising: true, number: 7)
        let last = LineEvent(time: 5, isRising: false, number: 9)
        events.withUnsafeBytes { bytes in
            #expect(LineEvent.decode(bytes) == [first, last], "what is no edge is left out")
            #expect(LineEvent.decode(UnsafeRawBufferPointer(rebasing: bytes.dropLast())) == [first])
            #expect(LineEvent.decode(UnsafeRawBufferPointer(rebasing: bytes[..<47])) == [])
            #expect(LineEvent.decode(UnsafeRawBufferPointer(rebasing: bytes[..<0])) == [])
        }
    }

    @Test func `any bytes at all are read without harm`() {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SplitMix64(seed: seed)
        for _ in 0..<200 {
            let bytes = (0..<Int(random.next() % 300)).map { _ in UInt8(truncatingIfNeeded: random.next() % 3) }
            let events = bytes.withUnsafeBytes { LineEvent.decode($0) }
            #expect(events.count <= bytes.count / LineEvent.size, "seed \(seed)")
        }
    }

    @Test func `this machine's own chips, if it has any, can be asked; what is no chip is said to be none`() throws {
        let kernel = CharacterDevices(context: DriverContext(sensor: "s"))
        for path in kernel.chipPaths() { #expect(path.hasPrefix("/dev/gpiochip")) }
        let tree = try FakeTree([
            "/dev/gpiochip10": "", "/dev/gpiochip9": "", "/dev/gpiochip": "", "/dev/gpiochipx": "", "/dev/null": "",
        ])
        let fake = CharacterDevices(context: DriverContext(sensor: "s", root: tree.root))
        #expect(fake.chipPaths() == ["/dev/gpiochip9", "/dev/gpiochip10"].map(tree.path))
        #expect(throws: SystemFault(code: 25)) {
            try fake.chip(try fake.openChip(tree.path("/dev/gpiochip9")), at: "x")
        }
        let driver = try make(GPIODriver.self, ["chip": "gpiochip9", "line": 0], in: tree)
        #expect(driver.failure()?.text(in: tree) == "/dev/gpiochip9 is no GPIO chip")
        driver.stop()
        let listed = GPIOListing.chips(in: DriverContext(sensor: "", root: tree.root))
        #expect(listed.count == 2)
    }
}

extension Probe where Driver == GPIODriver {
    func stop() {}
}

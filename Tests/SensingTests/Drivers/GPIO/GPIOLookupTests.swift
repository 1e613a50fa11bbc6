import Glibc
import Settings
import Testing

@testable import Sensing

@Suite struct GPIOLookupTests {
    private func place(_ options: Options, on kernel: ModelKernel) throws -> String? {
        let probe = try GPIOProbe(options, on: kernel)
        defer { probe.stop() }
        _ = try probe.read()
        return (0...40).lazy.flatMap { chip in (0..<28).lazy.map { (chip, $0) } }
            .first { kernel.request($0.0, $0.1) != nil }.map { "\($0.0):\($0.1)" }
    }

    private func failure(_ options: Options, on kernel: ModelKernel) throws -> String? {
        let failure = try GPIOProbe(options, on: kernel).readFailure?.description
        #expect(kernel.openDescriptors == 0)
        return failure
    }

    @Test(arguments: ["pinctrl-bcm2711", "gpiochip0", "device-of-gpiochip0", "/dev/gpiochip0"])
    func `a chip has a label, a device, a name and a path`(name: String) throws {
        // Paths are those under the root.
        let kernel = ModelKernel()
        kernel.plug("gpiochip0", "pinctrl-bcm2711", (0..<28).map { "GPIO\($0)" })
        kernel.plug("gpiochip1", "raspberrypi-exp-gpio", ["BT_ON"])
        kernel.link("/nowhere/dev/gpiochip0", to: 1)
        #expect(try place(["chip": .string(name), "line": "GPIO17"], on: kernel) == "1:17")
        #expect(try place(["chip": .string(name), "line": 17], on: kernel) == "1:17")
    }

    @Test func `a name is searched for on all chips`() throws {
        #expect(try place(["line": "GPIO17"], on: pi()) == "1:17")
        #expect(try place(["line": "PWR_LED_OFF"], on: pi()) == "2:2")
    }

    @Test func `a label stands for the chip whatever its number is`() throws {
        for name in ["gpiochip0", "gpiochip4", "gpiochip13", "gpiochip512"] {
            #expect(try place(["chip": "pinctrl-bcm2711", "line": "GPIO17"], on: pi(name)) == "1:17")
        }
    }

    @Test func `the link by which a Pi 5's chip was known does not make it two`() throws {
        let kernel = ModelKernel()
        kernel.plug("gpiochip0", "pinctrl-rp1", (0..<28).map { "GPIO\($0)" })
        kernel.link("/dev/gpiochip4", to: 1)
        #expect(try place(["line": "GPIO17"], on: kernel) == "1:17")
        #expect(try place(["chip": "pinctrl-rp1", "line": 17], on: kernel) == "1:17")
        #expect(GPIOListing.chips(of: kernel).count == 1)
    }

    @Test func `a name that is there several times needs its chip, or its offset`() throws {
        let kernel = ModelKernel()
        kernel.plug("gpiochip0", "board", ["LED", "KEY", "KEY"])
        kernel.plug("gpiochip1", "mcp23017", ["LED", "A"])
        kernel.plug("gpiochip2", "mcp23017", ["B", "LED"])
        #expect(
            try failure(["line": "LED"], on: kernel)
                == #"line "LED" is there 3 times: line 0 of board (gpiochip0), line 0 of mcp23017 (gpiochip1), line 1 of mcp23017 (gpiochip2); say which with chip, or by its offset"#
        )
        #expect(try place(["chip": "board", "line": "LED"], on: kernel) == "1:0")
        #expect(
            try failure(["chip": "board", "line": "KEY"], on: kernel)?.hasPrefix(#"line "KEY" is there 2 times"#)
                == true)
        #expect(try place(["chip": "mcp23017", "line": "B"], on: kernel) == "3:0", "it is on one of them only")
        #expect(
            try failure(["chip": "mcp23017", "line": 1], on: kernel)
                == #"GPIO chip "mcp23017" is several: mcp23017 (gpiochip1), mcp23017 (gpiochip2); name the one by its device"#
        )
        #expect(try place(["chip": "device-of-gpiochip2", "line": 1], on: kernel) == "3:1")
    }

    @Test func `what is not there is answered with what is`() throws {
        #expect(
            try failure(["chip": "pinctrl-rp1", "line": 17], on: pi())
                == #"/nowhere/dev has no GPIO chip "pinctrl-rp1"; it has pinctrl-bcm2711 (gpiochip0), raspberrypi-exp-gpio (gpiochip1)"#
        )
        #expect(
            try failure(["chip": "pinctrl-bcm2711", "line": 54], on: pi())
                == "pinctrl-bcm2711 (gpiochip0) has no line 54; its lines are 0 to 27")
        #expect(
            try failure(["line": "GPI017"], on: pi())
                == #"pinctrl-bcm2711 (gpiochip0), raspberrypi-exp-gpio (gpiochip1) has no line "GPI017"; did you mean "GPIO17"?"#
        )
        #expect(
            try failure(["chip": "gpiochip1", "line": "lid"], on: pi())
                == #"raspberrypi-exp-gpio (gpiochip1) has no line "lid"; names are BT_ON, WL_ON, PWR_LED_OFF"#)
        let nameless = ModelKernel()
        nameless.plug("gpiochip0", "", ["", ""])
        #expect(
            try failure(["line": "17"], on: nameless)
                == #"gpiochip0 has no line "17"; its lines have no names: write the offset, a number"#)
    }

    @Test func `chips that are closed to us are in the way only if the line is not on another one`() throws {
        let kernel = ModelKernel()
        kernel.plug("gpiochip0", "closed", ["GPIO17"], isClosed: true)
        #expect(try failure(["chip": "closed", "line": "GPIO17"], on: kernel)?.contains("/dev/gpiochip0 ") == true)
        kernel.plug("gpiochip1", "open", ["GPIO17"])
        #expect(try place(["line": "GPIO17"], on: kernel) == "2:0")
        let lid = try GPIOProbe(["chip": "closed", "line": "GPIO17"], on: kernel)
        let error = try #require(lid.readFailure)
        #expect(error.kind == .forbidden)
        #expect(
            error.mend?.hasSuffix(
                #"the udev rule is SUBSYSTEM=="gpio", KERNEL=="gpiochip[0-9]*", GROUP="gpio", MODE="0660""#) == true)
        #expect(try GPIOProbe(["line": "GPIO18"], on: kernel).readFailure?.kind == .forbidden)
    }

    @Test func `a chip that goes while it is looked at is not there`() throws {
        let kernel = pi()
        kernel.fail("chip", ENODEV)
        #expect(try place(["line": "PWR_LED_OFF"], on: kernel) == "2:2")
        kernel.fail("line", ENODEV)
        #expect(try GPIOProbe(["chip": "gpiochip0", "line": 17], on: kernel).readFailure == nil)
        #expect(kernel.openDescriptors == 0)
    }

    // MARK: Listing

    @Test func `the listing shows chips, lines and who uses them, and changes nothing`() throws {
        let kernel = pi()
        kernel.plug("gpiochip2", "closed", [], isClosed: true)
        kernel.occupy(1, 4, by: "onewire@0")
        let pump = try GPIOProbe(
            ["line": "GPIO22", "direction": "output", "active_low": true, "drive": "open-source"], on: kernel,
            sensor: "pump")
        let lid = try GPIOProbe(
            ["line": "GPIO17", "edges": "both", "bias": "pull-up", "debounce": "20ms"], on: kernel)
        _ = try pump.read()
        _ = try lid.read()
        let listed = GPIOListing.chips(of: kernel)
        #expect(kernel.openDescriptors == 2)
        try #require(listed.count == 3)
        let first = try listed[0].get()
        #expect(
            first.chip
                == GPIOChip(
                    path: "/dev/gpiochip0", name: "gpiochip0", label: "pinctrl-bcm2711",
                    device: "device-of-gpiochip0", lineCount: 28))
        #expect(first.lines.count == 28)
        #expect(first.lines[3] == GPIOLine(offset: 3, name: "GPIO3"))
        #expect(first.lines[4] == GPIOLine(offset: 4, name: "GPIO4", isUsed: true, consumer: "onewire@0"))
        #expect(
            first.lines[17]
                == GPIOLine(
                    offset: 17, name: "GPIO17", isUsed: true, consumer: "fieldpost lid", bias: .pullUp, edges: .both,
                    debounce: .milliseconds(20)))
        #expect(
            first.lines[22]
                == GPIOLine(
                    offset: 22, name: "GPIO22", isUsed: true, consumer: "fieldpost pump", direction: .output,
                    isActiveLow: true, drive: .openSource))
        #expect(try listed[1].get().lines.map(\.name) == ["BT_ON", "WL_ON", "PWR_LED_OFF"])
        guard case .failure(let error) = listed[2] else {
            Issue.record("a closed chip is listed")
            return
        }
        #expect(error.kind == .forbidden)
        #expect(kernel.request(1, 17) != nil && kernel.request(1, 3) == nil)
    }
}

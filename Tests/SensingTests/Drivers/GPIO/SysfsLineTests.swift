import Glibc
import Settings
import Testing
import Units

@testable import Sensing

/// A board whose kernel has no character device of the second version. Plain files cannot be waited for by their urgency,
/// and the kernel's own answers are what a test with a real kernel is for.
@Suite struct SysfsLineTests {
    /// Kernel 6.6 of a Pi: its lines begin at 512.
    private static func board(_ tree: FakeTree? = nil) throws -> FakeTree {
        let tree = try tree ?? FakeTree()
        for (base, label, count) in [(512, "pinctrl-bcm2711", 58), (570, "raspberrypi-exp-gpio", 8)] {
            try tree.write("/sys/class/gpio/gpiochip\(base)/base", "\(base)\n")
            try tree.write("/sys/class/gpio/gpiochip\(base)/ngpio", "\(count)\n")
            try tree.write("/sys/class/gpio/gpiochip\(base)/label", "\(label)\n")
        }
        return tree
    }

    private static func addLine(_ number: Int, to tree: FakeTree) throws {
        for (attribute, text) in [("value", "0\n"), ("direction", "in\n"), ("active_low", "0\n"), ("edge", "none\n")] {
            try tree.write("/sys/class/gpio/gpio\(number)/\(attribute)", text)
        }
    }

    private func text(_ tree: FakeTree, _ path: String) throws -> String {
        try KernelFile.text(tree.path("/sys/class/gpio/\(path)"))
    }

    private func sensor(_ options: Options, _ tree: FakeTree) throws -> GPIOProbe {
        try GPIOProbe(options, on: ModelKernel(), tree: tree)
    }

    @Test func `a line's number is its chip's base and its offset`() throws {
        let tree = try Self.board()
        try Self.addLine(529, to: tree)
        let lid = try sensor(["chip": "pinctrl-bcm2711", "line": 17, "active_low": true], tree)
        #expect(try lid.read() == [Measurement(.boolean(false))])
        #expect(try text(tree, "gpio529/active_low").first == "1")
        try tree.write("/sys/class/gpio/gpio529/value", "1\n")
        #expect(try lid.read() == [Measurement(.boolean(true))])
        lid.stop()
        #expect(!exists(tree.path("/sys/class/gpio/unexport")), "it was there before us")
    }

    @Test func `an old kernel's chips are not asked twice`() throws {
        let tree = try Self.board()
        try Self.addLine(529, to: tree)
        let kernel = pi()
        kernel.growOld()
        let lid = try GPIOProbe(["chip": "pinctrl-bcm2711", "line": 17], on: kernel, tree: tree)
        #expect(try lid.read() == [Measurement(.boolean(false))])
        #expect(kernel.openDescriptors == 0)
    }

    @Test func `a line is exported, waited for, and given back`() throws {
        let tree = try Self.board()
        try tree.makePipe("/sys/class/gpio/export")
        let pipe = open(tree.path("/sys/class/gpio/export"), O_RDWR | O_NONBLOCK)
        defer { close(pipe) }
        try tree.write("/sys/class/gpio/unexport", "")
        let path = tree.path("/sys/class/gpio/gpio529")
        let asked = Shared("")
        // What the kernel does when a number is written, and udev a little later.
        let done = try Gate()
        #expect(
            WorkerThread.start {
                var bytes = [UInt8](repeating: 0, count: 16)
                var wanted = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
                _ = poll(&wanted, 1, 20_000)
                let count = read(pipe, &bytes, bytes.count)
                let number = String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
                asked.change { $0 = number }
                mkdir(path, 0o755)
                for (attribute, text) in [("direction", "in"), ("active_low", "0"), ("edge", "none"), ("value", "1")] {
                    let file = open("\(path)/\(attribute)", O_WRONLY | O_CREAT, 0o644)
                    _ = write(file, text, text.utf8.count)
                    close(file)
                }
                done.open()
            })
        let relay = try sensor(
            ["chip": "pinctrl-bcm2711", "line": 17, "direction": "output", "initial": true, "active_low": true], tree)
        #expect(try relay.read() == [Measurement(.boolean(true))])
        done.pass()
        #expect(asked.current == "529")
        #expect(try text(tree, "gpio529/direction") == "low", "on is low here, from the first moment")
        #expect(try relay.set(.boolean(false)) == [Measurement(.boolean(false))])
        #expect(try text(tree, "gpio529/value") == "0")
        #expect(try text(tree, "unexport") == "")
        relay.stop()
        #expect(try text(tree, "unexport") == "529")
        for attribute in ["direction", "active_low", "edge", "value"] { unlink("\(path)/\(attribute)") }
        rmdir(path)
    }

    @Test func `what sysfs cannot do is refused`() throws {
        let tree = try Self.board()
        try Self.addLine(529, to: tree)
        for options: Options in [
            ["chip": "pinctrl-bcm2711", "line": 17, "debounce": "5ms"],
            ["chip": "pinctrl-bcm2711", "line": 17, "bias": "pull-up"],
            ["chip": "pinctrl-bcm2711", "line": 17, "measure": "count", "every": "1s"],
            ["chip": "pinctrl-bcm2711", "line": 17, "measure": "pulse", "every": "1s"],
            ["chip": "pinctrl-bcm2711", "line": 17, "direction": "output", "drive": "open-drain"],
        ] {
            #expect(
                try sensor(options, tree).readFailure?.problem
                    == "cannot be debounced, biased, driven otherwise or counted: sysfs can only read, set and tell of changes"
            )
        }
        let error = try sensor(["line": "GPIO17"], tree).readFailure
        #expect(
            error?.text(in: tree)
                == "/sys/class/gpio has no names of lines, and this kernel's character device is missing or too old; write the chip's label and the line's offset"
        )
    }

    @Test func `what is not there is answered with what is`() throws {
        let tree = try Self.board()
        #expect(
            try sensor(["chip": "pinctrl-rp1", "line": 17], tree).readFailure?.text(in: tree)
                == #"/sys/class/gpio has no chip of label "pinctrl-rp1"; it has pinctrl-bcm2711 (512 to 569), raspberrypi-exp-gpio (570 to 577)"#
        )
        #expect(
            try sensor(["chip": "raspberrypi-exp-gpio", "line": 8], tree).readFailure?.text(in: tree)
                == "raspberrypi-exp-gpio (570 to 577) has no line 8; its lines are 0 to 7")
        try tree.write("/sys/class/gpio/gpiochip600/base", "600\n")
        try tree.write("/sys/class/gpio/gpiochip600/ngpio", "8\n")
        try tree.write("/sys/class/gpio/gpiochip600/label", "raspberrypi-exp-gpio\n")
        try tree.link("/sys/class/gpio/gpiochip600/device", to: "../../../1-0020")
        #expect(try sensor(["chip": "raspberrypi-exp-gpio", "line": 1], tree).readFailure?.kind == .ambiguous)
        try Self.addLine(601, to: tree)
        #expect(try sensor(["chip": "1-0020", "line": 1], tree).read() == [Measurement(.boolean(false))])
        // Numbers that would not fit are no chip.
        try tree.write("/sys/class/gpio/gpiochip700/base", "4294967295\n")
        try tree.write("/sys/class/gpio/gpiochip700/ngpio", "4294967295\n")
        try tree.write("/sys/class/gpio/gpiochip800/base", "-1\n")
        #expect(try sensor(["chip": "1-0020", "line": 1], tree).readFailure == nil)
    }

    @Test func `an export that fails is an error of its file`() throws {
        let tree = try Self.board()
        let lid = try sensor(["chip": "pinctrl-bcm2711", "line": 17], tree)
        #expect(lid.readFailure?.text(in: tree).hasPrefix("/sys/class/gpio/export does not exist") == true)
        // Written, but the kernel makes no line of it.
        try tree.write("/sys/class/gpio/export", "")
        try tree.write("/sys/class/gpio/unexport", "")
        #expect(lid.readFailure?.place == tree.path("/sys/class/gpio/gpio529/active_low"))
        #expect(try text(tree, "unexport") == "529", "what we exported is given back")
    }
}

import Glibc
import Testing

@testable import Sensing

@Suite struct SystemErrorsTests {
    @Test(
        "What the kernel answers is told with its name, its meaning and the mend",
        arguments: [
            (EIO, SensorError.Kind.unavailable, "gave no answer from its device (EIO: Input/output error)"),
            (ETIMEDOUT, .unavailable, "gave no answer from its device (ETIMEDOUT: Connection timed out)"),
            (EAGAIN, .unavailable, "has no value yet (EAGAIN: Resource temporarily unavailable)"),
            (ENODATA, .disabled, "has no value (ENODATA: No data available)"),
            (ENODEV, .missing, "has lost its device (ENODEV)"),
            (EMFILE, .unavailable, "could not be read (EMFILE: Too many open files)"),
            (EISDIR, .malformed, "is a folder"),
            (EXDEV, .unavailable, "could not be read (errno 18: Invalid cross-device link)"),
        ])
    func codes(code: Int32, kind: SensorError.Kind, problem: String) {
        let error = SensorError.system(code, reading: "/sys/x")
        #expect(error.kind == kind)
        #expect(error.problem == problem)
        #expect(error.mend != nil || problem.hasPrefix("could not be read"))
    }

    @Test("The kernel's own refusal arrives as an error") func realAnswer() throws {
        // Nothing is mapped at address 0.
        let driver = try make(FileDriver.self, ["path": "/proc/self/mem"])
        #expect(driver.failure()?.problem == "gave no answer from its device (EIO: Input/output error)")
    }

    @Test("Who is not in the group is told which group, who is helped by none is told of udev") func groups() throws {
        let tree = try FakeTree()
        try tree.write("/sys/grouped", Array("1".utf8), mode: 0o640)
        try tree.write("/sys/closed", Array("1".utf8), mode: 0o600)
        chown(tree.path("/sys/grouped"), uid_t.max, 0)
        var status = stat()
        stat(tree.path("/sys/grouped"), &status)
        let group = status.st_gid == 0 ? "root" : nil

        let grouped = SensorError.system(EACCES, reading: tree.path("/sys/grouped"))
        #expect(grouped.kind == .forbidden)
        if let group {
            #expect(
                grouped.problem == "may not be read by this user (mode 0640, owner \(status.st_uid), group \(group))")
            #expect(grouped.mend == "add the agent's user to that group: usermod -aG \(group) USER")
        }
        let closed = SensorError.system(EACCES, reading: tree.path("/sys/closed"))
        #expect(closed.mend?.contains("udev") == true)
    }

    @Test("Channels that are switched off are left out, unless all are") func disabled() throws {
        let off = SensorError(.disabled, "/sys/off", "is off")
        let value = Measurement(channel: "a", .number(1))
        #expect(try SensorError.collect([.success(value), .failure(off)]) == [value])
        #expect(throws: off) { try SensorError.collect([.failure(off), .failure(off)]) }
        let broken = SensorError(.unavailable, "/sys/b", "fails")
        var told = broken
        told.measured = [value]
        #expect(throws: told) { try SensorError.collect([.failure(off), .failure(broken), .success(value)]) }
    }
}

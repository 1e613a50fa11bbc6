import Glibc
import Relay
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3)))
struct TestSupportTests {
    @Test func `A temporary folder keeps files and goes with its value`() async throws {
        let path = try await withTemporaryDirectory { directory in
            try directory.write("temp\n", to: "class/hwmon/name")
            #expect(try directory.read("class/hwmon/name") == "temp\n")
            #expect(directory.exists("class/hwmon") && !directory.exists("class/name"))
            #expect(throws: SystemError.self) { try directory.read("class/name") }
            return directory.path
        }
        #expect(access(path, F_OK) != 0)
    }

    @Test func `A reserved port is refused to others and can be listened on`() async throws {
        let reserved = try ReservedPort()
        #expect(!accepts(port: reserved.number))
        for _ in 1...50 {
            let other = try ReservedPort()
            #expect(other.number != reserved.number)
        }
    }

    @Test func `The generator's first numbers are SplitMix64's`() {
        var random = SplitMix64(seed: 1_234_567)
        // From the reference implementation by Sebastiano Vigna.
        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
    }

    @Test func `A deadline ends the wait even if the operation ignores it`() async throws {
        let error = await #expect(throws: TimedOut.self) {
            try await within(.milliseconds(20), "a reply") {
                await withCheckedContinuation { (never: CheckedContinuation<Void, Never>) in
                    Task.detached {
                        try? await Task.sleep(for: .seconds(2))
                        never.resume()
                    }
                }
            }
        }
        #expect(error?.what == "a reply")
    }

    @Test func `A program's lines, exit status and signals are seen`() async throws {
        let result = try await runProgram(
            "/bin/sh", ["-c", "echo out; echo $WORD >&2; pwd; exit 3"],
            environment: ["WORD": "err"], directory: "/usr")
        #expect(result.ending == .exited(3))
        #expect(result.output == ["out", "/usr"])
        #expect(result.errors == ["err"])

        let program = try await Program.start("/bin/sh", ["-c", "echo ready; exec sleep 1000"])
        #expect(try await program.output.next() == "ready")
        #expect(kill(program.processIdentifier, 0) == 0)
        program.send(SIGTERM)
        #expect(try await program.wait() == .killed(signal: SIGTERM))
        await #expect(throws: OutputEnded.self) { try await program.output.next() }
        await #expect(throws: ProgramError.self) { try await Program.start("/nowhere/at/all") }
    }

    @Test func `A program dies with the last reference to it`() async throws {
        var program: Program? = try await Program.start("/bin/sleep", ["1000"])
        let processIdentifier = try #require(program?.processIdentifier)
        program = nil
        try await eventually("its end") { kill(processIdentifier, 0) != 0 }
    }

    @Test func `A program dies with the process that started it`() async throws {
        // The shell stands for the test runner: setpriv's child must not outlive it.
        let runner = try await Program.start(
            "/bin/sh", ["-c", "setpriv --pdeathsig KILL -- sleep 1000 & echo $!; wait"])
        let child = try #require(pid_t(try await runner.output.next()))
        try await eventually("setpriv to have become sleep") { status(of: child)?.contains("(sleep)") == true }
        runner.send(SIGKILL)
        // Its orphan may stay a zombie if nobody reaps it here.
        try await eventually("the child's end") { status(of: child)?.contains(") Z ") ?? true }
    }

    @Test func `A line log drops the oldest lines and counts them`() async throws {
        let log = LineLog(limit: 80)
        for number in 0..<1000 { await log.append("\(number)") }
        let (lines, dropped) = (await log.lines, await log.dropped)
        #expect(lines.count + dropped == 1000 && lines.count <= 90)
        #expect(lines.last == "999")
        #expect(try await log.next() == lines.first)
        await log.finish()
        #expect(try await log.reduce(into: []) { $0.append($1) } == lines)
    }

    @Test func `The package's own program is found beside the tests`() async throws {
        let path = try Program.built("fieldpost")
        #expect(path.hasSuffix("/fieldpost"))
        let program = try await Program.start(path, ["--help"])
        #expect(try await program.wait() == .exited(0))
        #expect(throws: ProgramError.self) { try Program.built("no-such-product") }
    }

    @Test func `A scripted server follows its script`() async throws {
        let server = try await ScriptedServer.start(
            [.receive(4), .send([1, 2, 3]), .pause(.milliseconds(1)), .close], [.reset], [])
        let client = try await Peer.connect(to: server.port)
        client.send("ping")
        #expect(try await client.waitForEnding() == .end)
        #expect(client.received == [1, 2, 3])
        #expect(try await Peer.connectAndSeeTheEnd(of: server.port) == .reset)
        let third = try await Peer.connect(to: server.port)
        third.send("anyone?")
        try await eventually("the bytes") { server.received.last == Array("anyone?".utf8) }
        #expect(third.ending == .none)
        #expect(server.connectionCount == 3)
        await server.stop()
        #expect(try await third.waitForEnding() == .end)
    }
}

/// The line that the kernel has on a process, see `proc(5)`; nil if there is none.
private func status(of processIdentifier: pid_t) -> String? {
    guard let file = fopen("/proc/\(processIdentifier)/stat", "re") else { return nil }
    defer { fclose(file) }
    var line = [UInt8](repeating: 0, count: 512)
    let count = fread(&line, 1, line.count, file)
    return count > 0 ? String(decoding: line[..<count], as: UTF8.self) : nil
}

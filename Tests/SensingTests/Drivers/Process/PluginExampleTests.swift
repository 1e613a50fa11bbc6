import Glibc
import Sensing
import Settings
import TestSupport
import Testing

/// The plugins that owners are shown, as they are.
@Suite struct PluginExampleTests {
    let folder = #filePath.split(separator: "/").dropLast(5).map { "/\($0)" }.joined() + "/Config/plugins"

    @Test("The example in shell gives the load, and says what it cannot do")
    func shell() throws {
        let probe = try ProgramProbe(
            PluginDriver.self, ["command": words(["\(folder)/load.sh"]), "timeout": "30s", "memory": "20MB"])
        for _ in 1...3 {
            let measured = try probe.read()
            #expect(measured.map(\.channel) == ["1 min", "5 min", "15 min"])
            #expect(measured.allSatisfy { ($0.number ?? -1) >= 0 })
        }
        #expect(throws: SensorError.self) { try probe.set(.number(1), "x") }
        #expect(probe.log.current.first?.hasPrefix("load 1.0 runs as process ") == true)
        probe.stop()
        #expect(probe.log.current.count == 1)
    }

    @Test("The example in Python reads, tells of changes, is set and refuses what is wrong")
    func python() throws {
        // A port that answers as long as somebody listens, and one that nobody has.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var isOpen = true
        defer { if isOpen { close(listener) } }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length)
                listen(listener, 64)
                getsockname(listener, $0, &length)
            }
            return UInt16(bigEndian: pointer.pointee.sin_port)
        }
        let probe = try ProgramProbe(
            PluginDriver.self,
            [
                "command": words(["/usr/bin/env", "python3", "\(folder)/reach.py"]), "timeout": "30s",
                "environment": nested(["PATH": .string(getenv("PATH").map { String(cString: $0) } ?? "")]),
                "options": nested(["targets": nested(["here": .string("127.0.0.1:\(port)"), "away": "127.0.0.1:0x"])]),
            ])
        #expect(
            probe.failure()?.problem
                == #"refuses its options: targets.away "127.0.0.1:0x" is no HOST:PORT"#)

        let good = try ProgramProbe(
            PluginDriver.self,
            [
                "command": words(["python3", "\(folder)/reach.py"]), "timeout": "30s",
                "options": nested(["targets": nested(["here": .string("127.0.0.1:\(port)")]), "wait": 5]),
            ])
        let measured = try good.read()
        #expect(measured.map(\.channel) == ["here"])
        #expect(measured.map(\.unit) == ["ms"])
        #expect((0...5000).contains(measured.first?.number ?? -1))
        // Nothing was looked at by itself until now.
        #expect(try good.set(.number(0.05), "watch") == [Measurement(channel: "watch", .number(0.05), unit: "s")])
        let up = try good.receive { !$0.isEmpty }
        #expect(up.map { "\($0.channel ?? "") \($0.text)" } == ["here.up true"])
        #expect(up.first?.time != nil)
        close(listener)
        isOpen = false
        let down = try good.receive { !$0.isEmpty }
        #expect(down.map { "\($0.channel ?? "") \($0.text)" } == ["here.up false"])
        #expect(good.failure()?.kind == .unavailable)
        do throws(SensorError) {
            _ = try good.set(.text("x"), "watch")
            Issue.record("it was set")
        } catch {
            #expect(error.kind == .rejected)
            #expect(error.problem == #"says: only "watch" can be set, to a number of seconds"#)
        }
        good.stop()
        #expect(good.log.current.contains("looks after 1 targets"))
    }
}

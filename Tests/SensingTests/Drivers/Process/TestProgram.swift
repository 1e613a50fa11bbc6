import Glibc
import Sensing
import Settings
import Synchronization
import TestSupport
import Testing
import Units

/// A table inside of options.
func nested(_ options: Options) -> Value.Kind {
    let place = SourcePosition(line: 9, column: 1)
    return .table(
        Table(options.map { Table.Entry(key: $0.key, keyPosition: place, value: Value($0.value, at: place)) }))
}

/// Words for a command.
func words(_ words: [String]) -> Value.Kind {
    .array(words.map { Value(.string($0), at: SourcePosition(line: 1, column: 1)) })
}

/// Whether a process is there and no zombie.
func isAlive(_ process: Int32) -> Bool {
    let file = open("/proc/\(process)/stat", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 512)
    let count = read(file, &text, text.count)
    let fields = String(decoding: text[..<max(0, count)], as: UTF8.self).split(separator: ")").last ?? ""
    return count > 0 && !fields.hasPrefix(" Z")
}

/// How many descriptors this process has open.
func openDescriptors() -> Int {
    guard let folder = opendir("/proc/self/fd") else { return 0 }
    defer { closedir(folder) }
    var count = 0
    while readdir(folder) != nil { count += 1 }
    return count
}

/// The driver of a program, whose calls may stand inside `#expect`.
final class ProgramProbe<Driver: SensorDriver> {
    private(set) var driver: Driver
    let log = Shared<[String]>([])

    init(_ type: Driver.Type, _ options: [String: Value.Kind], root: String = "/") throws {
        let place = SourcePosition(line: 1, column: 1)
        let entries = options.map { Table.Entry(key: $0.key, keyPosition: place, value: Value($0.value, at: place)) }
        let settings = SettingsReader(
            Table(entries), keyPath: "sensor[1]", position: place, problems: Problems())
        let log = log
        let context = DriverContext(sensor: "s", root: root) { line in log.change { $0.append(line) } }
        let made = Driver(settings, context: context)
        // The owner of the sensor's table asks for these.
        _ = settings.has("timeout")
        settings.finish()
        #expect(settings.problems.all == [])
        driver = try #require(made)
    }

    func read() throws(SensorError) -> [Measurement] { try driver.read(at: noon) }

    func values() throws(SensorError) -> [String: String] {
        Dictionary(try read().map { ($0.channel ?? "", $0.text) }) { $1 }
    }

    func failure() -> SensorError? {
        do throws(SensorError) {
            let measured = try read()
            Issue.record("no failure but \(measured)")
            return nil
        } catch {
            return error
        }
    }
}

extension ProgramProbe where Driver == PluginDriver {
    func open() throws(SensorError) -> Int32 { try driver.open(at: noon) }

    func receive() throws(SensorError) -> [Measurement] { try driver.receive(at: noon) }

    func set(_ value: Reading.Value, _ channel: String? = nil) throws(SensorError) -> [Measurement] {
        try driver.set(value, channel: channel, at: noon)
    }

    func makeSafe() throws(SensorError) { try driver.makeSafe(at: noon) }

    func stop() { driver.stop(at: noon) }

    /// Receives when there is something, as the runner does, until that is enough or fails.
    func receive(
        until isEnough: ([Measurement]) -> Bool, patience: Duration = .seconds(30)
    ) throws(SensorError) -> [Measurement] {
        let end = ContinuousClock.now + patience
        var all: [Measurement] = []
        while !isEnough(all), ContinuousClock.now < end {
            var poll = pollfd(fd: try open(), events: Int16(POLLIN), revents: 0)
            if Glibc.poll(&poll, 1, 100) > 0 { all += try receive() }
        }
        return all
    }

    /// Reads until a read succeeds, through the time that a plugin is not started again.
    func readAfterRestart(patience: Duration = .seconds(30)) async throws -> [Measurement] {
        let end = ContinuousClock.now + patience
        while true {
            do throws(SensorError) { return try read() } catch {
                guard ContinuousClock.now < end else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

/// Scripts of a test, in a folder of its own.
struct Scripts {
    let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        // The programs may run as another user.
        chmod(folder.path, 0o755)
    }

    /// An executable file.
    func script(_ text: String, name: String = "script") throws -> String {
        let path = try folder.write(text, to: name)
        chmod(path, 0o755)
        return path
    }

    /// What a script wrote into its folder; a number.
    func number(_ name: String) async throws -> Int32 {
        let end = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < end {
            if folder.exists(name), let number = Int32(try folder.read(name).filter { !$0.isWhitespace }) {
                return number
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw SystemFailure(code: ENOENT)
    }

    /// A plugin in Python: `body` is what it does; it may use ``prologue``'s functions.
    func plugin(_ body: String, name: String = "plugin.py") throws -> String {
        try script(Self.prologue + body, name: name)
    }

    func probe(
        _ body: String, _ options: [String: Value.Kind] = [:], timeout: String = "30s"
    ) throws -> ProgramProbe<PluginDriver> {
        let own: [String: Value.Kind] = ["command": words([try plugin(body)]), "timeout": .string(timeout)]
        return try ProgramProbe(PluginDriver.self, options.merging(own) { $1 })
    }

    /// `serve(read)` answers what must be answered; `read` returns readings, and may do worse.
    static let prologue = """
        #!/usr/bin/env python3
        import json, os, signal, sys, time
        here = os.path.dirname(os.path.abspath(__file__))
        def note(name, value):
            with open(os.path.join(here, name + ".new"), "w") as file:
                file.write(str(value))
            os.rename(os.path.join(here, name + ".new"), os.path.join(here, name))
        def say(**message):
            print(json.dumps(message), flush=True)
        def serve(read=lambda: [{"value": 1}], configure=lambda question: [], set=None, **identity):
            for line in sys.stdin:
                question = json.loads(line)
                kind, number = question["type"], question["id"]
                if kind == "describe":
                    say(type="describe", id=number, protocol=1, **identity)
                elif kind == "configure":
                    say(type="configure", id=number, problems=configure(question))
                elif kind == "read":
                    say(type="read", id=number, readings=read())
                elif kind == "set":
                    set(question)

        """
}

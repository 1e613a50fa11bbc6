import Glibc
import TestSupport
import Testing

/// Whose broker a story plays on.
enum StoryBroker: String, Sendable, CaseIterable {
    case mosquitto = "Mosquitto"
    case ours = "fieldpost broker"

    func with(_ body: (_ port: Int) async throws -> Void) async throws {
        switch self {
        case .mosquitto: try await withMosquitto { try await body($0.port) }
        case .ours:
            let broker = try await RunningCommand.start(["--port", "0"])
            try await body(broker.port)
            #expect(try await broker.stop() == .exited(0))
        }
    }
}

/// A message as somebody else's client received it.
struct Heard: Sendable, Equatable {
    var topic: String
    var qos: String
    var payload: String

    fileprivate init(line: String) {
        let parts = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
        (topic, qos, payload) = parts.count == 3 ? (parts[0], parts[1], parts[2]) : (line, "", "")
    }

    /// A member of its flat JSON.
    subscript(member: String) -> String? { member.value(in: payload) }
}

/// A board with files for devices.
struct Board: Sendable {
    let name: String
    let directory: TemporaryDirectory
    var file: String { directory.path("board.toml") }
    private let text: @Sendable (_ folder: String) -> String

    /// - Parameter rest: the tables beside `[device]`, `[broker]` and `[queue]`, given the folder that its files are in.
    init(
        _ name: String, port: Int, device: String = "", broker: String = "",
        rest: @escaping @Sendable (_ folder: String) -> String
    ) throws {
        self.name = name
        directory = try TemporaryDirectory()
        text = { folder in
            """
            [device]
            id = "\(name)"
            \(device)
            [broker]
            servers = ["mqtt://127.0.0.1:\(port)"]
            reconnect = { base = "20ms", cap = "200ms" }
            \(broker)
            [queue]
            commit_interval = "5ms"
            \(rest(folder))
            """
        }
        try configure()
    }

    /// Writes its configuration.
    /// - Parameter more: tables at its end.
    func configure(more: String = "") throws {
        try directory.write(text(directory.path) + "\n" + more + "\n", to: "board.toml")
    }

    /// What a device shows from now on, at once and as a whole.
    func put(_ value: String, into device: String) throws {
        let new = try directory.write(value, to: "\(device).new")
        guard rename(new, directory.path(device)) == 0 else { throw Unexpected("\(new): \(errno)") }
    }

    func shows(_ device: String) throws -> String { try directory.read(device).filter { $0 != "\n" } }

    /// Comes back when it is connected.
    func run() async throws -> Program {
        let agent = try await start()
        try await agent.errors.line(containing: "connected: ")
        return agent
    }

    func start() async throws -> Program {
        try await Program.start(Program.built("fieldpost"), ["run", "--config", file])
    }
}

/// The bins of a park, those who empty them, and who sends them; with somebody who hears it all.
struct Park: Sendable {
    let port: Int
    private let ears: MosquittoSub
    private let office: TemporaryDirectory

    static func open(
        on broker: StoryBroker, answerWithin: String = "2s", _ body: (Park) async throws -> Void
    ) async throws {
        try await broker.with { port in
            let office = try TemporaryDirectory()
            try office.write(
                """
                [broker]
                servers = ["mqtt://127.0.0.1:\(port)"]
                reconnect = { base = "20ms", cap = "200ms" }
                [dispatch]
                answer_within = "\(answerWithin)"
                [[place]]
                device = "bin-3"
                latitude = 31.7200
                longitude = 119.9372
                """, to: "dispatch.toml")
            let ears = try await MosquittoSub.start(port: port, ["fieldpost/#"], format: "%t %q %p")
            try await body(Park(port: port, ears: ears, office: office))
            await ears.kill()
        }
    }

    // MARK: Who is there

    /// A bin of 92 cm, empty as yet. Bins 1 and 2 know where they stand, 1 in the south and 2 in the middle.
    func bin(_ number: Int) throws -> Board {
        let position = number < 3 ? "position = { latitude = 31.7\(number)00, longitude = 119.9372 }" : ""
        let bin = try Board("bin-\(number)", port: port, device: position) { folder in
            """
            [commands]
            allow = ["acknowledge"]
            [[sensor]]
            name = "distance"
            driver = "file"
            path = "\(folder)/distance"
            unit = "m"
            every = "50ms"
            [[sensor]]
            name = "fill"
            expression = "clamp(100 * (0.92 - distance) / 0.92, 0, 100)"
            unit = "%"
            [[alarm]]
            name = "full"
            sensor = "fill"
            raise_above = 85
            clear_below = 20
            for = "200ms"
            """
        }
        try bin.put("0.90", into: "distance")
        return bin
    }

    /// A worker's phone tells where he is.
    func worker(_ name: String, latitude: Double, onDuty: Bool = true) async throws {
        try await mosquittoPub(
            port: port, "fieldpost/dispatch/worker/\(name)",
            #"{"on_duty":\#(onDuty),"position":{"latitude":\#(latitude),"longitude":119.9372},"load":0}"#, retain: true)
    }

    func answers(_ worker: String, _ answer: String, to task: String) async throws {
        try await mosquittoPub(
            port: port, "fieldpost/dispatch/worker/\(worker)/answer/\(task)", #"{"answer":"\#(answer)"}"#)
    }

    func dispatcher() async throws -> Program {
        let program = try await Program.start(
            Program.built("fieldpost"), ["dispatch", "--config", office.path("dispatch.toml")])
        try await program.errors.line(containing: "connected: ")
        return program
    }

    // MARK: What is heard

    /// All so far, the first one first.
    var heard: [Heard] { get async { await ears.received.lines.map(Heard.init(line:)) } }

    /// The first message on a topic, of those behind the first `skipped` of all, that is as it should be.
    @discardableResult
    func hears(
        _ what: String, on topic: String, after skipped: Int = 0,
        where isMeant: @escaping @Sendable (Heard) -> Bool = { _ in true }
    ) async throws -> Heard {
        let find: @Sendable ([String]) -> Heard? = { lines in
            lines.dropFirst(skipped).lazy.map(Heard.init(line:)).first { $0.topic == topic && isMeant($0) }
        }
        let lines = try await ears.wait(for: what) { find($0) != nil }
        guard let message = find(lines) else { throw Unexpected(what) }
        return message
    }

    /// The task that a worker is asked, or told, about a bin; its name, and what stands in it.
    @discardableResult
    func task(
        _ state: String, of bin: String, for worker: String, after skipped: Int = 0
    ) async throws -> (name: String, message: Heard) {
        let prefix = "fieldpost/dispatch/worker/\(worker)/task/"
        let find: @Sendable ([String]) -> Heard? = { lines in
            lines.dropFirst(skipped).lazy.map(Heard.init(line:)).first {
                $0.topic.hasPrefix(prefix) && $0["state"] == state && $0["device"] == bin
            }
        }
        let lines = try await ears.wait(for: "“\(state)” of \(bin) for \(worker)") { find($0) != nil }
        guard let message = find(lines) else { throw Unexpected(state) }
        return (String(message.topic.dropFirst(prefix.count)), message)
    }

    /// Who was asked at all, and about which tasks.
    var offers: [(worker: String, task: String)] { get async { await Self.offers(in: heard) } }

    /// Those that were heard before this.
    func offers(before message: Heard) async -> [(worker: String, task: String)] {
        await Self.offers(in: Array(heard.prefix { $0 != message }))
    }

    private static func offers(in heard: [Heard]) -> [(worker: String, task: String)] {
        heard.filter { $0["state"] == "offered" && $0.topic.hasPrefix("fieldpost/dispatch/worker/") }
            .compactMap {
                let levels = $0.topic.split(separator: "/").map(String.init)
                return levels.count == 6 ? (levels[3], levels[5]) : nil
            }
    }
}

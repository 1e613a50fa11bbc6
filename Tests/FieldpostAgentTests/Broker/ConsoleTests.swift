import MQTTWire
import NIOCore
import Testing
import Units

@testable import FieldpostAgent
@testable import MQTTServer

@Suite struct ConsoleCommandTests {
    @Test(arguments: [
        ("clients", ConsoleCommand.clients), ("  sessions ", .sessions), ("retained", .retained(nil)),
        ("subscriptions", .subscriptions(nil)), ("subscriptions a", .subscriptions("a")),
        ("kick \"a b\"", .kick("a b")), ("delete a\\ b", .delete("a b")), ("delete ''", .delete("")),
        ("stats", .stats), ("reload", .reload), ("help", .help), ("?", .help), ("exit", .exit), ("quit", .exit),
    ])
    func aLineIsACommand(line: String, command: ConsoleCommand) throws {
        #expect(try ConsoleCommand.parse(line) == command)
    }

    @Test func emptyLinesAreNone() throws {
        #expect(try ConsoleCommand.parse("") == nil)
        #expect(try ConsoleCommand.parse("  \t ") == nil)
    }

    @Test(arguments: [
        ("publish a/b hello", "a/b", "hello", QoS.atMostOnce, false),
        ("publish a/b hello world -q 1 -r", "a/b", "hello world", .atLeastOnce, true),
        ("publish -r -q 2 a/b 'it is  here'", "a/b", "it is  here", .exactlyOnce, true),
        ("publish a/b -r", "a/b", "", .atMostOnce, true), ("publish a/b \"\"", "a/b", "", .atMostOnce, false),
        ("publish a/b -- -r", "a/b", "-r", .atMostOnce, false),
        (#"publish a "{\"on\":true}""#, "a", #"{"on":true}"#, .atMostOnce, false),
        (#"publish a '{"on":true}'"#, "a", #"{"on":true}"#, .atMostOnce, false),
    ])
    func publishTakesTopicTextAndOptions(line: String, topic: String, text: String, qos: QoS, retain: Bool) throws {
        let message = ServerMessage(
            topic: try TopicName(topic), payload: ByteBuffer(string: text), qos: qos, retain: retain)
        #expect(try ConsoleCommand.parse(line) == .publish(message))
    }

    @Test(arguments: [
        ("clinets", "unknown command \"clinets\"; help lists them"),
        ("clients now", "clients stands alone: leave out \"now\""),
        ("kick", "kick needs the client"), ("kick a b", "kick takes one word: quote it if it holds blanks"),
        ("publish a", "publish needs a text behind the topic: write \"\" for an empty one"),
        ("publish", "publish needs a topic and a text: publish TOPIC TEXT"),
        ("publish a b -q 3", "-q needs a QoS: write 0, 1 or 2 behind it"),
        ("publish a/# b", "\"a/#\" is no topic: "), ("retained a#", "\"a#\" is no topic filter: "),
        ("kick \"a", "a quotation mark is not closed"),
    ])
    func aLineThatIsNoneSaysWhy(line: String, expected: String) {
        do {
            _ = try ConsoleCommand.parse(line)
            Issue.record("it was taken")
        } catch {
            #expect("\(error)".hasPrefix(expected), "\(error)")
        }
    }

    @Test func helpNamesEveryCommand() async {
        let help = await ConsoleCommand.help.report(from: FakeServer())
        for name in [
            "clients", "sessions", "retained", "subscriptions", "publish", "kick", "delete", "stats", "reload", "help",
            "exit",
        ] {
            #expect(help.contains { $0.hasPrefix("  \(name)") })
        }
    }

    @Test func tablesAreAligned() async {
        let clients = await ConsoleCommand.clients.report(from: FakeServer())
        #expect(
            clients == [
                "CLIENT    USER    MQTT  ADDRESS          LISTENER        KEEP-ALIVE  SUBSCRIPTIONS  WAITING",
                "a         -       5.0   127.0.0.1:51234  127.0.0.1:1883         60s              2        0",
                "sensor-7  Jürgen  3.1   10.0.0.7:1       127.0.0.1:1883          0s              0       12",
            ])
        let sessions = await ConsoleCommand.sessions.report(from: FakeServer())
        #expect(
            sessions == [
                "SESSION  USER  STATE  ENDS IN  SUBSCRIPTIONS  WAITING  SIZE",
                "b        -     away   1h30m                3        1   1kB",
            ])
        let retained = await ConsoleCommand.retained(nil).report(from: FakeServer())
        #expect(
            retained == [
                "TOPIC  QOS  SIZE  PAYLOAD", "a/b      1   11B  hello world", "raw      0    1B  (no text)",
            ])
        let subscriptions = await ConsoleCommand.subscriptions(nil).report(from: FakeServer())
        #expect(subscriptions == ["CLIENT  FILTER  QOS  OPTIONS", "a       a/#       2  no-local, identifier 7"])
    }

    @Test func whatIsDoneIsSaid() async throws {
        let server = FakeServer()
        let message = ServerMessage(topic: try TopicName("a"), payload: ByteBuffer(string: "x"))
        #expect(await ConsoleCommand.publish(message).report(from: server) == ["published to 1 session"])
        #expect(await ConsoleCommand.kick("a").report(from: server) == ["a is disconnected"])
        #expect(await ConsoleCommand.kick("b").report(from: server) == ["no client b"])
        #expect(await ConsoleCommand.delete("a").report(from: server) == ["a is deleted"])
        #expect(await ConsoleCommand.delete("b").report(from: server) == ["no session b"])
    }

    @Test func longCellsAndThoseOfSeveralLinesDoNotBreakTheTable() {
        var table = TextTable("A", "B#")
        table.add(String(repeating: "x", count: 100) + "\ny", "1")
        table.add("two\nlines", "22")
        #expect(table.lines.map(\.count) == [64, 64, 64])
        #expect(table.lines.last?.hasPrefix("two lines ") == true)
    }
}

private struct FakeServer: ConsoleServer {
    func clients() async -> [ClientStatus] { FakeStatus.clients }
    func sessions() async -> [SessionStatus] { FakeStatus.sessions }
    func subscriptions(of client: String?) async -> [SubscriptionStatus] { FakeStatus.subscriptions }
    func retainedMessages(matching filter: TopicFilter?) async -> [ServerMessage] { FakeStatus.retained }
    func currentStatistics() async -> ServerStatistics { ServerStatistics() }
    func publish(_ message: ServerMessage) async throws -> Int { 1 }
    func kick(_ client: String) async -> Bool { client == "a" }
    func deleteSession(_ client: String) async -> Bool { client == "a" }
}

private enum FakeStatus {
    static let clients = [
        ClientStatus(
            client: ClientInformation(
                identifier: "a", version: .v5, listener: "127.0.0.1:1883", address: "127.0.0.1:51234", keepAlive: 60),
            isCleanStart: true, subscriptions: 2, pendingMessages: 0, pendingBytes: 0, hasWill: false),
        ClientStatus(
            client: ClientInformation(
                identifier: "sensor-7", username: "Jürgen", version: .v3_1, listener: "127.0.0.1:1883",
                address: "10.0.0.7:1"),
            isCleanStart: false, subscriptions: 0, pendingMessages: 12, pendingBytes: 100, hasWill: false),
    ]
    static let sessions = [
        SessionStatus(
            clientIdentifier: "b", username: nil, isConnected: false, isPersistent: true,
            remaining: .seconds(5400) + .milliseconds(5), subscriptions: 3, pendingMessages: 1, pendingBytes: 1000)
    ]
    static var subscriptions: [SubscriptionStatus] {
        guard let filter = try? TopicFilter("a/#") else { return [] }
        return [
            SubscriptionStatus(
                clientIdentifier: "a", subscription: Subscription(filter: filter, qos: .exactlyOnce, noLocal: true),
                identifier: 7)
        ]
    }
    static var retained: [ServerMessage] {
        guard let text = try? TopicName("a/b"), let raw = try? TopicName("raw") else { return [] }
        return [
            ServerMessage(topic: text, payload: ByteBuffer(string: "hello world"), qos: .atLeastOnce),
            ServerMessage(topic: raw, payload: ByteBuffer(bytes: [0xFF])),
        ]
    }
}

@Suite struct LineEditorTests {
    private func type(_ text: String, into editor: inout LineEditor) -> [LineEditor.Outcome] {
        text.utf8.compactMap { editor.take($0) }
    }

    @Test func typingAndEnterGiveALine() {
        var editor = LineEditor()
        #expect(type("hé", into: &editor).allSatisfy { $0 == .changed })
        #expect(editor.text == "hé")
        #expect(type("\n", into: &editor) == [.line("hé")])
        #expect(editor.text == "")
    }

    @Test(arguments: [
        ("abc\u{7F}", "ab"), ("a\u{08}", ""), ("\u{7F}", ""), ("aé\u{7F}", "a"), ("a😀\u{7F}", "a"),
        ("one two\u{17}", "one "), ("one two  \u{17}", "one "), ("abc\u{15}", ""), ("a\u{1B}[Cb", "ab"),
        ("a\u{1B}[3~b", "ab"), ("a\u{1B}[1;5Cb", "ab"), ("a\u{01}b", "ab"), ("a\u{1B}xb", "ab"),
    ])
    func keysThatEdit(keys: String, text: String) {
        var editor = LineEditor()
        _ = type(keys, into: &editor)
        #expect(editor.text == text)
    }

    @Test func theArrowsGoThroughWhatWasTyped() {
        var editor = LineEditor()
        _ = type("one\ntwo\ntwo\n\nthree", into: &editor)
        _ = type("\u{1B}[A", into: &editor)
        #expect(editor.text == "two")
        _ = type("\u{1B}[A\u{1B}[A\u{1B}[A", into: &editor)
        #expect(editor.text == "one")
        _ = type("\u{1B}OB\u{1B}OB", into: &editor)
        #expect(editor.text == "")
    }

    @Test func controlDEndsAnEmptyLineOnly() {
        var editor = LineEditor()
        #expect(type("a\u{04}", into: &editor) == [.changed])
        #expect(type("\u{7F}\u{04}", into: &editor) == [.changed, .end])
    }
}

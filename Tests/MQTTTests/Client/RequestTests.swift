import MQTTWire
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import MQTT

/// Requests and their answers: the gate that is asked to open (5.0 §4.10, and by topics for 3.1.1).
@Suite(.timeLimit(.minutes(3))) struct RequestTests {
    private static let versions: [(ProtocolVersion, ProtocolVersion)] = [
        (.v5, .v5), (.v3_1_1, .v3_1_1),
    ]

    /// A gate that answers what it was asked, in capitals, once for each of `times`.
    private func withGate(
        _ version: ProtocolVersion, port: Int, filter: String, times: Int = 1,
        _ body: () async throws -> Void
    ) async throws {
        var configuration = quick(port: port, version: version)
        configuration.clientIdentifier = "gate"
        try await withClient(configuration) { gate in
            try await gate.subscribe([Subscription(filter: TopicFilter(filter))])
            let working = Task {
                for await request in gate.messages {
                    let text = String(buffer: request.payload).uppercased()
                    guard let answer = request.answer(ByteBuffer(string: text)) else { continue }
                    for _ in 0..<times { try await gate.publishNow(answer) }
                }
            }
            try await body()
            working.cancel()
        }
    }

    @Test(arguments: versions)
    func aRequestIsAnswered(asker: ProtocolVersion, gate: ProtocolVersion) async throws {
        try await withMosquitto { broker in
            let filter = gate == .v5 ? "gate/7/request" : "gate/7/request/+"
            try await withGate(gate, port: broker.port, filter: filter) {
                try await withClient(port: broker.port, version: asker) { client in
                    try await eventually("a connection") { await client.isConnected }
                    for text in ["open", "close"] {
                        let answer = try await client.request(message("gate/7/request", text))
                        #expect(String(buffer: answer.payload) == text.uppercased())
                    }
                    #expect(await client.subscriptions.count == 1)
                }
            }
        }
    }

    @Test func manyAtOnceEachGetTheirOwnAnswer() async throws {
        try await withMosquitto { broker in
            try await withGate(.v5, port: broker.port, filter: "gate/request") {
                try await withClient(port: broker.port) { client in
                    try await eventually("a connection") { await client.isConnected }
                    try await withThrowingTaskGroup { group in
                        for number in 0..<50 {
                            group.addTask {
                                let answer = try await client.request(message("gate/request", "a\(number)"))
                                #expect(String(buffer: answer.payload) == "A\(number)")
                            }
                        }
                        try await group.waitForAll()
                    }
                }
            }
        }
    }

    @Test func aDeviceOf311IsAskedByTopicsFrom5() async throws {
        try await withMosquitto { broker in
            try await withGate(.v3_1_1, port: broker.port, filter: "radar/request/#") {
                try await withClient(port: broker.port) { client in
                    try await eventually("a connection") { await client.isConnected }
                    let answer = try await client.request(message("radar", "ping"), by: .topics)
                    #expect(String(buffer: answer.payload) == "PING")
                    #expect(answer.topic.string.hasPrefix("radar/response/"))
                }
            }
        }
    }

    @Test func whatNobodyListensToFailsAtOnceUnder5AndInTimeUnder311() async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port) { client in
                try await eventually("a connection") { await client.isConnected }
                await #expect(throws: ClientError.refused(.noMatchingSubscribers)) {
                    try await client.request(message("nobody/request", "x"))
                }
            }
            try await withClient(port: broker.port, version: .v3_1_1) { client in
                try await eventually("a connection") { await client.isConnected }
                await #expect(throws: ClientError.timedOut(after: .milliseconds(50))) {
                    try await client.request(message("nobody/request", "x"), timeout: .milliseconds(50))
                }
                #expect(await client.answers.isEmpty)
            }
        }
    }

    @Test func anAnswerThatComesTwiceOrLateIsCountedAndNotTakenForAMessage() async throws {
        try await withMosquitto { broker in
            try await withGate(.v5, port: broker.port, filter: "gate/request", times: 2) {
                try await withClient(port: broker.port) { client in
                    try await eventually("a connection") { await client.isConnected }
                    try await client.subscribe([Subscription(filter: TopicFilter("other"))])
                    _ = try await client.request(message("gate/request", "open"))
                    try await eventually("the second answer") { await client.statistics.lateAnswers == 1 }
                    try await client.publish(message("other", "x"))
                    #expect(try await collect(1, from: client).map(\.topic.string) == ["other"])
                }
            }
        }
    }

    @Test func withoutAConnectionItFailsAtOnceAndWithItsConnectionItEnds() async throws {
        let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]
        // SUBSCRIBE to response/client-under-test, answered; the request is followed by the end of the connection.
        let server = try await ScriptedServer.start([
            .receive(48), .send(accepted), .receive(2 + 3 + 2 + 26 + 1), .send([0x90, 0x04, 0xC0, 1, 0, 1]),
            .receive(20), .close,
        ])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
            await #expect(throws: ClientError.connectionLost) {
                try await client.request(message("gate/request", "open"))
            }
        }
        await server.stop()
        let client = MQTTClient(quick(port: 1), eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        await #expect(throws: ClientError.notConnected) { try await client.request(message("gate/request", "open")) }
    }

    @Test func aDeviceWithAnAddressOfItsOwnIsAskedOneQuestionAtATime() async throws {
        try await withMosquitto { broker in
            try await withClient(port: broker.port, version: .v3_1_1) { client in
                try await eventually("a connection") { await client.isConnected }
                let question = try message("detrd/status/request/1AB.ENTER.DETRD", "lowered?")
                let unheard = Task { try await client.request(question) }
                try await eventually("a question") { await client.answers.count == 1 }
                await #expect(throws: ClientError.tooManyRequests) { try await client.request(question) }
                unheard.cancel()
                await #expect(throws: CancellationError.self) { try await unheard.value }
                try await withGate(.v3_1_1, port: broker.port, filter: question.topic.string) {
                    for _ in 1...2 {
                        let answer = try await client.request(question)
                        #expect(answer.topic.string == "detrd/status/response/1AB.ENTER.DETRD")
                        #expect(String(buffer: answer.payload) == "LOWERED?")
                    }
                }
            }
        }
    }

    @Test func topicsOfRequestsAndAnswers() throws {
        let topics = try RequestTopics(TopicName("gate/7/request"), identifier: "42")
        #expect(topics.request.string == "gate/7/request/42")
        #expect(topics.response.string == "gate/7/response/42")
        #expect(topics.responses.string == "gate/7/response/+")
        #expect(try RequestTopics(TopicName("gate/7"), identifier: "42") == topics)
        #expect(RequestTopics.response(to: topics.request) == topics.response)
        #expect(RequestTopics.response(to: try TopicName("gate/7/42")) == nil)
        #expect(RequestTopics.response(to: try TopicName("request")) == nil)
        let fixed = try RequestTopics(TopicName("a/request/b"), identifier: "42")
        #expect(fixed.request.string == "a/request/b" && fixed.responses.string == "a/response/b")
        #expect(throws: TopicError.self) { try RequestTopics(TopicName("gate"), identifier: "#") }
    }
}

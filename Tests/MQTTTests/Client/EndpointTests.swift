import MQTTWire
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing

@testable import MQTT

/// The client with more than one server to go to, or with one that does not want it.
@Suite(.timeLimit(.minutes(3))) struct EndpointTests {
    private static let accepted: [UInt8] = [0x20, 0x03, 0x00, 0x00, 0x00]
    private static let connect = 48

    private func here(_ port: Int) -> Endpoint { Endpoint(host: "127.0.0.1", port: port) }

    /// CONNACK or DISCONNECT with a reason code and a Server Reference.
    private func elsewhere(_ type: UInt8, _ code: UInt8, _ reference: String) -> [UInt8] {
        let property = [0x1C, 0, UInt8(reference.utf8.count)] + Array(reference.utf8)
        let body = (type == 0x20 ? [0, code] : [code]) + [UInt8(property.count)] + property
        return [type, UInt8(body.count)] + body
    }

    // MARK: Redirects

    @Test(arguments: [0x20, 0xE0] as [UInt8], [0x9C, 0x9D] as [UInt8])
    func aServerSendsTheClientToAnother(type: UInt8, code: UInt8) async throws {
        let other = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted), .receive(13), .close])
        let answer = elsewhere(type, code, "127.0.0.1:\(other.port)")
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(type == 0x20 ? answer : Self.accepted + answer), .close,
        ])
        try await withClient(port: server.port) { client in
            var connected: [Int] = []
            for await event in client.events {
                guard case .connected(let result) = event else { continue }
                connected.append(result.endpoint.port)
                if result.endpoint.port == other.port { break }
            }
            #expect(connected == (type == 0x20 ? [other.port] : [server.port, other.port]))
            #expect(server.connectionCount == 1)
            #expect(
                await client.selection.endpoints.map(\.port)
                    == (code == 0x9D ? [other.port, server.port] : [server.port]))
        }
        await server.stop()
        await other.stop()
    }

    @Test func aReferenceThatCannotBeReadLeadsToTheNextEndpoint() async throws {
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(elsewhere(0x20, 0x9C, "mqtt://a/b")), .close,
        ])
        let next = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        var configuration = quick(port: server.port)
        configuration.endpoints.append(here(next.port))
        try await withClient(configuration) { client in
            try await eventually("a connection") { await client.isConnected }
            #expect(await client.link.endpoint == here(next.port))
        }
        await server.stop()
        await next.stop()
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5], [false, true])
    func whoLeavesGoesToTheNextAndMayTakeTheWillAlong(version: ProtocolVersion, keepingWill: Bool) async throws {
        try await withMosquitto { first in
            try await withMosquitto { second in
                let watcher = try await MosquittoSub.start(port: first.port, ["will", "end"], format: "%p")
                let will = Will(topic: try TopicName("will"), payload: ByteBuffer(string: "gone"), qos: .atLeastOnce)
                var configuration = quick(port: first.port, version: version)
                configuration.endpoints.append(here(second.port))
                configuration.parameters = { _ in ConnectParameters(will: will) }
                try await withClient(configuration) { client in
                    try await eventually("a connection") { await client.isConnected }
                    #expect(await client.link.endpoint == here(first.port))
                    await client.leave(keepingWill: keepingWill)
                    try await eventually("the next") {
                        let isConnected = await client.isConnected
                        return await client.link.endpoint == here(second.port) && isConnected
                    }
                }
                try await mosquittoPub(port: first.port, "end", "end")
                #expect(try await watcher.wait { $0.contains("end") } == (keepingWill ? ["gone", "end"] : ["end"]))
                await watcher.kill()
            }
        }
    }

    @Test func aRedirectIsNotFollowedWhenThatIsNotWanted() async throws {
        let other = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        let server = try await ScriptedServer.start(
            [.receive(Self.connect), .send(elsewhere(0x20, 0x9D, "127.0.0.1:\(other.port)")), .close],
            [.receive(Self.connect), .send(Self.accepted)])
        var configuration = quick(port: server.port)
        configuration.followsRedirects = false
        try await withClient(configuration) { client in
            try await eventually("a connection") { await client.isConnected }
        }
        #expect(server.connectionCount == 2)
        #expect(other.connectionCount == 0)
        await server.stop()
        await other.stop()
    }

    @Test func serversThatSendTheClientInACircleAreMetWithPatience() async throws {
        let port = try ReservedPort()
        let server = try await ScriptedServer.start([
            .receive(Self.connect), .send(elsewhere(0x20, 0x9C, "127.0.0.1:\(port.number)")), .close,
        ])
        var configuration = quick(port: server.port)
        configuration.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(1))
        try await withClient(configuration) { client in
            // Nobody listens at the other; the first is asked again after it, and sends us there again.
            try await server.waitForConnection(count: 8)
        }
        await server.stop()
        withExtendedLifetime(port) {}
    }

    // MARK: The way back

    /// Two brokers that know nothing of each other: what is under way is finished before the client leaves, and the
    /// broker that it leaves publishes no will and keeps nothing.
    @Test(arguments: [ProtocolVersion.v5, .v3_1_1])
    func D3_theClientGoesBackToThePreferredEndpointAndNothingIsLostOrRepeated(version: ProtocolVersion) async throws {
        try await withMosquitto { preferred in
            try await withMosquitto { standby in
                let line = try await TCPRelay.start(port: preferred.port)
                await line.cut(newcomers: .refused)
                let first = try await MosquittoSub.start(port: preferred.port, ["t", "will"])
                let second = try await MosquittoSub.start(port: standby.port, ["t", "will"])
                var configuration = quick(port: line.port, version: version)
                configuration.endpoints.append(here(standby.port))
                configuration.returnAfter = .milliseconds(100)
                configuration.parameters = { _ in
                    ConnectParameters(
                        will: Will(topic: try TopicName("will"), payload: ByteBuffer(string: "dead")))
                }
                try await withClient(configuration) { client in
                    try await eventually("a connection to the standby") { await client.isConnected }
                    #expect(await client.link.endpoint == here(standby.port))
                    let publishing = Task {
                        var number = 0
                        while !Task.isCancelled || number < 100 {
                            number += 1
                            try await client.publish(message("t", "\(number)", .exactlyOnce))
                            if number == 50 { try await line.mend() }
                            try? await Task.sleep(for: .milliseconds(2))
                        }
                        return number
                    }
                    var reasons: [DisconnectReason] = []
                    for await event in client.events {
                        if case .disconnected(let reason, _) = event { reasons.append(reason) }
                        if case .connected(let result) = event, result.endpoint == here(line.port) { break }
                    }
                    #expect(reasons == [.returning])
                    publishing.cancel()
                    let count = try await publishing.value
                    for number in 1...10 {
                        try await client.publish(message("t", "\(count + number)", .exactlyOnce))
                    }
                    try await eventually("all acknowledged") { await client.statistics.completed == count + 10 }
                    #expect(await client.statistics.possibleDuplicates == 0)
                    #expect(await client.statistics.repeated == 0)
                }
                // The goodbyes of the subscribers' brokers come behind everything else.
                for broker in [preferred, standby] { try await mosquittoPub(port: broker.port, "t", "end", qos: 2) }
                let (early, late) = (
                    try await second.wait { $0.last?.hasSuffix(" end") == true },
                    try await first.wait { $0.last?.hasSuffix(" end") == true }
                )
                let all = early.dropLast() + late.dropLast()
                #expect(all.count >= 110)
                #expect(all == (1...all.count).map { "t 2 0 \($0)" }[...])
                #expect(early.count > 1 && late.count > 1)
                if version == .v5 {
                    // A session that was left is not kept, or it would gather messages for days.
                    var again = quick(port: standby.port)
                    again.resumesEarlierSession = true
                    try await withClient(again) { client in
                        for await event in client.events {
                            guard case .connected(let result) = event else { continue }
                            #expect(!result.sessionPresent)
                            break
                        }
                    }
                }
            }
        }
    }

    @Test func aPreferredEndpointThatOnlyLooksAliveIsLeftAgain() async throws {
        let preferred = try await ScriptedServer.start([.receive(2), .close])
        let standby = try await ScriptedServer.start([
            .receive(Self.connect), .send(Self.accepted), .receive(2), .close,
        ])
        var configuration = quick(port: preferred.port)
        configuration.endpoints.append(here(standby.port))
        configuration.returnAfter = .milliseconds(20)
        try await withClient(configuration) { client in
            var places: [String] = []
            for await event in client.events {
                switch event {
                case .connected: places.append("up")
                case .connectFailed: places.append("no")
                case .disconnected(let reason, _): places.append("\(reason == .returning)")
                }
                if places.count == 7 { break }
            }
            #expect(places == ["no", "up", "true", "no", "up", "true", "no"])
            #expect(await client.statistics.connections >= 2)
        }
        await preferred.stop()
        await standby.stop()
    }

    @Test func aClientThatCannotFinishStays() async throws {
        let preferred = try await TCPRelay.start(port: try freePort())
        await preferred.cut(newcomers: .refused)
        let standby = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        var configuration = quick(port: preferred.port)
        configuration.endpoints.append(here(standby.port))
        configuration.responseTimeout = .milliseconds(20)
        configuration.returnAfter = .milliseconds(20)
        try await withClient(configuration) { client in
            try await client.publish(message("topic", "x"))
            try await eventually("a message under way") { await client.inFlight == 1 }
            try await preferred.mend()
            try await eventually("two that came to nothing") {
                await (client.selection.returnDelay ?? .zero) >= .milliseconds(80)
            }
            try await client.publish(message("topic", "y"))
            try await eventually("the second message, as if nothing had been") { await client.inFlight == 2 }
            #expect(await client.link.endpoint == here(standby.port))
            #expect(await client.statistics.connections == 1)
        }
        await preferred.stop()
        await standby.stop()
    }

    // MARK: The session

    @Test(arguments: [false, true])
    func aClusterWithCommonSessionsIsToldSo(shared: Bool) async throws {
        // Two ways to one broker, as two nodes with one memory.
        try await withMosquitto { broker in
            let nodes = (try await TCPRelay.start(port: broker.port), try await TCPRelay.start(port: broker.port))
            var configuration = quick(port: nodes.0.port)
            configuration.endpoints.append(here(nodes.1.port))
            configuration.endpointsShareSessions = shared
            try await withClient(configuration) { client in
                try await eventually("a connection") { await client.isConnected }
                await nodes.0.cut(newcomers: .refused)
                for await event in client.events {
                    guard case .connected(let result) = event, result.number == 2 else { continue }
                    #expect(result.endpoint.port == nodes.1.port)
                    #expect(result.sessionPresent == shared)
                    break
                }
            }
        }
    }

    @Test func aProcessBeginsAtTheEndpointThatHoldsItsSession() async throws {
        let first = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        let second = try await ScriptedServer.start([.receive(31), .send([0x20, 0x02, 0x01, 0x00])])
        var configuration = quick(port: first.port)
        configuration.version = nil
        configuration.endpoints.append(here(second.port))
        let store = RememberingStore()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let name = await MQTTClient(configuration, eventLoop: loop).name(of: here(second.port), .v3_1_1)
        await store.beginSession(name)
        let client = MQTTClient(configuration, store: store, eventLoop: loop)
        let running = Task { await client.run() }
        try await eventually("a connection") { await client.isConnected }
        #expect(await client.link.endpoint == here(second.port))
        #expect(await client.version == .v3_1_1)
        #expect(first.connectionCount == 0)
        await client.disconnect()
        await running.value
        await first.stop()
        await second.stop()
    }

    // MARK: Refusals

    @Test func whoWantsToKnowIsToldThatWaitingWillNotHelp() async throws {
        // The first is not there, and may come back; both refuse in the second round.
        let other = try await ScriptedServer.start([.receive(2), .send([0x20, 0x03, 0x00, 0x8A, 0x00]), .close])
        let line = try await TCPRelay.start(port: other.port)
        await line.cut(newcomers: .refused)
        let server = try await ScriptedServer.start([.receive(2), .send([0x20, 0x03, 0x00, 0x86, 0x00]), .close])
        var configuration = quick(port: line.port)
        configuration.endpoints.append(here(server.port))
        configuration.stopsWhenRefused = true
        let client = MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let running = Task { await client.run() }
        try await server.waitForConnection(count: 2)
        try await line.mend()
        try await within(.seconds(30), "the end of run()") { await running.value }
        var last: ClientEvent?
        for await event in client.events { last = event }
        guard case .connectFailed(_, let failure, nil) = last else { throw Unexpected("\(String(describing: last))") }
        #expect(failure.isRefusal)
        await #expect(throws: ClientError.stopped) { try await client.publishNow(message("t", "x")) }
        await server.stop()
        await other.stop()
    }

    @Test func aRefusedClientGoesOnUnlessToldOtherwise() async throws {
        let server = try await ScriptedServer.start(
            [.receive(2), .send([0x20, 0x03, 0x00, 0x86, 0x00]), .close],
            [.receive(Self.connect), .send(Self.accepted)])
        try await withClient(port: server.port) { client in
            try await eventually("a connection") { await client.isConnected }
        }
        await server.stop()
    }

    // MARK: Parameters

    @Test func parametersThatDoNotComeAreNotWaitedForForEver() async throws {
        let server = try await ScriptedServer.start([.receive(Self.connect), .send(Self.accepted)])
        var configuration = quick(port: server.port)
        configuration.connectTimeout = .milliseconds(100)
        configuration.parameters = { _ in
            try await Task.sleep(for: .seconds(1000))
            return ConnectParameters()
        }
        try await withClient(configuration) { client in
            for await event in client.events {
                guard case .connectFailed(_, let failure, _) = event else { throw Unexpected("\(event)") }
                #expect(failure == .timedOut(after: .milliseconds(100), stage: .parameters))
                #expect("\(failure)" == "no parameters for CONNECT within 100ms")
                break
            }
            // And stopping does not wait for them either.
        }
        #expect(server.connectionCount == 0)
        await server.stop()
    }
}

/// A store that outlives its process, as far as the session is concerned.
private actor RememberingStore: SessionStore {
    nonisolated var outlivesProcess: Bool { true }
    private let base = MemoryStore()
    private var name: Int64?

    func session() -> StoredSession? { name.map { StoredSession(name: $0) } }
    func beginSession(_ name: Int64) { self.name = name }
    func connectionBegan() { base.connectionBegan() }
    func note(_ steps: ExchangeSteps) {}
    func append(_ messages: [Message]) throws -> [MessageID] { try base.append(messages) }
    func next(maximumCount: Int, maximumBytes: Int, maximumBacklog: Int) -> [StoredMessage] {
        base.next(maximumCount: maximumCount, maximumBytes: maximumBytes, maximumBacklog: maximumBacklog)
    }
    func acknowledge(_ ids: [MessageID]) { base.acknowledge(ids) }
    func discard(_ ids: [MessageID], because reason: DiscardReason) { base.discard(ids, because: reason) }
    func pendingCount() -> Int { base.pendingCount() }
    func rewind() { base.rewind() }
}

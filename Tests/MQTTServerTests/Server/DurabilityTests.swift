import MQTTWire
import NIOConcurrencyHelpers
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// Nobody is told of what is not on disk yet, and nobody overtakes.
@Suite(.timeLimit(.minutes(3))) struct DurabilityTests {
    /// Each batch is on disk when the test says so.
    actor SlowStore: ServerStore {
        private(set) var batches: [[Change]] = []
        private(set) var isClosed = false
        private(set) var replacements = 0
        private var waiter: CheckedContinuation<Void, Never>?
        private var credit = 0
        var status = ServerStoreStatus()

        func commit(_ changes: [Change], at now: NIODeadline) async -> ServerStoreStatus {
            batches.append(changes)
            await turn()
            return status
        }

        func replaceEverything(with state: StoredState, at now: NIODeadline) async -> ServerStoreStatus {
            replacements += 1
            await turn()
            return ServerStoreStatus()
        }

        private func turn() async {
            if credit > 0 {
                credit -= 1
            } else {
                await withCheckedContinuation { waiter = $0 }
            }
        }

        func close() { isClosed = true }

        /// Asks for everything at the next batch.
        func lose() { status.wantsEverything = true }

        /// So many batches are on disk, now or when they come.
        func finish(_ count: Int = 1) {
            credit += count
            if let waiter, credit > 0 {
                credit -= 1
                self.waiter = nil
                waiter.resume()
            }
        }
    }

    private func publish(_ number: UInt16, _ topic: String = "t") throws -> Packet {
        .publish(
            Publish(
                topic: try TopicName(topic), payload: ByteBuffer(string: "\(number)"), qos: .atLeastOnce,
                packetIdentifier: PacketIdentifier(rawValue: number)))
    }

    /// A subscriber whose session lasts, and a publisher.
    private func withPair(
        _ body: @escaping (MQTTServer, SlowStore, _ reader: RawClient, _ writer: RawClient) async throws -> Void
    ) async throws {
        let store = SlowStore()
        await store.finish(2)
        try await withServer(configuration(), store: store) { server in
            let reader = try await RawClient.connect(port: try await server.port)
            try await reader.connect("reader") { $0.properties.sessionExpiryInterval = 600 }
            let subscription = Subscription(filter: try TopicFilter("t"), qos: .atLeastOnce)
            try await reader.send(.subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription])))
            #expect(try await reader.next().type == .suback)
            let writer = try await RawClient.connect(port: try await server.port)
            try await writer.connect("writer")
            try await body(server, store, reader, writer)
            await store.finish(1_000)
        }
        #expect(await store.isClosed)
    }

    @Test func `an acknowledgement waits for its batch, and nobody overtakes`() async throws {
        try await withPair { server, store, reader, writer in
            let before = await store.batches.count
            try await writer.send(try publish(1), .pingreq)
            try await eventually("a batch") { await store.batches.count == before + 1 }
            // The next batch gathers meanwhile.
            try await writer.send(try publish(2), .pingreq)
            try await eventually("both messages") { await server.statistics.messagesReceived == 2 }
            #expect(await store.batches.count == before + 1)
            await store.finish()
            var types: [Packet] = []
            for _ in 0..<2 { types.append(try await writer.next()) }
            #expect(types.map(\.type) == [.puback, .pingresp])
            try await eventually("the second batch") { await store.batches.count == before + 2 }
            await store.finish()
            for _ in 0..<2 { types.append(try await writer.next()) }
            #expect(types.map(\.type) == [.puback, .pingresp, .puback, .pingresp])
            #expect(try await reader.next().type == .publish)
        }
    }

    @Test func `CONNACK of a lasting session waits too`() async throws {
        try await withPair { server, store, _, _ in
            let client = try await RawClient.connect(port: try await server.port)
            var connect = Connect(version: .v5, clientIdentifier: "new")
            connect.properties.sessionExpiryInterval = 60
            let before = await store.batches.count
            try await client.send(.connect(connect), .pingreq)
            try await eventually("a batch") { await store.batches.count == before + 1 }
            #expect(await server.clients().count == 3)
            await store.finish()
            #expect(try await client.next().type == .connack)
            #expect(try await client.next().type == .pingresp)
        }
    }

    @Test func `the server's own messages wait as well`() async throws {
        try await withPair { server, store, reader, _ in
            let before = await store.batches.count
            let done = NIOLockedValueBox(false)
            let publishing = Task {
                try await server.publish(ServerMessage("t", "x", .atLeastOnce))
                done.withLockedValue { $0 = true }
            }
            try await eventually("a batch") { await store.batches.count == before + 1 }
            #expect(!done.withLockedValue { $0 })
            await store.finish()
            try await within(.seconds(10), "the store") { try await publishing.value }
            #expect(try await reader.next().type == .publish)
        }
    }

    @Test func `what nobody waits for is stored soon`() async throws {
        try await withPair { server, store, reader, _ in
            let before = await store.batches.count
            // Its will is noted, and nobody is told.
            try await reader.send(.disconnect(Disconnect()))
            try await reader.closed()
            try await eventually("a batch") { await store.batches.count == before + 1 }
        }
    }

    @Test func `clients are not read while the store is behind`() async throws {
        try await withPair { server, store, _, writer in
            // More than may wait, and more than sockets hold.
            let total = 30
            let writing = Task {
                for number in 1...total {
                    let publish = Publish(
                        topic: try TopicName("r/\(number)"), payload: ByteBuffer(repeating: 1, count: 1_000_000),
                        qos: .atLeastOnce, retain: true, packetIdentifier: PacketIdentifier(rawValue: UInt16(number)))
                    try await writer.send(.publish(publish))
                }
            }
            try await eventually("a store that is behind") { await server.isStoreBehind }
            let seen = await server.statistics.messagesReceived
            #expect(seen < 20)
            await store.finish(1_000)
            for _ in 1...total { #expect(try await writer.next().type == .puback) }
            try await writing.value
            #expect(await server.isStoreBehind == false)
        }
    }

    @Test func `a store that fails is told of, and asked again`() async throws {
        let store = FailingStore()
        var configuration = configuration()
        configuration.systemInterval = .milliseconds(20)
        try await withServer(configuration, store: store) { server in
            func state() async throws -> [String] {
                await server.retainedMessages(matching: try TopicFilter("$SYS/broker/store/state")).map {
                    String(buffer: $0.payload)
                }
            }
            let client = try await RawClient.connect(port: try await server.port)
            #expect(
                try await client.connect("a") { $0.properties.sessionExpiryInterval = 60 }.reasonCode == .success)
            #expect(await server.storeFailure == "the disk is full")
            try await eventually("word of it") { try await state() == ["in memory only"] }
            await store.mend()
            try await eventually("a store that is well") { await server.storeFailure == nil }
            try await eventually("word of that") { try await state() == ["on disk"] }
        }
    }

    actor FailingStore: ServerStore {
        private var failure: String? = "the disk is full"

        func mend() { failure = nil }

        func commit(_ changes: [Change], at now: NIODeadline) -> ServerStoreStatus {
            ServerStoreStatus(failure: failure)
        }

        func replaceEverything(with state: StoredState, at now: NIODeadline) -> ServerStoreStatus {
            ServerStoreStatus(failure: failure)
        }

        func close() {}
    }

    // MARK: A real store

    @Test func `a store that wants everything gets it at once`() async throws {
        try await withPair { server, store, _, writer in
            await store.lose()
            await store.finish(10)
            try await writer.send(try publish(1))
            #expect(try await writer.next().type == .puback)
            let begin = ContinuousClock.now
            try await eventually("everything") { await store.replacements == 1 }
            #expect(ContinuousClock.now - begin < .seconds(4))
            #expect(await server.storeFailure == nil)
        }
    }

    @Test func `a session and its messages outlive the server`() async throws {
        try await withTemporaryDirectory { directory in
            var configuration = configuration()
            configuration.persistence = .init(path: directory.path("broker.sqlite"))
            try await withServer(configuration) { server in
                let client = try await RawClient.connect(port: try await server.port)
                try await client.connect("a") { $0.properties.sessionExpiryInterval = 600 }
                let subscription = Subscription(filter: try TopicFilter("t"), qos: .atLeastOnce)
                try await client.send(.subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription])))
                _ = try await client.next()
                try await client.send(.disconnect(Disconnect()))
                try await client.closed()
                try await server.publish(ServerMessage("t", "waits", .atLeastOnce))
                try await server.publish(ServerMessage("kept", "too", retain: true))
            }
            try await withServer(configuration) { server in
                #expect(await server.retainedMessages().map(\.topic.string) == ["kept"])
                let client = try await RawClient.connect(port: try await server.port)
                let connack = try await client.connect("a") {
                    $0.cleanStart = false
                    $0.properties.sessionExpiryInterval = 600
                }
                #expect(connack.sessionPresent)
                guard case .publish(let publish) = try await client.next() else { throw RawClient.End.closed }
                #expect(String(buffer: publish.payload) == "waits")
            }
        }
    }
}

import Glibc
import NIOCore
import NIOPosix
import Relay
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3)))
struct TCPRelayTests {
    @Test func `Random bytes come back unchanged, both ways at once, on many connections`() async throws {
        try await withRelay { relay, _ in
            var random = SplitMix64(seed: 1)
            for number in 1...8 {
                let client = try await Peer.connect(to: relay.port)
                let bytes = random.bytes(Int.random(in: 1...300_000, using: &random))
                client.send(bytes)
                try await client.waitFor(bytes)
                #expect(client.received == bytes, "seed 1, connection \(number)")
                client.finish()
                #expect(try await client.waitForEnding() == .end)
            }
            try await relay.wait(for: "all to be closed") { $0.open == 0 }
            let counters = await relay.counters
            #expect(counters.connections == 8)
            #expect(counters.bytesToServer == counters.bytesToClient)
            #expect(counters.cut == 0 && counters.swallowedToServer == 0 && counters.swallowedToClient == 0)
        }
    }

    @Test func `A reader who stops makes the sender stop, and nothing is lost when it reads on`() async throws {
        try await withRelay(isEcho: false) { relay, server in
            let client = try await Peer.connect(to: relay.port)
            try await relay.waitForConnection()
            let far = try await server.peer()
            try await far.setReading(false)
            var random = SplitMix64(seed: 2)
            // Longer than all buffers on the way, and of a period that no buffer has.
            let part = random.bytes(100_003)
            var bytes: [UInt8] = []
            for _ in 1...240 { bytes += part }
            client.send(bytes)
            // The kernel's buffers and the relay's take some; then it stands still.
            var before = -1
            try await eventually("the relay to stop") {
                let now = await relay.counters.bytesToServer
                defer { before = now }
                if now == before && now > 0 { return true }
                try await Task.sleep(for: .milliseconds(50))
                return false
            }
            #expect(before < bytes.count)
            try await far.setReading(true)
            try await far.waitFor(bytes)
            let received = far.received
            #expect(received.count == bytes.count && memcmp(received, bytes, bytes.count) == 0)
        }
    }

    @Test func `A FIN is handed on after the bytes before it, and the answer still comes back`() async throws {
        try await withRelay(isEcho: false) { relay, server in
            let client = try await Peer.connect(to: relay.port)
            client.send("question")
            client.finish()
            try await relay.waitForConnection()
            let far = try await server.peer()
            #expect(try await far.waitForEnding() == .end)
            #expect(far.received == Array("question".utf8))
            far.send("answer")
            far.finish()
            #expect(try await client.waitForEnding() == .end)
            #expect(client.received == Array("answer".utf8))
        }
    }

    @Test func `A reset is handed on as a reset`() async throws {
        try await withRelay { relay, server in
            let client = try await Peer.connect(to: relay.port)
            try await relay.waitForConnection()
            client.reset()
            let far = try await server.peer()
            #expect(try await far.waitForEnding() == .reset)
        }
    }

    @Test func `A client whose server is not there is reset and counted`() async throws {
        let relay = try await TCPRelay.start(port: try freePort())
        #expect(try await Peer.connectAndSeeTheEnd(of: relay.port) == .reset)
        try await relay.wait(for: "the failure") { $0.unreachable == 1 && $0.open == 0 }
        await relay.stop()
    }

    @Test(arguments: [(Ending.reset, Peer.Ending.reset), (.orderly, .end)])
    func `A cut closes both sides in the way that was asked for`(ending: Ending, seen: Peer.Ending) async throws {
        try await withRelay { relay, server in
            let client = try await Peer.connect(to: relay.port)
            client.send("before")
            try await client.waitFor("before")
            await relay.cut(ending)
            #expect(try await client.waitForEnding() == seen)
            let far = try await server.peer()
            #expect(try await far.waitForEnding() == seen)
            let counters = await relay.counters
            #expect(counters.open == 0 && counters.cut == 1)
        }
    }

    @Test func `After a cut nobody listens, and after the mend somebody does, on the same port`() async throws {
        try await withRelay { relay, _ in
            for _ in 1...3 {
                await relay.cut()
                // A process that is being started beside us holds our sockets for a moment, until its exec.
                try await eventually("nobody to listen") { !accepts(port: relay.port) }
                try await relay.mend()
                try await expectEcho("again", through: relay)
            }
        }
    }

    @Test func `Newcomers can be kicked after their connect`() async throws {
        try await withRelay { relay, _ in
            await relay.cut(newcomers: .closed)
            #expect(try await Peer.connectAndSeeTheEnd(of: relay.port) == .reset)
            #expect(await relay.counters.turnedAway == 1)
            try await relay.mend()
            try await expectEcho("again", through: relay)
        }
    }

    @Test func `A momentary cut needs no mend`() async throws {
        try await withRelay { relay, _ in
            let client = try await Peer.connect(to: relay.port)
            try await relay.waitForConnection()
            await relay.cut(newcomers: .served)
            #expect(try await client.waitForEnding() == .reset)
            try await expectEcho("again", through: relay)
        }
    }

    @Test func `A planned cut lets exactly so many bytes through`() async throws {
        var random = SplitMix64(seed: 3)
        for _ in 1...20 {
            let bytes = random.bytes(2000)
            let count = Int.random(in: 1..<bytes.count, using: &random)
            try await withRelay(isEcho: false) { relay, server in
                await relay.cut(after: count, .toServer)
                let client = try await Peer.connect(to: relay.port)
                client.send(bytes)
                try await relay.wait(for: "the cut") { $0.cut == 1 }
                let far = try await server.peer()
                #expect(try await far.waitForEnding() == .end)
                #expect(far.received == Array(bytes[..<count]), "seed 3, cut after \(count)")
                try await eventually("nobody to listen") { !accepts(port: relay.port) }
            }
        }
    }

    @Test func `A stalled line swallows all and closes nothing, and the mend resets what has a hole`() async throws {
        try await withRelay { relay, server in
            let client = try await Peer.connect(to: relay.port)
            client.send("before")
            try await client.waitFor("before")
            await relay.stall()
            client.send("lost")
            try await relay.wait(for: "the loss") { $0.swallowedToServer == 4 }
            let far = try await server.peer()
            far.send("lost too")
            try await relay.wait(for: "the loss") { $0.swallowedToClient == 8 }
            // Not even an end gets through.
            far.close()
            #expect(client.ending == .none)
            #expect(client.received == Array("before".utf8))
            #expect(far.received == Array("before".utf8))
            try await relay.mend()
            #expect(try await client.waitForEnding() == .reset)
            try await expectEcho("again", through: relay)
        }
    }

    @Test func `A connection that was idle while the line was stalled survives the mend`() async throws {
        try await withRelay { relay, _ in
            let client = try await Peer.connect(to: relay.port)
            client.send("before")
            try await client.waitFor("before")
            await relay.stall()
            try await relay.mend()
            client.send(" and after")
            try await client.waitFor("before and after")
            #expect(client.received == Array("before and after".utf8))
        }
    }

    @Test func `Who connects to a stalled line is accepted and hears nothing`() async throws {
        try await withRelay { relay, server in
            await relay.stall()
            let client = try await Peer.connect(to: relay.port)
            client.send("hello?")
            try await relay.wait(for: "the loss") { $0.swallowedToServer == 6 && $0.turnedAway == 1 }
            #expect(server.peers.isEmpty)
            #expect(client.ending == .none)
            try await relay.mend()
            #expect(try await client.waitForEnding() == .reset)
        }
    }

    @Test func `With one direction stalled the other passes`() async throws {
        try await withRelay { relay, server in
            let client = try await Peer.connect(to: relay.port)
            client.send("before")
            try await client.waitFor("before")
            await relay.stall([.toClient])
            client.send(" heard")
            let far = try await server.peer()
            try await far.waitFor("before heard")
            try await relay.wait(for: "the echo's loss") { $0.swallowedToClient == 6 }
            #expect(client.received == Array("before".utf8))
            #expect(await relay.counters.swallowedToServer == 0)
        }
    }

    @Test func `Once bytes were swallowed no later ones pass before the mend`() async throws {
        try await withRelay { relay, server in
            let client = try await Peer.connect(to: relay.port)
            try await relay.waitForConnection()
            await relay.stall([.toServer])
            client.send("lost")
            try await relay.wait(for: "the loss") { $0.swallowedToServer == 4 }
            await relay.stall([.toClient])
            client.send("late")
            try await relay.wait(for: "the loss") { $0.swallowedToServer == 8 }
            #expect(try await server.peer().received == [])
        }
    }

    @Test func `Delayed bytes come late, whole and in order`() async throws {
        try await withRelay { relay, _ in
            let delay = Duration.milliseconds(60)
            await relay.setDelay(delay)
            let client = try await Peer.connect(to: relay.port)
            let start = ContinuousClock.now
            for number in 0..<100 { client.send("\(number) ") }
            let all = (0..<100).map { "\($0) " }.joined()
            try await client.waitFor(all)
            #expect(client.received == Array(all.utf8))
            #expect(ContinuousClock.now - start >= delay * 2)
        }
    }

    @Test func `A shorter delay and a mend bring forward what waits`() async throws {
        try await withRelay { relay, server in
            await relay.setDelay(.seconds(3600), [.toServer])
            let client = try await Peer.connect(to: relay.port)
            try await relay.waitForConnection()
            client.send("one")
            await relay.setDelay(.zero, [.toServer])
            try await client.waitFor("one")
            await relay.setDelay(.seconds(3600))
            client.send("two")
            try await relay.mend()
            try await client.waitFor("onetwo")
            #expect(server.peers.count == 1)
        }
    }

    @Test func `Byte-wise, a receiver that keeps up sees small pieces`() async throws {
        // On one event loop, which cannot fall behind as another thread could.
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let server = try await PeerServer.start(isEcho: false, on: eventLoop)
        let relay = try await TCPRelay.start(port: server.port, on: eventLoop)
        await relay.setByteWise(true)
        let client = try await Peer.connect(to: relay.port)
        var random = SplitMix64(seed: 4)
        let bytes = random.bytes(2000)
        client.send(bytes)
        let far = try await server.peer()
        try await far.waitFor(bytes)
        #expect(far.received == bytes)
        #expect(far.pieces.count > bytes.count / 10)
        await relay.stop()
        try await server.stop()
    }

    @Test func `A wait ends at its timeout, and says for what it waited`() async throws {
        try await withRelay { relay, _ in
            let error = await #expect(throws: RelayError.self) {
                try await relay.waitForConnection(count: 3, timeout: .milliseconds(20))
            }
            #expect(error.map { "\($0)" }?.contains("connection number 3") == true)
        }
    }

    @Test func `A stop ends waits, connections and the port, and may be repeated`() async throws {
        let server = try await PeerServer.start()
        let relay = try await TCPRelay.start(port: server.port)
        let client = try await Peer.connect(to: relay.port)
        try await relay.waitForConnection()
        let wait = Task { try await relay.wait(for: "never", timeout: .seconds(60)) { _ in false } }
        let cancelled = Task { try await relay.wait(for: "never", timeout: .seconds(60)) { _ in false } }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        await relay.stop()
        await relay.stop()
        // The wait may have begun before the stop or after it.
        await #expect(throws: RelayError.stopped) { try await wait.value }
        await #expect(throws: RelayError.stopped) { try await relay.mend() }
        #expect(try await client.waitForEnding() == .reset)
        try await eventually("nobody to listen") { !accepts(port: relay.port) }
        try await server.stop()
    }

    @Test(arguments: [11, 12, 13] as [UInt64])
    func `Through random faults and mends, an open connection never delivers a wrong byte`(seed: UInt64) async throws {
        try await withRelay(isEcho: false) { relay, server in
            var random = SplitMix64(seed: seed)
            var sent: [[UInt8]] = []
            for _ in 1...40 {
                switch Int.random(in: 0..<8, using: &random) {
                case 0: await relay.cut(.random(&random), newcomers: .served)
                case 1: await relay.stall()
                case 2: await relay.stall([.toServer])
                case 3: await relay.setDelay(.milliseconds(Int.random(in: 0...5, using: &random)))
                case 4: await relay.setByteWise(Bool.random(using: &random))
                case 5:
                    let count = Int.random(in: 1...3000, using: &random)
                    await relay.cut(after: count, .toServer, ending: .random(&random), newcomers: .served)
                default: try await relay.mend()
                }
                let client = try await Peer.connectUnlessReset(to: relay.port)
                let bytes = random.bytes(Int.random(in: 1...2000, using: &random))
                sent.append(bytes)
                client?.send(bytes)
                if Bool.random(using: &random) { client?.finish() }
            }
            try await relay.mend()
            let last = try await Peer.connect(to: relay.port)
            last.send([1, 2, 3])
            try await eventually("the last bytes") { server.peers.contains { $0.received == [1, 2, 3] } }
            for peer in server.peers where peer.received != [1, 2, 3] {
                #expect(sent.contains { $0.starts(with: peer.received) }, "seed \(seed)")
            }
        }
    }

    private func withRelay(
        isEcho: Bool = true, _ body: (TCPRelay, PeerServer) async throws -> Void
    ) async throws {
        let server = try await PeerServer.start(isEcho: isEcho)
        let relay = try await TCPRelay.start(port: server.port)
        do {
            try await body(relay, server)
        } catch {
            await relay.stop()
            try await server.stop()
            throw error
        }
        await relay.stop()
        try await server.stop()
    }

    private func expectEcho(_ text: String, through relay: TCPRelay) async throws {
        let client = try await Peer.connect(to: relay.port)
        client.send(text)
        try await client.waitFor(text)
        #expect(client.received == Array(text.utf8))
        client.close()
    }
}

extension Ending {
    fileprivate static func random(_ generator: inout SplitMix64) -> Ending {
        Bool.random(using: &generator) ? .reset : .orderly
    }
}

import Relay
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3)))
struct MosquittoTests {
    @Test func `What is published arrives, and what is retained is kept`() async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["bin/#"])
            try await mosquittoPub(port: broker.port, "bin/fill", "83.2", qos: 1, retain: true)
            try await mosquittoPub(port: broker.port, "bin/lid", "open now", qos: 2)
            #expect(try await subscriber.next() == "bin/fill 1 0 83.2")
            #expect(try await subscriber.wait { $0.count == 2 }.last == "bin/lid 2 0 open now")
            #expect(try await retained(port: broker.port, "bin/fill") == "83.2")
            #expect(try await retained(port: broker.port, "bin/lid") == nil)
            try await subscriber.stop()
        }
    }

    @Test func `A persistent broker keeps a session over a restart, and the subscriber comes back`() async throws {
        try await withMosquitto(persistence: true) { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["a"], clientID: "counter")
            await subscriber.kill()
            try await mosquittoPub(port: broker.port, "a", "while away")
            try await broker.stop()
            try await eventually("nobody to listen") { !accepts(port: broker.port) }
            try await broker.restart()
            let again = try await MosquittoSub.start(port: broker.port, ["a"], clientID: "counter")
            #expect(try await again.next() == "a 1 0 while away")
            await again.kill()
        }
    }

    @Test func `A killed broker forgets, listens on its port again, and its subscriber reconnects`() async throws {
        try await withMosquitto { broker in
            let subscriber = try await MosquittoSub.start(port: broker.port, ["a"])
            try await mosquittoPub(port: broker.port, "a", "1", retain: true)
            #expect(try await subscriber.next() == "a 1 0 1")
            await broker.kill()
            await #expect(throws: ProgramError.self) { try await mosquittoPub(port: broker.port, "a", "2") }
            try await broker.restart()
            #expect(try await retained(port: broker.port, "a") == nil)
            try await subscriber.waitForSubscription(count: 2)
            try await mosquittoPub(port: broker.port, "a", "3")
            #expect(try await subscriber.next() == "a 1 0 3")
        }
    }

    @Test func `A broker that refuses its configuration says why`() async throws {
        let error = await #expect(throws: OutputEnded.self) {
            try await Mosquitto.start(lines: ["no_such_option true"])
        }
        #expect(error.map { "\($0)" }?.contains("no_such_option") == true)
    }

    @Test func `A subscriber behind a relay misses what passes during a cut, and gets what comes after`() async throws {
        try await withMosquitto { broker in
            let relay = try await TCPRelay.start(port: broker.port)
            let subscriber = try await MosquittoSub.start(port: relay.port, ["a"])
            await relay.cut()
            // The first to close was who looked whether the broker accepts.
            try await broker.log.wait(for: "the broker to notice") { lines in
                lines.count { $0.contains("closed its connection") } == 2
            }
            try await mosquittoPub(port: broker.port, "a", "unheard")
            try await relay.mend()
            try await subscriber.waitForSubscription(count: 2)
            try await mosquittoPub(port: broker.port, "a", "heard")
            #expect(try await subscriber.next() == "a 1 0 heard")
            await relay.stop()
        }
    }
}

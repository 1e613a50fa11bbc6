import Settings
import TestSupport
import Testing

@testable import Sensing

/// Servers that do what a good one never does.
@Suite(.serialized) struct ModbusTCPTests {
    private func bench(_ port: Int, retries: Int64 = 0, answerWithin: String = "5s") throws -> ModbusBench {
        try ModbusBench([
            "host": "127.0.0.1", "port": .integer(Int64(port)), "unit_id": 9, "table": "input", "address": 0,
            "retries": .integer(retries), "answer_within": .string(answerWithin), "timeout": "1m",
        ])
    }

    private func frame(_ transaction: UInt16, unit: UInt8 = 9, _ bytes: [UInt8]) -> [UInt8] {
        ModbusTCP.Frame(transaction: transaction, unit: unit, bytes: bytes).encoded
    }

    @Test("An answer in pieces, behind a late one to an earlier question, is the answer") func pieces() async throws {
        let late = frame(0xFFF0, [4, 2, 0, 1])
        let right = frame(1, [4, 2, 0, 42])
        let server = try await ScriptedServer.start([
            .receive(12), .send(late + right.prefix(3)), .pause(.milliseconds(30)), .send(Array(right.dropFirst(3))),
            .receive(12), .send(frame(2, [4, 2, 0, 43])),
        ])
        let bench = try bench(server.port)
        #expect(try bench.read().map(\.value) == [.number(42)])
        #expect(try bench.read().map(\.value) == [.number(43)])
        #expect(server.received == [[0, 1, 0, 0, 0, 6, 9, 4, 0, 0, 0, 1, 0, 2, 0, 0, 0, 6, 9, 4, 0, 0, 0, 1]])
        await server.stop()
    }

    @Test("A late answer is left out, and the connection serves on") func late() async throws {
        let server = try await ScriptedServer.start([
            .receive(24), .send(frame(1, [4, 2, 0, 1])), .send(frame(2, [4, 2, 0, 2])),
        ])
        let bench = try bench(server.port, retries: 1, answerWithin: "500ms")
        #expect(try bench.read().map(\.value) == [.number(2)])
        #expect(server.connectionCount == 1)
        await server.stop()
    }

    @Test("Other units' answers, other functions', and a wrong length are refused") func strangers() async throws {
        for (bytes, problem) in [
            (frame(1, unit: 8, [4, 2, 0, 1]), "answered as unit 8"),
            (frame(1, [3, 2, 0, 1]), "answered function 3 instead of 4"),
            (frame(1, [4, 4, 0, 1, 0, 2]), "gave 6 bytes instead of 4"),
            (frame(1, [0x84, 0x0B]), "refuses input 0: exception 11, gateway target device failed to respond"),
            ([0, 1, 0, 0, 0], "gave only a part of an answer within 300ms"),
            (Array("HTTP/1.1 400".utf8), "has lost its connection (what comes is not Modbus)"),
        ] {
            let server = try await ScriptedServer.start([.receive(12), .send(bytes)])
            #expect(try bench(server.port, answerWithin: "300ms").failure()?.problem == problem)
            await server.stop()
        }
    }

    @Test("A connection that was closed meanwhile is made again, without a failure") func idle() async throws {
        let server = try await ScriptedServer.start(
            [.receive(12), .send(frame(1, [4, 2, 0, 1])), .close], [.receive(12), .send(frame(1, [4, 2, 0, 2]))])
        let bench = try bench(server.port)
        #expect(try bench.read().map(\.value) == [.number(1)])
        #expect(try bench.read().map(\.value) == [.number(2)])
        #expect(server.connectionCount == 2)
        await server.stop()
    }

    @Test("A server that resets is an error, and is asked again at the next read") func reset() async throws {
        let server = try await ScriptedServer.start(
            [.receive(12), .reset], [.receive(12), .send(frame(1, [4, 2, 0, 2]))])
        let bench = try bench(server.port)
        #expect(bench.failure()?.problem.hasPrefix("has lost its connection (") ?? false)
        #expect(try bench.read().map(\.value) == [.number(2)])
        await server.stop()
    }

    @Test("A silent server is an error, and gets a new connection") func silence() async throws {
        let server = try await ScriptedServer.start([.receive(1000)], [.receive(12), .send(frame(1, [4, 2, 0, 2]))])
        let bench = try bench(server.port, answerWithin: "300ms")
        let error = try #require(bench.failure())
        #expect(
            error.description
                == "127.0.0.1:\(server.port) unit 9 did not answer within 300ms; check unit_id, and what the gateway knows of the line behind it"
        )
        #expect(try bench.read().map(\.value) == [.number(2)])
        await server.stop()
    }

    @Test("Who takes no connection, or has no address, is told so") func unreachable() throws {
        let closed = try bench(freePort()).failure()
        #expect(closed?.kind == .unavailable)
        #expect(closed?.problem == "takes no connection (Connection refused)")
        #expect(closed?.mend?.hasPrefix("check port") ?? false)
        let unknown = try ModbusBench(["host": "meter.invalid", "table": "input", "address": 0]).failure()
        #expect(unknown?.kind == .missing)
        #expect(unknown?.place == "meter.invalid:502")
    }

    @Test("Sensors with one host and port share a connection") func sharing() async throws {
        let server = try await ScriptedServer.start([
            .receive(12), .send(frame(1, [4, 2, 0, 1])), .receive(12), .send(frame(2, [4, 2, 0, 2])),
        ])
        let (first, second) = (try bench(server.port), try bench(server.port))
        #expect(try first.read().map(\.value) == [.number(1)])
        #expect(try second.read().map(\.value) == [.number(2)])
        #expect(server.connectionCount == 1)
        await server.stop()
    }
}

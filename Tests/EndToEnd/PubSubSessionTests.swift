import Glibc
import TestSupport
import Testing

/// What `fieldpost sub` has printed is acknowledged, and nothing else: the rest waits in the kept session.
@Suite(.timeLimit(.minutes(3))) struct PubSubSessionTests {
    private static let ways = [("311", 1), ("311", 2), ("5", 1), ("5", 2)]

    private func session(_ version: String, _ qos: Int) -> [String] {
        ["-V", version, "-c", "-i", "keeper", "-q", "\(qos)", "-t", "a"]
    }

    @Test(arguments: ways)
    func theLastOfACountIsNotGivenAgain(version: String, qos: Int) async throws {
        try await withMosquitto { broker in
            let session = session(version, qos)
            #expect(try await fieldpost("sub", port: broker.port, session + ["-E"]).ending == .exited(0))
            for number in 1...3 { try await mosquittoPub(port: broker.port, "a", "\(number)", qos: 2) }
            for number in 1...3 {
                let result = try await fieldpost("sub", port: broker.port, session + ["-C", "1", "-W", "10"])
                #expect(result.ending == .exited(0) && result.output == ["\(number)"], "\(result)")
            }
        }
    }

    @Test(arguments: ways)
    func aKilledOneLosesNothing(version: String, qos: Int) async throws {
        try await withMosquitto(lines: ["max_queued_messages 0"]) { broker in
            let session = session(version, qos)
            #expect(try await fieldpost("sub", port: broker.port, session + ["-E"]).ending == .exited(0))
            let program = try Program.built("fieldpost")
            let pub = try await runProgram(
                "/bin/sh", ["-c", "seq 300 | '\(program)' pub -h 127.0.0.1 -p \(broker.port) -t a -q 2 -l"])
            #expect(pub.ending == .exited(0))
            // Long lines and a slow reader, so that the pipe is full. It says its process identifier first.
            let line = session.joined(separator: " ")
            let first = try await Program.start(
                "/bin/sh",
                [
                    "-c",
                    """
                    sh -c 'echo $$; exec "$0" "$@"' '\(program)' sub -h 127.0.0.1 -p \(broker.port) \(line) -F %4000p |
                    while read -r line; do echo $line; sleep 0.02; done
                    """,
                ])
            try await first.output.wait(for: "some messages") { $0.count > 20 }
            let process = try #require(await first.output.lines.first.flatMap { pid_t($0) })
            kill(process, SIGKILL)
            #expect(try await first.wait() == .exited(0))
            let printed = Set(await first.output.lines.dropFirst())
            #expect(printed.count < 300)
            let second = try await Program.start(
                program, ["sub", "-h", "127.0.0.1", "-p", "\(broker.port)"] + session)
            // What was printed and not acknowledged yet comes again.
            try await second.output.wait(for: "the rest") { printed.union($0).count == 300 }
            await second.kill()
        }
    }

    @Test(arguments: ways)
    func whatNobodyReadsIsNotAcknowledged(version: String, qos: Int) async throws {
        try await withMosquitto { broker in
            let session = session(version, qos)
            let program = try Program.built("fieldpost")
            let line = session.joined(separator: " ")
            let pipeline = try await Program.start(
                "/bin/sh", ["-c", "'\(program)' sub -h 127.0.0.1 -p \(broker.port) \(line) | true"])
            try await broker.log.line(containing: "Sending SUBACK to keeper")
            try await mosquittoPub(port: broker.port, "a", "unread", qos: 2)
            #expect(try await pipeline.wait() == .exited(0))
            try await broker.log.line(containing: "Received DISCONNECT from keeper")
            let next = try await fieldpost("sub", port: broker.port, session + ["-C", "1", "-W", "5"])
            #expect(next.output == ["unread"])
        }
    }
}

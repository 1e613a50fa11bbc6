import TestSupport
import Testing

@testable import MQTT

/// A server that takes connections and says nothing: what was waited for is what is said.
@Suite(.timeLimit(.minutes(3))) struct SilentServerTests {
    @Test(arguments: [
        (Endpoint.Transport.tcp, ConnectFailure.Stage.connack), (Endpoint.Transport.tls, .tls),
        (Endpoint.Transport.webSocket(path: "/mqtt"), .webSocket),
        (Endpoint.Transport.secureWebSocket(path: "/mqtt"), .tls),
    ])
    func theTimeoutNamesWhatDidNotCome(transport: Endpoint.Transport, stage: ConnectFailure.Stage) async throws {
        let server = try await ScriptedServer.start([])
        var configuration = quick(port: server.port)
        configuration.endpoints = [Endpoint(transport: transport, host: "127.0.0.1", port: server.port)]
        configuration.connectTimeout = .milliseconds(200)
        try await withClient(configuration) { client in
            var events = client.events.makeAsyncIterator()
            guard case .connectFailed(_, let failure, _)? = await events.next() else {
                Issue.record("no failure")
                return
            }
            #expect(failure == .timedOut(after: .milliseconds(200), stage: stage))
        }
        await server.stop()
    }
}

import MQTT
import MQTTWire
import NIOCore
import NIOPosix
import OneNETModel
import Settings
import TestSupport
import Testing
import Units

@testable import Uplink

/// The model is as strict as the platform: otherwise it would prove nothing.
@Suite(.timeLimit(.minutes(1))) struct OneNETPlatformTests {
    private func platform(shortestKeepAlive: UInt16 = 10) async throws -> OneNETPlatform {
        let platform = OneNETPlatform(
            devices: [OneNETPlatform.Device(product: "123456", name: "bin-01", key: OneNETTokenTests.key)],
            shortestKeepAlive: shortestKeepAlive)
        try await platform.start()
        return platform
    }

    private func client(
        port: Int, _ settings: OneNETSettings = oneNET(), _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) -> MQTTClient {
        var configuration = ClientConfiguration(endpoints: [Endpoint(host: "127.0.0.1", port: port)])
        settings.configure(&configuration)
        configuration.stopsWhenRefused = true
        change(&configuration)
        return MQTTClient(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }

    private func refusal(
        _ settings: OneNETSettings = oneNET(), _ change: (inout ClientConfiguration) -> Void = { _ in }
    ) async throws -> String? {
        let platform = try await platform()
        let client = client(port: await platform.port, settings, change)
        let run = Task { await client.run() }
        try await eventually("its word") {
            let refusals = await platform.refusals
            let online = await platform.online
            return !refusals.isEmpty || !online.isEmpty
        }
        run.cancel()
        await run.value
        let refusals = await platform.refusals
        await platform.end()
        return refusals.first
    }

    @Test func aDeviceWithItsTokenComesIn() async throws {
        #expect(try await refusal() == nil)
    }

    @Test func whoIsNotADeviceWithItsTokenDoesNotComeIn() async throws {
        var stranger = oneNET()
        stranger.credentials.device = "bin-02"
        #expect(try await refusal(stranger) == "bin-02: no such device")
        var thief = oneNET()
        thief.credentials.key = Secret("AAAA".utf8)
        #expect(try await refusal(thief) == "bin-01: the signature does not match")
    }

    @Test func howADeviceMustConnect() async throws {
        #expect(try await refusal { $0.keepAlive = .seconds(9) } == "bin-01: keep-alive of 9 s")
        #expect(try await refusal { $0.sessionExpiry = .seconds(60) } == "bin-01: a session is to be resumed")
        let will = Will(topic: try TopicName("t"), payload: ByteBuffer())
        let parameters = ConnectParameters(username: "123456", password: ByteBuffer(), will: will)
        #expect(try await refusal { $0.parameters = { _ in parameters } } == "bin-01: it has a will")
    }

    @Test(arguments: [
        ("$sys/123456/bin-01/thing/property/post", #"{"id":"1","version":"1.0","params":{"t":{"value":null}}}"#),
        ("$sys/123456/bin-01/thing/property/post", #"{"id":1,"version":"1.0","params":{"t":{"value":1}}}"#),
        ("$sys/123456/bin-01/thing/property/post", #"{"id":"1","version":"1.0","params":{"t":{"value":1,"time":5}}}"#),
        ("$sys/123456/bin-01/thing/history/post", #"{"id":"1","version":"1.0","params":[]}"#),
        ("$sys/123456/bin-01/thing/property/posted", #"{"id":"1","version":"1.0","params":{"t":{"value":1}}}"#),
        ("$sys/123456/bin-01/dp/post/json", #"{"id":0,"dp":{"t":[{"v":1}]}}"#),
        ("$sys/123456/bin-01/dp/post/json", #"{"id":1,"dp":{"t":[{"v":true}]}}"#),
        ("$sys/123456/bin-02/dp/post/json", #"{"id":1,"dp":{"t":[{"v":1}]}}"#), ("fieldpost/bin-01/t", "1"),
    ])
    func whatTheDocumentsDoNotAllowIsObjectedTo(topic: String, payload: String) async throws {
        let platform = try await platform()
        let client = client(port: await platform.port)
        let run = Task { await client.run() }
        try await client.publish(
            Message(topic: try TopicName(topic), payload: ByteBuffer(string: payload)), until: .acknowledged)
        try await eventually("an objection") { await platform.objections.count == 1 }
        #expect(await platform.records == OneNETPlatform.Records())
        run.cancel()
        await run.value
        await platform.end()
    }

    @Test func whoFallsSilentIsOffline() async throws {
        let platform = try await platform(shortestKeepAlive: 1)
        let settings = oneNET()
        let connect = Packet.connect(
            Connect(
                version: .v3_1_1, clientIdentifier: "bin-01", cleanStart: true, keepAlive: 1, username: "123456",
                password: ByteBuffer(string: try settings.credentials.token(at: Timestamp.now()))))
        var bytes = ByteBuffer()
        try connect.encode(into: &bytes, version: .v3_1_1)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: await platform.port).get()
        let began = ContinuousClock.now
        try await channel.writeAndFlush(bytes)
        try await eventually("its end") { await platform.lifecycle == ["online bin-01", "offline bin-01"] }
        #expect(ContinuousClock.now - began >= .milliseconds(1500))
        try? await channel.close()
        await platform.end()
    }
}

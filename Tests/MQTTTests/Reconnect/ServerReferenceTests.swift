import Testing

@testable import MQTT

@Suite struct ServerReferenceTests {
    private func read(_ text: String, _ transport: Endpoint.Transport = .tcp) -> [String] {
        ServerReference(text, from: Endpoint(transport: transport, host: "here")).endpoints.map(\.description)
    }

    /// The examples of 5.0 §4.11.
    @Test func theSpecificationsExamplesAreRead() {
        #expect(read("myserver.xyz.org") == ["mqtt://myserver.xyz.org:1883"])
        #expect(read("myserver.xyz.org:8883") == ["mqtt://myserver.xyz.org:8883"])
        #expect(
            read("10.10.151.22:8883 [fe80::9610:3eff:fe1c]:1883")
                == ["mqtt://10.10.151.22:8883", "mqtt://[fe80::9610:3eff:fe1c]:1883"])
    }

    @Test func theTransportIsKeptWithItsUsualPort() {
        #expect(read("a [::1]", .tls) == ["mqtts://a:8883", "mqtts://[::1]:8883"])
        #expect(read("a b:9", .secureWebSocket(path: "/mqtt")) == ["wss://a:443/mqtt", "wss://b:9/mqtt"])
    }

    @Test func whatIsNoReferenceIsLeftOut() {
        for text in [
            "", " ", "a:", "a:0", "a:65536", "a:-1", "a:b", ":1883", "[]:1", "[::1", "[::1]1883", "fe80::1", "a/b",
            "u@a",
            "mqtt://a", "a\u{0}b", "bäcker.example", String(repeating: "a", count: 256),
        ] { #expect(read(text) == [], "\(text)") }
        #expect(read("a:x b  b:1883 c:7") == ["mqtt://b:1883", "mqtt://c:7"], "and the rest counts, once")
    }

    @Test func aLongListIsCutShort() {
        #expect(read((1...100).map { "h\($0)" }.joined(separator: " ")).count == ServerReference.maximumCount)
    }
}

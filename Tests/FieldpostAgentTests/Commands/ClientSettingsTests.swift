import MQTT
import MQTTWire
import OpenSSLTransport
import TestSupport
import Testing
import Units

@testable import FieldpostAgent

/// What the options of `fieldpost pub` and `fieldpost sub` mean.
@Suite struct ClientSettingsTests {
    private func settings(_ change: (inout ClientOptions) -> Void) throws -> ClientSettings {
        var options = ClientOptions()
        change(&options)
        return try ClientSettings(options, properties: [.connect])
    }

    private func endpoint(_ change: (inout ClientOptions) -> Void) throws -> String? {
        try settings(change).configuration.endpoints.first.map(String.init(describing:))
    }

    @Test func whereTheBrokerIs() throws {
        #expect(try endpoint { _ in } == "mqtt://localhost:1883")
        #expect(try endpoint { $0.host = "::1" } == "mqtt://[::1]:1883")
        #expect(try endpoint { $0.tls.trustsSystem = true } == "mqtts://localhost:8883")
        #expect(try endpoint { $0.url = "mqtt://u:p@h:8883/t" } == "mqtt://h:8883")
    }

    @Test func thePortOfTLSIsNotSpokenToInTheClear() throws {
        #expect(try endpoint { $0.port = 8883 } == "mqtts://localhost:8883")
        #expect(try endpoint { $0.port = 8884 } == "mqtt://localhost:8884")
    }

    @Test func thePathOfAWebSocketIsNoTopic() throws {
        for (url, place) in [
            ("ws://h/mqtt", "ws://h:80/mqtt"), ("wss://u:p%40@h:9001/a/b", "wss://h:9001/a/b"),
            ("ws://h", "ws://h:80/mqtt"),
        ] {
            let settings = try settings { $0.url = url }
            #expect(settings.configuration.endpoints.first?.description == place)
            #expect(settings.topic == nil)
        }
        #expect(try settings { $0.url = "mqtt://h/a/b%20c" }.topic == "a/b c")
    }

    @Test func whatNeedsVersion5GetsIt() throws {
        #expect(try settings { _ in }.configuration.version == nil)
        #expect(try settings { $0.version = "auto" }.configuration.version == nil)
        #expect(try settings { $0.version = "311" }.configuration.version == .v3_1_1)
        #expect(try settings { $0.sessionExpiry = "5" }.configuration.version == .v5)
        #expect(
            try settings { $0.properties = ["connect", "user-property", "a", "b"] }.configuration.version == .v5)
        var options = ClientOptions()
        #expect(try ClientSettings(options, properties: [], onlyIn5: "--x").configuration.version == .v5)
        options.version = "auto"
        #expect(try ClientSettings(options, properties: [], onlyIn5: "--x").configuration.version == .v5)
        options.version = "mqttv311"
        #expect(throws: InvalidText.self) { try ClientSettings(options, properties: [], onlyIn5: "--x") }
    }

    @Test func howLongTheSessionIsKept() throws {
        func expiry(_ change: (inout ClientOptions) -> Void) throws -> Duration {
            try settings(change).configuration.sessionExpiry
        }
        let never = Duration.seconds(Int64(UInt32.max))
        #expect(try expiry { _ in } == .zero)
        #expect(try expiry { $0.sessionExpiry = "5" } == .seconds(5))
        #expect(try expiry { $0.properties = ["connect", "session-expiry-interval", "7"] } == .seconds(7))
        #expect(
            try expiry {
                $0.keepsSession = true; $0.identifier = "i"
            } == never)
        #expect(
            try expiry {
                $0.keepsSession = true; $0.identifier = "i"; $0.sessionExpiry = "0"
            } == .zero)
        #expect(
            try expiry {
                $0.sessionExpiry = "∞"; $0.identifier = "i"
            } == never)
        for change: (inout ClientOptions) -> Void in [
            { $0.sessionExpiry = "-1" }, { $0.keepsSession = true }, { $0.sessionExpiry = "4294967295" },
            {
                $0.keepsSession = true; $0.identifier = ""
            },
        ] {
            #expect(throws: InvalidText.self) { try expiry(change) }
        }
    }

    @Test func aPasswordFromAFile() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("se cret\r\nmore\n", to: "password")
        var options = TLSOptions()
        options.pskIdentity = "me"
        options.pskFile = try directory.write("00ff1A\n", to: "psk")
        #expect(try options.configuration()?.preSharedKey?.key == [0x00, 0xFF, 0x1A])
        #expect(try TLSOptions.secret(nil, "--pw", file: file, "--pw-file") == Array("se cret".utf8))
        #expect(throws: InvalidText.self) { try TLSOptions.secret("x", "--pw", file: file, "--pw-file") }
    }

    @Test func optionsOfTLSThatDoNotGoTogetherAreRefused() throws {
        #expect(try TLSOptions().configuration() == nil)
        let changes: [(inout TLSOptions) -> Void] = [
            {
                $0.caFile = "a"; $0.caFolder = "b"
            },
            {
                $0.caFile = "a"; $0.trustsSystem = true
            },
            { $0.certificateFile = "a" }, { $0.key = "a" }, { $0.passphraseFile = "a" }, { $0.psk = "00" },
            { $0.pskIdentity = "a" },
            {
                $0.pskIdentity = "a"; $0.psk = "0"
            }, { $0.version = "tlsv1.1" },
            {
                $0.pskIdentity = "a"; $0.psk = "00"; $0.caFile = "a"
            }, { $0.keyForm = "der" }, { $0.engine = "tpm2" },
            {
                $0.certificateFile = "a"; $0.key = "b"; $0.keyForm = "engine"
            },
            {
                $0.certificateFile = "a"; $0.key = "pkcs11:a"; $0.keyForm = "pem"
            },
        ]
        for change in changes {
            var options = TLSOptions()
            change(&options)
            #expect(throws: InvalidText.self, "\(options)") { try options.configuration() }
        }
        var options = TLSOptions()
        options.certificateFile = "a"
        options.key = "pkcs11:object=b?pin-value=1"
        options.keyForm = "engine"
        options.engine = "pkcs11"
        options.version = "tlsv1.3"
        let tls = try #require(try options.configuration())
        #expect(tls.minimumVersion == .v1_3)
        guard case .pkcs11 = tls.certificate?.privateKey else {
            Issue.record("\(String(describing: tls.certificate))")
            return
        }
    }
}

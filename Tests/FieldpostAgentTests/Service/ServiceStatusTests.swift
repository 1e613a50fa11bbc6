import MQTTWire
import OpenSSLTransport
import Settings
import Testing
import Units

@testable import FieldpostAgent
@testable import MQTT

@Suite struct ServiceStatusTests {
    private let noon = Timestamp(milliseconds: 1_795_262_400_000)
    private let broker = Endpoint(transport: .secureWebSocket(path: "/mqtt?token=sesame"), host: "broker.example")

    private func connected() -> ClientEvent {
        .connected(
            ConnectResult(endpoint: broker, number: 1, sessionPresent: false, resumption: .init(), properties: []))
    }

    @Test func aBoardThatIsConnectedSaysToWhomAndOneThatIsNotSinceWhen() {
        var status = ServiceStatus(connection: .connecting(since: noon))
        #expect(status.text == "connecting")
        status.apply(connected(), at: noon)
        #expect(status.text == "connected to broker.example:443")
        status.apply(.disconnected(.closed, retryIn: .seconds(1)), at: noon)
        status.queued = 312
        #expect(status.text == "offline since \(noon.iso8601) (closed by the peer); 312 queued")
        // The reason is the latest, the time the first.
        status.apply(.connectFailed(broker, .unreachable("Connection refused"), retryIn: nil), at: noon + .seconds(60))
        #expect(status.text == "offline since \(noon.iso8601) (not reachable: Connection refused); 312 queued")
        status.apply(.disconnected(.returning, retryIn: .zero), at: noon)
        #expect(status.text == "connecting; 312 queued")
    }

    @Test func withoutAClockItSaysNoTime() {
        var status = ServiceStatus(connection: .connecting(since: Timestamp(milliseconds: 12_000)))
        status.apply(.connectFailed(broker, .closed, retryIn: nil), at: noon)
        #expect(status.text == "offline (closed by the peer before CONNACK)")
    }

    @Test func messagesOnTheirWayAreNothingToTell() {
        var status = ServiceStatus(connection: .connected(to: "a:1"), queued: 18, usualQueue: 18)
        #expect(status.text == "connected to a:1")
        status.queued = 19
        #expect(status.text == "connected to a:1; 19 queued")
        status.isOwnBroker = true
        #expect(status.text == "connected to its own broker; 19 queued")
    }

    @Test func everyTroubleIsNamedAndManyAreCounted() {
        var status = ServiceStatus(connection: .connected(to: "a:1"))
        status.failing = ["lid", "distance", "fill", "battery", "door"]
        status.hanging = ["queue"]
        status.queueFailure = "disk I/O error"
        status.refusal = "bins.toml:12:9: sensor[1].every (see the log)"
        status.clients = 1
        status.activity = "stopping"
        #expect(
            status.text
                == "stopping; connected to a:1; 1 client; hanging: queue; the queue is in memory only: disk I/O error; new configuration refused, going on with the old one: bins.toml:12:9: sensor[1].every (see the log); failing: battery, distance, door and 2 more"
        )
    }

    @Test(arguments: [
        ConnectFailure.refused(.notAuthorized, explanation: "sesame"), .invalid("sesame"), .authentication("sesame"),
        .protocolError("sesame"),
    ]) func S2_nothingIsRepeatedThatMayHoldASecret(failure: ConnectFailure) {
        var status = ServiceStatus(connection: .connecting(since: noon))
        status.apply(.connectFailed(broker, failure, retryIn: nil), at: noon)
        #expect(!status.text.contains("sesame"))
        status.apply(connected(), at: noon)
        #expect(!status.text.contains("sesame"))
        for reason in [DisconnectReason.byServer(.notAuthorized, explanation: "sesame"), .protocolError("sesame")] {
            status.apply(.disconnected(reason, retryIn: nil), at: noon)
            #expect(!status.text.contains("sesame"))
        }
    }

    @Test func S2_aConfigurationThatIsRefusedIsToldByItsPlace() throws {
        let error = #expect(throws: ConfigurationErrors.self) {
            try AgentConfiguration.read(
                "[broker]\nservers = [\"mqtt://u:sesame@host\"]\nkeep_alive = 60".utf8, path: "bins.toml",
                hostName: "bin-7")
        }
        #expect(error?.place == "bins.toml:2:12: broker.servers[1] and 1 more (see the log)")
        let missing = #expect(throws: ConfigurationErrors.self) { try AgentConfiguration.load(path: "/no/such.toml") }
        #expect(missing?.place == "/no/such.toml: does not exist (see the log)")
    }
}

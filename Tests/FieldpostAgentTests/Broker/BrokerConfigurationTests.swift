import Glibc
import Logging
import MQTTWire
import NIOCore
import OpenSSLTransport
import Settings
import TestSupport
import Testing

@testable import FieldpostAgent
@testable import MQTTServer

@Suite struct BrokerConfigurationTests {
    private func read(_ text: String, in folder: String = "/etc/fieldpost") throws -> (
        configuration: BrokerConfiguration, warnings: [Problem]
    ) {
        try BrokerConfiguration.read(
            ConfigurationDocument(text.utf8, path: "\(folder)/broker.toml", environment: ["PORT_NAME": "yard"]))
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch let errors as ConfigurationErrors {
            return errors.problems.filter { $0.severity == .error }.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test func S4_anEmptyServerListensForThisMachineOnly() throws {
        let broker = try read("[server]").configuration
        #expect(broker.server.listeners.map(\.address) == [.tcp(host: "127.0.0.1", port: 1883)])
        #expect(broker.server.listeners.first?.allowsAnonymous == true)
        #expect(broker.server.persistence == nil)
        #expect(broker.announcement == ["mqtt://127.0.0.1:1883: for everybody on this machine; others cannot reach it"])
    }

    @Test func S4_aListenerThatOthersCanReachRefusesAnonymousClients() throws {
        let broker = try read("[[listener]]\nport = 1884").configuration
        let listener = try #require(broker.server.listeners.first)
        #expect([.tcp(host: "::", port: 1884), .tcp(host: "0.0.0.0", port: 1884)].contains(listener.address))
        #expect(listener.allowsAnonymous == false)
        #expect(
            broker.announcement.first?.hasSuffix(
                ": for nobody: anonymous clients are refused, and no password is known") == true)
        #expect(broker.check().warnings.first?.contains("nobody can come in") == true)
    }

    @Test func theAgentsOwnDoorIsNoCauseForAWarning() throws {
        var broker = try read("[server]").configuration
        AgentDoor(clientID: "d").add(to: &broker)
        #expect(broker.server.listeners.count == 2)
        #expect(broker.check().warnings == [])
    }

    @Test(arguments: [
        ("bind = \"127.0.0.1\"", true), ("bind = \"::1\"", true), ("bind = \"[::1]\"", true),
        ("bind = \"localhost\"", true), ("unix = \"/tmp/x.sock\"", true), ("bind = \"0.0.0.0\"", false),
        ("bind = \"192.168.4.1\"", false), ("bind = \"::\"", false), ("bind = \"board.local\"", false),
        ("bind = \"127.0.0.1\"\nallow_anonymous = false", false),
        ("bind = \"127.0.0.1\"\npassword_file = \"passwords\"", false),
        ("bind = \"0.0.0.0\"\nallow_anonymous = true", true),
        ("bind = \"127.0.0.1\"\npassword_file = \"passwords\"\nallow_anonymous = true", true),
    ])
    func S4_anonymousClientsAreWelcome(listener: String, expected: Bool) throws {
        let broker = try read("[[listener]]\n\(listener)").configuration
        #expect(broker.server.listeners.map(\.allowsAnonymous) == [expected])
    }

    @Test func whatTheServerSaysOfAnonymousClientsHoldsWhereAListenerSaysNothing() throws {
        let broker = try read(
            """
            [server]
            allow_anonymous = false
            [[listener]]
            port = 1
            bind = "127.0.0.1"
            [[listener]]
            port = 2
            allow_anonymous = true
            """
        ).configuration
        #expect(broker.server.listeners.map(\.allowsAnonymous) == [false, true])
    }

    @Test func everyKeyOfTheServer() throws {
        let broker = try read(
            """
            [server]
            password_file = "passwords"
            acl_file = "/var/acl"
            store = { path = "b.db", durability = "relaxed", max_size = "5MB" }
            system_topics = "1m"
            response_information = "replies/%c"
            client_id_prefix = "yard-"
            [server.limits]
            max_payload_size = "18kB"
            max_connections = 10
            max_sessions = 11
            connect_timeout = "3s"
            max_packet_size = "64KiB"
            max_connect_size = "1kB"
            max_keep_alive = "10m"
            max_session_expiry = "7d"
            max_qos = 1
            retain = false
            wildcards = false
            shared_subscriptions = false
            receive_maximum = 5
            max_in_flight = 6
            max_topic_aliases = 7
            max_queued_messages = 8
            max_queued_size = "9kB"
            max_queued_size_in_all = "10kB"
            when_full = "drop-oldest"
            queue_qos_0 = true
            max_retained_messages = 12
            max_retained_size = "13kB"
            max_subscriptions = 14
            max_subscriptions_in_all = 15
            max_subscription_size_in_all = "17kB"
            max_topic_levels = 16
            [log]
            level = "debug"
            """
        ).configuration
        #expect(broker.access == AccessFiles(passwordPath: "/etc/fieldpost/passwords", accessControlPath: "/var/acl"))
        let server = broker.server
        #expect(server.persistence?.path == "/var/lib/fieldpost/b.db")
        #expect(server.persistence?.survivesPowerLoss == false)
        #expect(server.persistence?.maximumSize == 5_000_000)
        #expect(server.systemInterval == .seconds(60))
        #expect(server.responseInformation == "replies/%c")
        let limits = server.limits
        #expect(limits.maximumConnections == 10)
        #expect(limits.maximumSessions == 11)
        #expect(limits.connectTimeout == .seconds(3))
        #expect(limits.maximumPacketSize == 65_536)
        #expect(limits.maximumConnectSize == 1000)
        #expect(limits.maximumKeepAlive == 600)
        #expect(limits.maximumSessionExpiry == 604_800)
        #expect(limits.maximumQoS == .atLeastOnce)
        #expect(!limits.isRetainAvailable && !limits.areWildcardsAvailable && !limits.areSharedSubscriptionsAvailable)
        #expect(limits.receiveMaximum == 5)
        #expect(limits.maximumInFlight == 6)
        #expect(limits.topicAliasMaximum == 7)
        #expect(limits.queuedMessages == 8)
        #expect(limits.queuedBytes == 9000)
        #expect(limits.totalQueuedBytes == 10_000)
        #expect(limits.eviction == .oldest)
        #expect(limits.queuesQoS0)
        #expect(limits.retainedMessages == 12)
        #expect(limits.retainedBytes == 13_000)
        #expect(limits.subscriptions == 14)
        #expect(limits.totalSubscriptions == 15)
        #expect(limits.totalSubscriptionBytes == 17_000)
        #expect(limits.topicLevels == 16)
        #expect(broker.clientPrefix == "yard-")
        #expect(broker.maximumPayload == 18_000)
        #expect(broker.log.level == .debug)
    }

    @Test func everyKeyOfAListener() throws {
        let broker = try read(
            """
            [server]
            password_file = "passwords"
            [[listener]]
            name = "${PORT_NAME}"
            port = 9001
            bind = ["127.0.0.1", "10.0.0.7"]
            protocol = "both"
            acl_file = "acl"
            allow_anonymous = false
            max_connections = 3
            max_qos = 0
            max_packet_size = "2kB"
            max_topic_aliases = 4
            versions = ["5"]
            backlog = 5
            """
        ).configuration
        #expect(broker.server.listeners.map(\.name) == ["yard (127.0.0.1:9001)", "yard (10.0.0.7:9001)"])
        for listener in broker.server.listeners {
            #expect(listener.speech == .both)
            #expect(listener.allowsAnonymous == false)
            #expect(listener.maximumConnections == 3)
            #expect(listener.maximumQoS == .atMostOnce)
            #expect(listener.maximumPacketSize == 2000)
            #expect(listener.topicAliasMaximum == 4)
            #expect(listener.versions == [.v5])
            #expect(listener.backlog == 5)
            #expect(
                broker.access(at: listener)
                    == AccessFiles(
                        passwordPath: "/etc/fieldpost/passwords", accessControlPath: "/etc/fieldpost/acl"))
        }
    }

    @Test func everyKeyOfTLS() throws {
        let folder = try TemporaryDirectory()
        try folder.write("# keys\nsensor-1:00ff\n\nsensor-2:0A0b\r\n", to: "psk")
        let broker = try read(
            """
            [[listener]]
            [listener.tls]
            certificate_file = "server.pem"
            key_file = "server.key"
            key_passphrase_file = "secret"
            ca_file = "ca.pem"
            require_certificate = false
            crl_file = "crl.pem"
            identity = "common-name"
            minimum_version = "1.3"
            psk_file = "psk"
            """, in: folder.path
        ).configuration
        let listener = try #require(broker.server.listeners.first)
        #expect(listener.address == .everywhere(port: 8883))
        let tls = try #require(listener.tls)
        #expect(
            tls.certificate
                == TLSCertificate(
                    chainFile: folder.path("server.pem"), privateKeyFile: folder.path("server.key"),
                    passphrase: .file(folder.path("secret"))))
        #expect(tls.clientCertificates == .optional(.file(folder.path("ca.pem"))))
        #expect(tls.revocationLists == .file(folder.path("crl.pem")))
        #expect(listener.certificateIdentity == .commonName)
        #expect(tls.minimumVersion == .v1_3)
        #expect(
            tls.preSharedKeys == [
                PreSharedKey(identity: "sensor-1", key: [0, 255]), PreSharedKey(identity: "sensor-2", key: [10, 11]),
            ])
    }

    @Test(arguments: [
        ("", "1:1: server: is missing: write [server], which may be empty, or a [[listener]]"),
        ("[server]\npasword_file = \"x\"", "2:1: server.pasword_file: unknown key: did you mean \"password_file\"?"),
        ("[server]\nsystem_topics = 10", "2:17: server.system_topics: 10 has no unit: write \"10s\""),
        (
            "[server]\nstore = { durability = \"fast\" }",
            "2:24: server.store.durability: \"fast\" is not possible: possible are strict, relaxed"
        ),
        (
            "[server]\nstore = { path = \"a/\" }",
            "2:18: server.store.path: \"a/\" is no file's name: write one like \"broker.db\""
        ),
        ("[server.limits]\nmax_qos = 3", "2:11: server.limits.max_qos: 3 is out of range: allowed is 0 to 2"),
        (
            "[server.limits]\nmax_packet_size = \"1B\"",
            "2:19: server.limits.max_packet_size: 1B is out of range: allowed is 32B to 268.4MB"
        ),
        (
            "[server.limits]\nmax_keep_alive = \"1500ms\"",
            "2:18: server.limits.max_keep_alive: 1.5s is no whole number of seconds: MQTT counts it in seconds"
        ),
        ("[[listener]]\nport = 70000", "2:8: listener[1].port: 70000 is out of range: allowed is 0 to 65535"),
        (
            "[[listener]]\nbind = \"127.0.0.1:1883\"\n[[listener]]\nbind = \"a b\"",
            "4:8: listener[2].bind: \"a b\" is no address: write one like \"192.168.4.1\", \"::1\" or \"localhost\", without a port"
        ),
        ("[[listener]]\nbind = []", "2:8: listener[1].bind: is empty: name an address, such as \"127.0.0.1\""),
        (
            "[[listener]]\nunix = \"/tmp/s\"\nport = 1883",
            "3:8: listener[1].port: stands beside \"unix\": make two listeners of it, or remove one"
        ),
        ("[[listener]]\n[[listener]]", "listener[2]"),
        (
            "[[listener]]\nprotocol = \"websockets\"",
            "2:12: listener[1].protocol: \"websockets\" is not possible: did you mean \"websocket\"? (possible are mqtt, websocket, both)"
        ),
        (
            "[[listener]]\nversions = [\"3\"]",
            "2:13: listener[1].versions[1]: \"3\" is not spoken here: possible are \"3.1\", \"3.1.1\" and \"5\""
        ),
        (
            "[[listener]]\nversions = []",
            "2:12: listener[1].versions: is empty: write \"3.1\", \"3.1.1\", \"5\" or several"
        ),
        (
            "[[listener]]\ntls = {}",
            "2:7: listener[1].tls.certificate_file: is missing: TLS takes a certificate_file and its key_file, or a psk_file"
        ),
        (
            "[[listener]]\ntls = { certificate_file = \"a\" }",
            "2:7: listener[1].tls.key_file: is missing: TLS takes a certificate_file and its key_file, or a psk_file"
        ),
        (
            "[[listener]]\ntls = { certificate_file = \"a\", key_file = \"b\", require_certificate = true }",
            "2:71: listener[1].tls.require_certificate: nobody is named who vouches for clients: write a ca_file"
        ),
        (
            "[[listener]]\ntls = { certificate_file = \"a\", key_file = \"b\", identity = \"subject\" }",
            "2:60: listener[1].tls.identity: no certificates are asked for: name who vouches for clients in ca_file"
        ),
        ("[[listener]]\ntls = { psk_file = \"/no/such\" }", "2:20: listener[1].tls.psk_file: /no/such does not exist"),
        (
            "[server]\n[log]\nlevel = \"loud\"",
            "3:9: log.level: \"loud\" is not possible: possible are trace, debug, info, notice, warning, error, critical"
        ),
    ])
    func aMistakeIsNamedWithItsPlaceAndItsMend(text: String, expected: String) {
        let found = problems(text)
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    @Test func allMistakesAreNamedAtOnce() {
        let found = problems("[server]\na = 1\n[server.limits]\nmax_qos = 7\n[[listener]]\nport = -1\nb = 2")
        #expect(found.count == 4, "\(found)")
    }

    @Test func aLimitThatCannotCountIsWarnedOf() throws {
        let warnings = try read("[server.limits]\nmax_queued_size = \"1MB\"\nmax_queued_size_in_all = \"1kB\"").warnings
        #expect(warnings.map(\.keyPath) == ["server.limits.max_queued_size"])
    }

    @Test func anAgentsOtherTablesArePassedOver() throws {
        let text = "[device]\nid = \"x\"\n[broker]\nservers = [\"mqtt://a\"]\n[[sensor]]\nname = \"s\"\n[server]"
        #expect(try read(text).configuration.server.listeners.count == 1)
    }

    @Test func whatIsPrintedReadsAsTheSame() throws {
        let folder = try TemporaryDirectory()
        try folder.write("a:00\n", to: "psk")
        let text = """
            [server]
            password_file = "pass\\"word$$"
            store = { path = "/var/b.db", durability = "relaxed", max_size = "5MB" }
            system_topics = "0s"
            [server.limits]
            max_qos = 1
            retain = false
            max_packet_size = "1000001B"
            max_session_expiry = "7d"
            when_full = "drop-oldest"
            [[listener]]
            name = "yard"
            bind = "10.0.0.1"
            protocol = "websocket"
            port = 9001
            acl_file = "acl"
            versions = ["3.1", "5"]
            max_topic_aliases = 0
            [[listener]]
            unix = "/run/mqtt.sock"
            [[listener]]
            bind = "::"
            tls = { certificate_file = "c", key_file = "k", key_passphrase_file = "p", chain_file = "above", ca_folder = "/cas", require_certificate = false, crl_file = "l", identity = "subject", minimum_version = "1.3", psk_file = "psk" }
            [log]
            level = "warning"
            """
        let printed = try read(text, in: folder.path).configuration.toml
        let again = try read(printed.joined(separator: "\n"), in: "/elsewhere").configuration
        #expect(again.toml == printed)
        #expect(printed.contains("psk_file = \"\(folder.path)/psk\""))
        #expect(again.access.passwordPath == "\(folder.path)/pass\"word$")
        #expect(
            again.server.listeners.map(\.address) == [
                .tcp(host: "10.0.0.1", port: 9001), .unix(path: "/run/mqtt.sock"), .tcp(host: "::", port: 8883),
            ])
    }

    @Test func relativeNamesArePrintedForEveryFolder() throws {
        let broker = BrokerConfiguration(passwordFile: "passwords")
        let folder = try #require(getcwd(nil, 0))
        defer { free(folder) }
        #expect(broker.toml.contains("password_file = \"\(String(cString: folder))/passwords\""))
    }

    @Test func theAgentAndItsBridgesAreNotHeldToWhatItsGuestsMustKeepTo() async throws {
        var broker = try read("[server]\nclient_id_prefix = \"yard-\"\nlimits = { max_payload_size = \"3B\" }")
            .configuration
        AgentDoor(clientID: "d").add(to: &broker)
        let hooks = broker.hooks
        let intercept = try #require(hooks.interceptPublish)
        var large = ServerMessage(topic: try TopicName("a"), payload: ByteBuffer(string: "abcd"))
        for (identifier, listener, verdict) in [
            ("d", AgentDoor.name, ServerHooks.Verdict.accept), (Bridge.clientIdentifier, "", .accept),
            ("yard-1", "x", .refuse(.implementationSpecificError)),
        ] {
            let client = ClientInformation(identifier: identifier, version: .v5, listener: listener, address: "")
            #expect(intercept(&large, client) == verdict)
        }
        let validate = try #require(hooks.validateConnection)
        for (identifier, verdict) in [
            ("yard-1", ServerHooks.ConnectionVerdict.accept), ("shed-1", .refuse(.clientIdentifierNotValid)),
            ("d", .refuse(.clientIdentifierNotValid)),
        ] {
            let client = ClientInformation(identifier: identifier, version: .v5, listener: "x", address: "")
            let request = ServerHooks.ConnectionRequest(
                client: client, password: nil, isCleanStart: true, will: nil, properties: [], verdict: .success)
            #expect(await validate(request) == verdict)
        }
    }

    @Test func theDefaultsPrintAsOneListener() throws {
        #expect(
            BrokerConfiguration().toml.isEmpty
                && BrokerConfiguration(port: 1884).toml == [
                    "[[listener]]", "port = 1884", "bind = \"127.0.0.1\"", "allow_anonymous = true",
                ])
    }

    @Test func aNameThatBeginsLikeLoopbackIsNotOfThisMachine() {
        for (host, isLocal) in [
            ("127.0.0.9", true), ("::1", true), ("127.example.org", false), ("127.0.0.1.org", false),
        ] {
            #expect(BrokerConfiguration(host: host).server.listeners.first?.allowsAnonymous == isLocal, "\(host)")
        }
    }

    @Test func checkLoadsWhatTheConfigurationNames() async throws {
        let folder = try TemporaryDirectory()
        let authority = try await Authority.get()
        let leaf = try await authority.leaf("broker")
        let good = try read(
            """
            [server]
            store = { path = "\(folder.path)/b.db" }
            [[listener]]
            allow_anonymous = true
            tls = { certificate_file = "\(leaf.chain)", key_file = "\(leaf.key)", ca_file = "\(authority.root)" }
            """
        ).configuration
        #expect(good.check().problems == [])
        let bad = try read(
            """
            [server]
            store = { path = "/no/such/folder/b.db" }
            [[listener]]
            unix = "/no/such/socket"
            [[listener]]
            tls = { certificate_file = "\(folder.path)/none.pem", key_file = "\(leaf.key)" }
            """
        ).configuration
        let problems = bad.check().problems
        #expect(problems.count == 3, "\(problems)")
        #expect(problems.contains { $0.contains("none.pem cannot be read") })
        #expect(problems.contains { $0.hasPrefix("/no/such/folder/b.db: its folder") })
    }
}

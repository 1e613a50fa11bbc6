import Glibc
import Logging
import MQTTWire
import NIOCore
import OpenSSLTransport
import TestSupport
import Testing

@testable import FieldpostAgent
@testable import MQTTServer

@Suite(.timeLimit(.minutes(2))) struct MosquittoConfigurationTests {
    struct Result {
        var broker = BrokerConfiguration()
        var honoured = 0
        var findings: [MosquittoFinding] = []

        var errors: [String] { of(.error) }

        func of(_ kind: MosquittoFinding.Kind) -> [String] {
            findings.filter { $0.kind == kind && $0.line > 0 }.map { "\($0.line): \($0.directive): \($0.message)" }
        }
    }

    private func read(_ text: String, in folder: TemporaryDirectory) throws -> Result {
        let file = try folder.write(text, to: "mosquitto.conf")
        do {
            let (broker, honoured, findings) = try BrokerConfiguration.read(mosquitto: file)
            return Result(broker: broker, honoured: honoured, findings: findings)
        } catch {
            return Result(findings: error.findings)
        }
    }

    private func read(_ text: String) throws -> Result { try read(text, in: TemporaryDirectory()) }

    // MARK: Listeners and who may come in

    @Test func withoutAListenerItIsForThisMachineAlone() throws {
        for text in ["", "# nothing\n\n", "password_file /etc/passwords", "persistence false"] {
            let listeners = try read(text).broker.server.listeners
            #expect(listeners.allSatisfy { $0.address.isLocal && $0.allowsAnonymous == true })
            #expect(listeners.first?.address == .tcp(host: "127.0.0.1", port: 1883))
        }
        #expect(try read("allow_anonymous false").broker.server.listeners.first?.allowsAnonymous == false)
    }

    @Test(arguments: [
        ("listener 1884", Listener.Address.everywhere(port: 1884), false),
        ("listener 1884 # all", .everywhere(port: 1884), false),
        ("listener 1884 127.0.0.1", .tcp(host: "127.0.0.1", port: 1884), false),
        ("listener 1884 127.0.0.1\nallow_anonymous true", .tcp(host: "127.0.0.1", port: 1884), true),
        ("allow_anonymous true\nlistener 1884 10.0.0.1", .tcp(host: "10.0.0.1", port: 1884), true),
        ("listener 0 /run/mosquitto.sock", .unix(path: "/run/mosquitto.sock"), false),
        ("port 1885", .everywhere(port: 1885), false),
        ("port 1885\nbind_address 10.0.0.1", .tcp(host: "10.0.0.1", port: 1885), false),
        ("bind_address localhost", .tcp(host: "localhost", port: 1883), false),
        ("max_connections 7", .everywhere(port: 1883), false),
        ("listener 1884\nsocket_domain ipv4", .tcp(host: "0.0.0.0", port: 1884), false),
        ("listener 1884\nsocket_domain ipv6", .tcp(host: "::", port: 1884), false),
        ("listener 1884\nbind_interface lo\nsocket_domain ipv4", .tcp(host: "127.0.0.1", port: 1884), false),
    ])
    func S4_aListenerIsWhereMosquittoHasItAndLetsNobodyInUntold(
        text: String, address: Listener.Address, isAnonymous: Bool
    ) throws {
        let result = try read(text)
        #expect(result.errors == [])
        #expect(result.broker.server.listeners.map(\.address) == [address])
        #expect(result.broker.server.listeners.map(\.allowsAnonymous) == [isAnonymous])
    }

    @Test func theDefaultListenerStandsBesideOthers() throws {
        let broker = try read("port 1885\nlistener 1886\nprotocol websockets\nmax_connections 4").broker
        #expect(broker.server.listeners.map(\.address) == [.everywhere(port: 1885), .everywhere(port: 1886)])
        #expect(broker.server.listeners.map(\.speech) == [.mqtt, .webSocket])
        #expect(broker.server.listeners.map(\.maximumConnections) == [nil, 4])
    }

    @Test func settingsOfAccessHoldForAllListenersUnlessEachHasItsOwn() throws {
        let listeners = "listener 1\nallow_anonymous true\nlistener 2\npassword_file /p\nacl_file /a\n"
        let shared = try read(listeners).broker
        #expect(shared.server.listeners.map(\.allowsAnonymous) == [true, true])
        #expect(shared.access == AccessFiles(passwordPath: "/p", accessControlPath: "/a"))
        #expect(shared.listenerAccess.isEmpty)

        let own = try read("per_listener_settings true\n" + listeners).broker
        #expect(own.server.listeners.map(\.allowsAnonymous) == [true, false])
        #expect(own.server.listeners.map { own.access(at: $0).passwordPath } == [nil, "/p"])

        let late = try read("password_file /p\nper_listener_settings true")
        #expect(late.errors == ["2: per_listener_settings: stands behind settings that it changes: write it first"])
    }

    /// As tried with Mosquitto 2.0.11.
    @Test(arguments: [
        ("per_listener_settings true\nallow_anonymous true\nlistener 2", [2]),
        ("per_listener_settings true\npassword_file /p\nlistener 2", [1883, 2]),
        ("max_connections 5\nlistener 2", [1883, 2]), ("socket_domain ipv4\nlistener 2", [1883, 2]),
        ("use_identity_as_username true\nlistener 2", [1883, 2]), ("bind_interface lo\nlistener 2", [2]),
    ])
    func S4_theDefaultListenerOpensOnlyWhereMosquittoOpensIt(text: String, ports: [Int]) throws {
        let listeners = try read(text).broker.server.listeners
        let found = listeners.map { if case .tcp(_, let port) = $0.address { port } else { 0 } }
        #expect(found == ports)
        #expect(listeners.allSatisfy { $0.allowsAnonymous == false })
    }

    @Test func S4_withEachListenersOwnSettingsOneWithoutThemStaysForThisMachine() throws {
        let broker = try read("per_listener_settings true\nallow_anonymous false").broker
        #expect(broker.server.listeners.allSatisfy { $0.allowsAnonymous == false && $0.address.isLocal })
        #expect(broker.server.listeners.first?.address == .tcp(host: "127.0.0.1", port: 1883))
    }

    /// Seeded; S3.
    @Test func S3_noFileCrashesTheReader() throws {
        var generator = SplitMix64(seed: 4)
        let folder = try TemporaryDirectory()
        let values = [
            "", "0", "1", "-1", "true", "99999999999999999999", "-9223372036854775808", "9223372036854775807", "#",
            "é\u{0}",
            "1 2 3", "1y", "999999999999y", "none", "file", "lo", "tlsv1.3", ",", "1883 ::", "0 /x", "\"",
        ]
        let names =
            MosquittoDirectives.all.filter { $0 != "include_dir" } + [
                "bridge_x", "plugin_opt_a", "", " ", "\t#", "no\u{FFFD}",
            ]
        for _ in 1...300 {
            let lines = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                "\(names.randomElement(using: &generator) ?? "") \(values.randomElement(using: &generator) ?? "")"
            }
            let file = try folder.write(lines.joined(separator: "\n"), to: "m.conf")
            if let (broker, _, _) = try? BrokerConfiguration.read(mosquitto: file) { _ = broker.toml }
        }
    }

    @Test func certificatesAsMosquittoHasThem() throws {
        let tls = "certfile /c\nkeyfile /k\ncafile /ca\n"
        let plain = try #require(try read("listener 8883\n" + tls).broker.server.listeners.first)
        #expect(plain.tls?.certificate == TLSCertificate(chainFile: "/c", privateKeyFile: "/k"))
        #expect(plain.tls?.clientCertificates == .notAsked)
        #expect(plain.tls?.chainAuthorities == .file("/ca"))
        let strict = try #require(
            try read(
                "listener 8883\n\(tls)crlfile /l\nrequire_certificate true\nuse_identity_as_username true\ntls_version tlsv1.3"
            ).broker.server.listeners.first)
        #expect(strict.tls?.clientCertificates == .required(.file("/ca")))
        #expect(strict.tls?.revocationLists == .file("/l"))
        #expect(strict.tls?.minimumVersion == .v1_3)
        #expect(strict.certificateIdentity == .commonName)
        let subject = try read("listener 8883\n\(tls)require_certificate true\nuse_subject_as_username true").broker
        #expect(subject.server.listeners.first?.certificateIdentity == .subject)
        let folder = try read("listener 8883\ncapath /cas\ncertfile /c\nkeyfile /k\nrequire_certificate true").broker
        #expect(folder.server.listeners.first?.tls?.clientCertificates == .required(.folder("/cas")))
    }

    @Test func preSharedKeysComeFromTheirFile() throws {
        let folder = try TemporaryDirectory()
        let keys = try folder.write("board:c0ffee\n", to: "psk")
        let broker = try read("psk_file \(keys)\nlistener 8883\npsk_hint here", in: folder).broker
        #expect(
            broker.server.listeners.first?.tls?.preSharedKeys == [
                PreSharedKey(identity: "board", key: [0xC0, 0xFF, 0xEE])
            ])
        #expect(broker.toml.contains("psk_file = \"\(keys)\""))
    }

    // MARK: Values

    /// What a directive becomes, as the line of the equivalent TOML.
    @Test(arguments: [
        ("max_inflight_messages 5", "max_in_flight = 5"),
        ("max_inflight_messages 0", "max_in_flight = 65535"),
        ("max_queued_messages 50", "max_queued_messages = 50"),
        ("max_queued_messages 0", "max_queued_messages = 2147483647"),
        ("max_queued_bytes 5000", "max_queued_size = \"5kB\""),
        ("max_queued_bytes 0", "max_queued_size = \"64MiB\""),
        ("max_queued_bytes 200000000", "max_queued_size_in_all = \"200MB\""),
        ("max_packet_size 5000", "max_packet_size = \"5kB\""),
        ("max_packet_size 20", "max_packet_size = \"32B\""),
        ("message_size_limit 8388608", "max_packet_size = \"9MiB\""),
        ("max_keepalive 120", "max_keep_alive = \"2m\""),
        ("global_max_connections 50", "max_connections = 50"),
        ("global_max_clients 60", "max_sessions = 60"),
        ("retain_available false", "retain = false"),
        ("queue_qos0_messages true", "queue_qos_0 = true"),
        ("queue_qos0_messages 1", "queue_qos_0 = true"),
        ("persistent_client_expiration 12h", "max_session_expiry = \"12h\""),
        ("persistent_client_expiration 14d", "max_session_expiry = \"14d\""),
        ("persistent_client_expiration 2w", "max_session_expiry = \"14d\""),
        ("persistent_client_expiration 2m", "max_session_expiry = \"60d\""),
        ("persistent_client_expiration 1y", "max_session_expiry = \"365d\""),
        ("persistent_client_expiration 999y", "max_session_expiry = \"49640d\""),
        ("sys_interval 60", "system_topics = \"1m\""),
        ("sys_interval 0", "system_topics = \"0s\""),
        ("password_file /etc/my passwords", "password_file = \"/etc/my passwords\""),
        ("acl_file   /etc/acl  ", "acl_file = \"/etc/acl\""),
        ("persistence true", "store = { path = \"HERE/mosquitto.fieldpost.db\" }"),
        (
            "persistence true\npersistence_location /var/lib/mosquitto/",
            "store = { path = \"/var/lib/mosquitto/mosquitto.fieldpost.db\" }"
        ),
        (
            "persistence true\npersistence_location /var/lib\npersistence_file a.store",
            "store = { path = \"/var/lib/a.store.fieldpost.db\" }"
        ),
        ("listener 1\nmax_connections 9", "max_connections = 9"),
        ("listener 1\nmax_qos 1", "max_qos = 1"),
        ("listener 1\nmaximum_qos 0", "max_qos = 0"),
        ("listener 1\nmax_topic_alias 3", "max_topic_aliases = 3"),
        ("listener 1\naccept_protocol_versions 5", "versions = [\"5\"]"),
        ("listener 1\naccept_protocol_versions 3, 4", "versions = [\"3.1\", \"3.1.1\"]"),
        ("listener 1\nlistener_allow_anonymous true", "allow_anonymous = true"),
        ("listener 1\nprotocol websockets", "protocol = \"websocket\""),
        ("log_type error", "level = \"error\""),
        ("log_type error\nlog_type notice", "level = \"notice\""),
        ("log_type all", "level = \"debug\""),
        ("log_type none", "level = \"critical\""),
    ])
    func aDirectiveMeansHereWhatItMeansThere(text: String, line: String) throws {
        let result = try read(text)
        #expect(result.errors == [])
        let here = try #require(getcwd(nil, 0))
        defer { free(here) }
        let expected = line.replacing("HERE", with: String(cString: here))
        #expect(result.broker.toml.contains(expected), "\(result.broker.toml)")
    }

    @Test func sessionsWithoutALimitAreAsTheClientWants() throws {
        #expect(try read("max_keepalive 65535").broker.server.limits.maximumKeepAlive == nil)
        #expect(try read("listener 1\nmax_connections -1").broker.server.listeners.first?.maximumConnections == nil)
        #expect(try read("persistence false").broker.server.persistence == nil)
    }

    @Test func logsGoWhereTheFileSays() throws {
        #expect(try read("log_dest file /var/log/m.log").broker.log.files == ["/var/log/m.log"])
        #expect(try read("log_dest file /var/log/m.log").broker.log.isOnStandardError == false)
        #expect(try read("log_dest file /var/log/m.log\nlog_dest stderr").broker.log.isOnStandardError)
        #expect(try read("log_dest none").broker.log == BrokerConfiguration.Log(isOnStandardError: false))
        let syslog = try read("log_dest syslog")
        #expect(syslog.broker.log.isOnStandardError)
        #expect(
            syslog.of(.notHonoured) == ["1: log_dest: logs go to standard error: write stderr, or file with its path"])
    }

    @Test func anIdentifiersPrefixIsRequired() async throws {
        let broker = try read("clientid_prefixes secure-").broker
        let validate = try #require(broker.hooks.validateConnection)
        for (identifier, verdict, expected) in [
            ("secure-1", ReasonCode.success, ServerHooks.ConnectionVerdict.accept),
            ("other", .success, .refuse(.clientIdentifierNotValid)),
            ("secure-1", .notAuthorized, .refuse(.notAuthorized)),
        ] {
            let client = ClientInformation(identifier: identifier, version: .v5, listener: "", address: "")
            let request = ServerHooks.ConnectionRequest(
                client: client, password: nil, isCleanStart: true, will: nil, properties: [], verdict: verdict)
            #expect(await validate(request) == expected)
        }
    }

    @Test func largerMessagesAreRefused() throws {
        let broker = try read("message_size_limit 3").broker
        let intercept = try #require(broker.hooks.interceptPublish)
        let client = ClientInformation(identifier: "c", version: .v5, listener: "", address: "")
        var small = ServerMessage(topic: try TopicName("a"), payload: ByteBuffer(string: "abc"))
        #expect(intercept(&small, client) == .accept)
        var large = ServerMessage(topic: try TopicName("a"), payload: ByteBuffer(string: "abcd"))
        #expect(intercept(&large, client) == .refuse(.implementationSpecificError))
        #expect(intercept(&large, nil) == .accept)
        #expect(try read("message_size_limit 0").broker.hooks.interceptPublish == nil)
    }

    @Test func aWillThatIsTooLargeIsRefusedWithItsClient() async throws {
        let validate = try #require(try read("message_size_limit 3").broker.hooks.validateConnection)
        func verdict(_ payload: String, _ version: ProtocolVersion) async throws -> ServerHooks.ConnectionVerdict {
            await validate(
                ServerHooks.ConnectionRequest(
                    client: ClientInformation(identifier: "c", version: version, listener: "", address: ""),
                    password: nil, isCleanStart: true,
                    will: Will(topic: try TopicName("a"), payload: ByteBuffer(string: payload)), properties: [],
                    verdict: .success))
        }
        #expect(try await verdict("abc", .v5) == .accept)
        #expect(try await verdict("abcd", .v5) == .refuse(.packetTooLarge))
        // 3.1.1 has no word for it; Mosquitto says the same.
        #expect(try await verdict("abcd", .v3_1_1) == .refuse(.notAuthorized))
    }

    // MARK: What is not honoured

    @Test(arguments: [
        ("max_inflight_bytes 100", MosquittoFinding.Kind.notHonoured), ("upgrade_outgoing_qos true", .notHonoured),
        ("ciphers HIGH", .notHonoured), ("connection up\naddress a\ntopic # out 1", .notHonoured),
        ("allow_zero_length_clientid false", .notHonoured), ("check_retain_source true", .notHonoured),
        ("tls_version tlsv1.1", .notHonoured),
        ("http_dir /srv", .notHonoured), ("autosave_interval 5", .needless), ("set_tcp_nodelay true", .needless),
        ("allow_duplicate_messages true", .needless), ("memory_limit 1000", .needless),
        ("log_timestamp_format %Y", .needless), ("retry_interval 5", .needless),
        ("plugin /usr/lib/x.so", .error), ("mount_point a/", .error), ("use_username_as_clientid true", .error),
        ("websockets_origin https://a", .error), ("enable_proxy_protocol 2", .error), ("tls_engine x", .error),
        ("tls_keyform engine", .error), ("protocol http_api", .error),
    ])
    func whatIsNotHonouredIsNamed(text: String, kind: MosquittoFinding.Kind) throws {
        let result = try read("listener 1\n" + text)
        let found = result.findings.filter { $0.line == 2 }
        #expect(found.map(\.kind) == [kind], "\(result.findings)")
        #expect(found.first.map { text.hasPrefix($0.directive) } == true)
    }

    @Test(arguments: [
        "max_inflight_bytes 0", "upgrade_outgoing_qos false", "use_username_as_clientid false", "tls_keyform pem",
        "allow_zero_length_clientid true", "check_retain_source false", "tls_version tlsv1.2", "user root",
        "accept_protocol_versions 3,4,5", "accept_protocol_versions 4,5", "protocol mqtt", "pid_file /run/m.pid",
    ])
    func whatIsSoAnywayIsHonoured(text: String) throws {
        let result = try read("listener 1\n" + text)
        #expect(result.findings.filter { $0.line > 0 } == [])
        #expect(result.honoured == 2)
    }

    @Test(arguments: [
        ("lisener 1883", "1: lisener: is no directive of Mosquitto's: did you mean listener?"),
        ("alow_anonymous true", "1: alow_anonymous: is no directive of Mosquitto's: did you mean allow_anonymous?"),
        ("xyzzy", "1: xyzzy: is no directive of Mosquitto's: remove it, or make a comment of it with #"),
        ("allow_anonymous yes", "1: allow_anonymous: \"yes\" is neither true nor false"),
        ("listener", "1: listener: \"\" is no number"),
        ("listener x", "1: listener: \"x\" is no number"),
        ("listener 70000", "1: listener: 70000 is out of range: allowed is 0 to 65535"),
        ("listener 0", "1: listener: port 0 has no path behind it: name the Unix socket"),
        ("port 0", "1: port: 0 is out of range: allowed is 1 to 65535"),
        ("protocol mqttsn", "1: protocol: \"mqttsn\" is not possible: possible are mqtt, websockets"),
        ("max_packet_size 5", "1: max_packet_size: 5 is out of range: allowed is 20 to 268435460"),
        ("max_qos 3", "1: max_qos: 3 is out of range: allowed is 0 to 2"),
        (
            "persistent_client_expiration 2x",
            "1: persistent_client_expiration: \"2x\" is no duration: write one like 14d; the units are h, d, w, m and y"
        ),
        (
            "persistent_client_expiration 0d",
            "1: persistent_client_expiration: \"0d\" is no duration: write one like 14d; the units are h, d, w, m and y"
        ),
        (
            "log_dest nowhere",
            "1: log_dest: \"nowhere\" is not possible: possible are stdout, stderr, syslog, topic, file, dlt, none"
        ),
        ("log_dest file", "1: log_dest: names no file"),
        ("password_file", "1: password_file: has no value"),
        ("topic # both", "1: topic: belongs to a bridge: write it behind a connection line"),
        ("connection a\nconnection a", "2: connection: a is there already"),
        ("include_dir /no/such", "1: include_dir: /no/such: No such file or directory"),
        ("listener 1\nlistener 1", "2: listener 1: "),
        ("listener 1\ncertfile /c", "1: listener 1: has a certfile only: certfile and keyfile go together"),
        (
            "listener 1\ncafile /c",
            "1: listener 1: asks for certificates of clients, and has none of its own: name its certfile and keyfile"
        ),
        (
            "listener 1\ncertfile /c\nkeyfile /k\nrequire_certificate true",
            "1: listener 1: require_certificate: nobody vouches for clients: name a cafile or a capath"
        ),
        (
            "listener 1\ncertfile /c\nkeyfile /k\nuse_identity_as_username true",
            "1: listener 1: use_identity_as_username"
        ),
        ("listener 1\npsk_hint a", "1: listener 1: psk_hint stands without a psk_file: name the file with the keys"),
        ("psk_file /no/such\nlistener 1\npsk_hint a", "2: listener 1: /no/such does not exist"),
        (
            "listener 1\npsk_hint a\ncertfile /c\nkeyfile /k",
            "1: listener 1: psk_hint stands beside certfile: make two listeners of it"
        ),
        (
            "listener 1\nbind_interface nothing0",
            "1: listener 1: \"nothing0\" has no address now: name an address behind the port"
        ),
    ])
    func aMistakeIsNamedWithItsLine(text: String, expected: String) throws {
        let errors = try read(text).errors
        #expect(errors.contains { $0.hasPrefix(expected) }, "\(errors)")
    }

    @Test func allMistakesAreNamedAtOnceAndTheFileIsInEach() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("listner 1\nmax_qos 9\n", to: "m.conf")
        do {
            _ = try BrokerConfiguration.read(mosquitto: file)
            Issue.record("it was taken")
        } catch {
            let lines = error.description.split(separator: "\n")
            #expect(lines.filter { $0.hasPrefix("\(file):") }.count >= 2, "\(lines)")
        }
    }

    @Test func aFileThatIsNotThereIsAnErrorAndNothingElse() {
        let errors = #expect(throws: MosquittoErrors.self) { try BrokerConfiguration.read(mosquitto: "/no/such.conf") }
        #expect(errors?.findings.map(\.message) == ["does not exist"])
    }

    @Test(.enabled(if: geteuid() == 0, "only root could become mosquitto"))
    func rootIsToldThatItStaysRoot() throws {
        for (text, isTold) in [("", true), ("user root", false), ("user mosquitto", true)] {
            let findings = try read(text).findings
            #expect(findings.contains { $0.directive == "user" && $0.kind == .notHonoured } == isTold, "\(text)")
        }
    }

    /// Each directive is in the printed configuration, or it is said that it is not.
    @Test func whatIsPrintedLosesNoDirectiveSilently() async throws {
        let folder = try TemporaryDirectory()
        try folder.write("max_keepalive 60", to: "conf.d/a.conf")
        let leaf = try await Authority.get().leaf("printed")
        let keys = try folder.write("a:00\n", to: "psk")
        let tls = "listener 1\ncertfile \(leaf.chain)\nkeyfile \(leaf.key)"
        let clients = "\(tls)\ncafile \(leaf.chain)\nrequire_certificate true"
        let texts: [String: String] = [
            "accept_protocol_versions": "accept_protocol_versions 5", "acl_file": "acl_file /a",
            "allow_anonymous": "listener 1\nallow_anonymous true",
            "allow_zero_length_clientid": "allow_zero_length_clientid false", "bind_address": "bind_address 10.0.0.1",
            "bind_interface": "listener 1\nbind_interface lo", "cafile": "\(tls)\ncafile \(leaf.chain)",
            "capath": "\(tls)\ncapath /etc/ssl/certs", "certfile": tls,
            "check_retain_source": "check_retain_source true", "clientid_prefixes": "clientid_prefixes ok-",
            "crlfile": "\(clients)\ncrlfile /l", "global_max_clients": "global_max_clients 5",
            "global_max_connections": "global_max_connections 5", "include_dir": "include_dir \(folder.path("conf.d"))",
            "keyfile": tls, "listener": "listener 1",
            "listener_allow_anonymous": "listener 1\nlistener_allow_anonymous true",
            "log_dest": "log_dest file \(folder.path("log"))", "log_type": "log_type error",
            "max_connections": "listener 1\nmax_connections 7", "max_inflight_bytes": "max_inflight_bytes 5",
            "max_inflight_messages": "max_inflight_messages 5", "max_keepalive": "max_keepalive 60",
            "max_packet_size": "max_packet_size 1000", "max_qos": "max_qos 1", "max_queued_bytes": "max_queued_bytes 5",
            "max_queued_messages": "max_queued_messages 5", "max_topic_alias": "listener 1\nmax_topic_alias 5",
            "maximum_qos": "listener 1\nmaximum_qos 1", "message_size_limit": "message_size_limit 10",
            "password_file": "password_file /p",
            "per_listener_settings": "per_listener_settings true\nlistener 1\npassword_file /p\nlistener 2",
            "persistence": "persistence true", "persistence_file": "persistence true\npersistence_file x.db",
            "persistence_location": "persistence true\npersistence_location /var/x",
            "persistent_client_expiration": "persistent_client_expiration 1d", "pid_file": "pid_file /run/p",
            "port": "port 5", "protocol": "listener 1\nprotocol websockets",
            "psk_file": "listener 1\npsk_hint a\npsk_file \(keys)",
            "psk_hint": "psk_file \(keys)\nlistener 1\npsk_hint a",
            "queue_qos0_messages": "queue_qos0_messages true", "require_certificate": clients,
            "retain_available": "retain_available false", "retained_persistence": "retained_persistence true",
            "socket_domain": "listener 1\nsocket_domain ipv4", "sys_interval": "sys_interval 5",
            "tls_version": "\(tls)\ntls_version tlsv1.3", "upgrade_outgoing_qos": "upgrade_outgoing_qos true",
            "use_identity_as_username": "\(clients)\nuse_identity_as_username true",
            "use_subject_as_username": "\(clients)\nuse_subject_as_username true",
            "use_username_as_clientid": "use_username_as_clientid true",
        ]
        // PEM is what there is, and who the user is, is said at the start.
        for name in MosquittoDirectives.honoured.subtracting(["tls_keyform", "user"]) {
            let text = try #require(texts[name], "\(name)")
            let with = try read(text)
            let without = try read(
                text.split(separator: "\n").filter { !$0.hasPrefix("\(name) ") }.joined(separator: "\n"))
            let isPrinted = with.broker.toml != without.broker.toml
            let isSaid = with.broker.unsaid != without.broker.unsaid || !with.findings.allSatisfy { $0.line == 0 }
            #expect(isPrinted || isSaid, "\(name)")
            guard with.errors.isEmpty else { continue }
            let again = try BrokerConfiguration.read(
                ConfigurationDocument(
                    with.broker.toml.joined(separator: "\n").utf8, path: "/elsewhere/a.toml", environment: [:])
            ).configuration
            #expect(again.toml == with.broker.toml, "\(name)")
        }
    }

    /// Otherwise a directive would fall through silently.
    @Test func everyHonouredDirectiveIsRead() throws {
        let values: [String: String] = [
            "accept_protocol_versions": "5", "bind_interface": "lo", "log_dest": "stderr", "log_type": "all",
            "persistent_client_expiration": "1d", "protocol": "mqtt", "socket_domain": "ipv4", "tls_keyform": "pem",
            "tls_version": "tlsv1.2", "include_dir": "/",
        ]
        let folder = try TemporaryDirectory()
        for name in MosquittoDirectives.honoured {
            let readers = try (values[name].map { [$0] } ?? ["false", "true", "20", "1", "0", "root"]).map { value in
                MosquittoReader.read(file: try folder.write("\(name) \(value)", to: "mosquitto.conf"))
            }
            #expect(readers.contains { $0.honoured == 1 }, "\(name): \(readers.map(\.findings))")
        }
    }

    @Test func noDirectiveIsInTwoLists() {
        let all = MosquittoDirectives.all
        #expect(Set(all).count == all.count)
    }

    // MARK: Whole files

    @Test func includedFilesAreReadInMosquittosOrder() throws {
        let folder = try TemporaryDirectory()
        for (name, text) in [
            ("b.conf", "listener 3"), ("A.conf", "listener 1"), ("a.conf", "listener 2\nmax_connections 5"),
            ("B.conf", "max_connections 9\nlistener 4"), ("c.txt", "nonsense"),
        ] {
            try folder.write(text, to: "conf.d/\(name)")
        }
        let result = try read("allow_anonymous true\ninclude_dir \(folder.path("conf.d"))", in: folder)
        #expect(result.errors == [])
        let listeners = result.broker.server.listeners
        // That of B.conf's first line is the default listener.
        #expect(listeners.map(\.address) == [1883, 1, 2, 4, 3].map { .everywhere(port: $0) })
        #expect(listeners.map(\.maximumConnections) == [9, nil, 5, nil, nil])
        try folder.write("include_dir /tmp", to: "conf.d/z.conf")
        let nested = try read("include_dir \(folder.path("conf.d"))", in: folder)
        #expect(nested.findings.contains { $0.file.hasSuffix("z.conf") && $0.kind == .error })
    }

    /// Mosquitto takes each of them too.
    @Test(arguments: MosquittoExamples.all)
    func wholeFilesAreTaken(example: MosquittoExamples.Example) async throws {
        let folder = try TemporaryDirectory()
        let leaf = try await Authority.get().leaf("mosquitto")
        let file = try folder.write(try await example.text(folder, leaf), to: "mosquitto.conf")
        let (broker, honoured, findings) = try BrokerConfiguration.read(mosquitto: file)
        #expect(honoured == example.honoured, "\(findings)")
        #expect(
            findings.filter { $0.line > 0 && $0.kind != .needless }.map(\.directive) == example.notHonoured,
            "\(findings)")
        #expect(
            broker.announcement.filter { !$0.contains("[::1]:1883") }
                == example.announcement.map { $0.replacing("FOLDER", with: folder.path) })
        let again = try BrokerConfiguration.read(
            ConfigurationDocument(broker.toml.joined(separator: "\n").utf8, path: "/a.toml", environment: [:]))
        #expect(again.configuration.toml == broker.toml)

        // Mosquitto itself says what it thinks of it.
        let mosquitto = try await Program.start(try systemProgram("mosquitto"), ["-c", file], directory: folder.path)
        _ = try? await mosquitto.errors.wait(for: "a start or an error", timeout: .seconds(2)) { lines in
            lines.contains { $0.contains("running") || $0.contains("Error") }
        }
        let log = await mosquitto.errors.lines
        await mosquitto.kill()
        #expect(!log.contains { $0.contains("Error found") || $0.contains("Unknown configuration") }, "\(log)")
    }
}

import FieldpostAgent
import Logging
import MQTT
import MQTTWire
import OpenSSLTransport
import Pipeline
import Sensing
import Settings
import StoreForward
import Testing
import Units
import Uplink

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite struct AgentConfigurationTests {
    func read(
        _ text: String, path: String = "/srv/bins.toml", isPublic: Bool = false, environment: [String: String] = [:]
    ) throws -> (configuration: AgentConfiguration, warnings: [Problem]) {
        try AgentConfiguration.read(
            text.utf8, path: path, isPublic: isPublic, environment: environment, hostName: "bin-7")
    }

    let smallest = "broker.servers = \"mqtt://broker.example\"\n"

    @Test func `A key in a token is named by its URI`() throws {
        let tls = try read(
            """
            [broker]
            servers = ["mqtts://broker.example"]
            [broker.tls]
            certificate_file = "bin.pem"
            key_file = "pkcs11:token=board;object=mqtt"
            pkcs11_module = "/usr/lib/softhsm/libsofthsm2.so"
            key_passphrase_file = "pin"
            """
        ).configuration.broker.tls
        guard case .pkcs11(let uri, let module, let pin) = tls.certificate?.privateKey else {
            Issue.record("\(String(describing: tls.certificate))")
            return
        }
        #expect(uri == "pkcs11:token=board;object=mqtt")
        #expect(module == "/usr/lib/softhsm/libsofthsm2.so")
        #expect(pin == .file("/srv/pin"))
    }

    @Test func `The smallest configuration has all defaults`() throws {
        let chosen = { (sensors: String) in
            try read(
                smallest + """
                    [uplink]
                    sensors = [\(sensors)]
                    [[sensor]]
                    name = "cpu"
                    driver = "thermal"
                    [[sensor]]
                    name = "fill"
                    expression = "cpu * 2"
                    [[alarm]]
                    name = "hot"
                    sensor = "cpu"
                    raise_above = 80
                    """
            ).warnings.map { "\($0.message): \($0.mend ?? "")" }
        }
        #expect(
            try chosen("\"fill\"") == [
                #"nobody is told of the alarm "hot": its sensor is in no uplink's sensors: write "cpu" into the sensors of one"#
            ])
        #expect(try chosen("\"fill\", \"cpu\"").isEmpty)
        let (configuration, warnings) = try read(smallest + "[[sensor]]\nname = \"cpu\"\ndriver = \"thermal\"\n")
        #expect(warnings.isEmpty)
        #expect(configuration.device.id == "bin-7")
        #expect(configuration.device.position == nil)

        let broker = configuration.broker
        #expect(broker.servers == [Endpoint(host: "broker.example", port: 1883)])
        #expect(broker.version == nil)
        #expect(broker.order == .listed)
        #expect(broker.returnAfter == .seconds(300))
        #expect(!broker.sharesSessions)
        #expect(broker.followsRedirects)
        #expect(broker.clientID == "bin-7")
        #expect(broker.username == nil)
        #expect(broker.password == nil)
        #expect(broker.keepAlive == .seconds(60))
        #expect(broker.connectTimeout == .seconds(10))
        #expect(broker.responseTimeout == .seconds(10))
        #expect(broker.sessionExpiry == .seconds(86_400))
        #expect(broker.maximumInFlight == 20)
        #expect(broker.reconnect.base == .seconds(1))
        #expect(broker.reconnect.cap == .seconds(120))
        #expect(broker.reconnect.stableAfter == .seconds(60))

        let queue = configuration.queue
        #expect(queue.path == "/srv/queue.db")
        #expect(queue.maximumSize == ByteCount(bytes: 64_000_000))
        #expect(queue.maximumRows == nil)
        #expect(queue.maximumAge == .seconds(30 * 86_400))
        #expect(queue.durability == .strict)
        #expect(queue.commitInterval == .milliseconds(50))
        #expect(queue.commitCount == 256)
        #expect(queue.backlog.order == .first)
        #expect(queue.backlog.mark == .none)
        #expect(queue.backlog.rate == nil)

        #expect(configuration.status.topic.string == "fieldpost/bin-7/status")
        #expect(configuration.status.every == .seconds(300))
        #expect(configuration.uplinks[0].topic.description == "fieldpost/{device}/{sensor}")
        #expect(configuration.uplinks[0].qos == .atLeastOnce)
        #expect(!configuration.uplinks[0].retain)
        #expect(!configuration.uplinks[0].sequence)
        #expect(configuration.log.level == .info)

        let sensor = try #require(configuration.sensors.first)
        #expect(configuration.sensors.count == 1)
        #expect(sensor.source?.name == "cpu")
        #expect(sensor.source?.every == .seconds(10))
        #expect(sensor.source?.timeout == .seconds(5))
        #expect(sensor.unit == nil)
        #expect(sensor.topic == nil)
        #expect(sensor.qos == nil)
        #expect(sensor.retain == nil)
        #expect(sensor.priority == .normal)
        #expect(sensor.expiry == nil)
    }

    @Test func `Everything can be told`() throws {
        let (configuration, warnings) = try read(
            """
            [device]
            id = "bin-0427"
            position = { latitude = 31.7036, longitude = 119 }
            [broker]
            servers = ["mqtt://a.example", "mqtt://10.0.0.1:1884/", "MQTT://[fe80::1%eth0]:1885", "mqtt://[::1]"]
            version = "5"
            order = "shuffled"
            shared_sessions = true
            follow_redirects = false
            client_id = "c"
            username = "${USER}"
            password = "${PASSWORD}"
            keep_alive = "65535s"
            connect_timeout = "1s"
            response_timeout = "2s"
            session_expiry = "30s"
            maximum_in_flight = 1
            maximum_qos = 1
            reconnect = { base = "20ms", cap = "1s", stable_after = "5s" }
            [queue]
            path = "/tmp/q.db"
            max_size = "1GiB"
            max_rows = 1000
            max_age = "1d"
            durability = "relaxed"
            commit_interval = "0s"
            commit_count = 1
            backlog = { order = "last", rate = 2.5, mark = "both" }
            [status]
            topic = "s/{device}"
            every = "1m"
            will_delay = "30s"
            [uplink]
            topic = "u/{sensor}/{channel}"
            qos = 2
            retain = true
            sequence = true
            [log]
            level = "debug"
            [[sensor]]
            name = "b"
            driver = "thermal"
            every = "1s"
            timeout = "100ms"
            unit = "K"
            topic = "own/{device}"
            qos = 0
            retain = false
            priority = "urgent"
            expiry = "1h"
            [[sensor]]
            name = "a"
            driver = "simulated"
            kind = "bin"
            """, environment: ["USER": "u", "PASSWORD": "pa$$word"])
        #expect(warnings.isEmpty)
        #expect(configuration.device.id == "bin-0427")
        #expect(configuration.device.position?.latitude == 31.7036)
        #expect(configuration.device.position?.longitude == 119)

        let broker = configuration.broker
        #expect(
            broker.servers.map(\.description) == [
                "mqtt://a.example:1883", "mqtt://10.0.0.1:1884", "mqtt://[fe80::1%eth0]:1885", "mqtt://[::1]:1883",
            ])
        #expect(broker.servers[2].host == "fe80::1%eth0")
        #expect(broker.version == .v5)
        #expect(broker.order == .shuffled)
        #expect(broker.sharesSessions)
        #expect(!broker.followsRedirects)
        #expect(broker.clientID == "c")
        #expect(broker.username == "u")
        #expect(broker.password == Secret("pa$$word".utf8))
        #expect(broker.keepAlive == .seconds(65_535))
        #expect(broker.connectTimeout == .seconds(1))
        #expect(broker.responseTimeout == .seconds(2))
        #expect(broker.sessionExpiry == .seconds(30))
        #expect(broker.maximumInFlight == 1)
        #expect(broker.maximumQoS == .atLeastOnce)
        #expect(broker.reconnect.base == .milliseconds(20))
        #expect(broker.reconnect.cap == .seconds(1))
        #expect(broker.reconnect.stableAfter == .seconds(5))

        let queue = configuration.queue
        #expect(queue.path == "/tmp/q.db")
        #expect(queue.maximumSize == ByteCount(bytes: 1 << 30))
        #expect(queue.maximumRows == 1000)
        #expect(queue.maximumAge == .seconds(86_400))
        #expect(queue.durability == .relaxed)
        #expect(queue.commitInterval == .zero)
        #expect(queue.commitCount == 1)
        #expect(queue.backlog.order == .last)
        #expect(queue.backlog.rate == 2.5)
        #expect(queue.backlog.mark == .both)
        #expect(configuration.status.willDelay == .seconds(30))

        #expect(configuration.status.topic.string == "s/bin-0427")
        #expect(configuration.status.every == .seconds(60))
        #expect(configuration.uplinks[0].qos == .exactlyOnce)
        #expect(configuration.uplinks[0].retain)
        #expect(configuration.uplinks[0].sequence)
        #expect(configuration.log.level == .debug)

        #expect(configuration.sensors.map(\.name) == ["b", "a"])
        let own = configuration.sensors[0], inherited = configuration.sensors[1]
        #expect(own.source?.every == .seconds(1))
        #expect(own.source?.timeout == .milliseconds(100))
        #expect(own.unit == "K")
        let ways = configuration.sensors.map { $0.route(configuration.uplinks[0]) }
        #expect(try ways[0].topic.topic(device: "d", sensor: "s").string == "own/d")
        #expect(ways[0].qos == .atMostOnce)
        #expect(!ways[0].retain)
        #expect(own.priority == .urgent)
        #expect(own.expiry == .seconds(3600))
        #expect(inherited.topic == nil)
        #expect(try ways[1].topic.topic(device: "d", sensor: "s", channel: "c").string == "u/s/c")
        #expect(ways[1].qos == .exactlyOnce)
        #expect(ways[1].retain)
    }

    @Test(
        "The queue lies where its owner looks for it",
        arguments: [
            ("/srv/a/bins.toml", "queue.db", [:], "/srv/a/queue.db"),
            ("bins.toml", "queue.db", [:], "./queue.db"),
            ("/bins.toml", "queue.db", [:], "/queue.db"),
            ("/etc/fieldpost/fieldpost.toml", "queue.db", [:], "/var/lib/fieldpost/queue.db"),
            ("/etcetera/fieldpost.toml", "queue.db", [:], "/etcetera/queue.db"),
            ("/etc/f.toml", "queue.db", ["STATE_DIRECTORY": "/var/lib/x:/var/lib/y"], "/var/lib/x/queue.db"),
            ("/etc/f.toml", "/q.db", ["STATE_DIRECTORY": "/var/lib/x"], "/q.db"),
            ("/srv/f.toml", "${HOME}/q.db", ["HOME": "/root"], "/root/q.db"),
        ] as [(String, String, [String: String], String)])
    func queuePath(file: String, path: String, environment: [String: String], expected: String) throws {
        let text = smallest + "queue.path = \"\(path)\"\nsensor = []\n"
        #expect(try read(text, path: file, environment: environment).configuration.queue.path == expected)
    }

    @Test func `Names that a platform would mix up are worth a warning`() throws {
        func sensors(_ names: String...) -> String {
            names.map { "[[sensor]]\nname = \"\($0)\"\ndriver = \"thermal\"\n" }.joined()
        }
        let senML = smallest + "[uplink]\nprofile = \"senml\"\n"
        #expect(
            try read(senML + sensors("温度", "湿度")).warnings.map(\.message) == [
                #""senml" would tell of "温度" and "湿度" under one name, "__""#
            ])
        #expect(try read(senML + sensors("a-b", "a_b")).warnings.isEmpty)
        #expect(try read(smallest + sensors("温度", "湿度")).warnings.isEmpty)
    }

    @Test func `S2: a password that every user can read is worth a warning`() throws {
        let text = smallest + "broker.username = \"u\"\nbroker.password = \"secret\"\nsensor = []"
        #expect(
            try read(text, isPublic: true).warnings.map(\.description) == [
                "3:19: warning: broker.password: every user can read this file: take the password out into a password_file"
            ])
        #expect(try read(text).warnings.isEmpty)
        let fromOutside = smallest + "broker.password = \"${P}\"\nsensor = []"
        #expect(try read(fromOutside, isPublic: true, environment: ["P": "secret"]).warnings.isEmpty)
    }

    @Test(arguments: [("auto", nil), ("5", .v5), ("3.1.1", .v3_1_1)] as [(String, ProtocolVersion?)])
    func `A version can be left to the client`(word: String, version: ProtocolVersion?) throws {
        let text = smallest + "broker.version = \"\(word)\"\n"
        #expect(try read(text).configuration.broker.version == version)
    }

    @Test func `A way back can be long, or none at all`() throws {
        let text = "broker.servers = [\"mqtt://a\", \"mqtt://b\"]\nbroker.return_after = "
        #expect(try read(text + "\"1h\"").configuration.broker.returnAfter == .seconds(3600))
        #expect(try read(text + "\"0s\"").configuration.broker.returnAfter == nil)
    }

    @Test func `S2: no answer repeats a secret`() {
        let text = """
            [broker]
            servers = ["mqtt://user:sesame@host", "mqtts://user:ses/ame@host", "user:sesame@host"]
            password = 1234567
            username = "u"
            """
        let error = #expect(throws: ConfigurationErrors.self) { try read(text) }
        #expect(error?.problems.count == 5)
        #expect(error?.description.contains("sesame") == false)
        #expect(error?.description.contains("ses/ame") == false)
        #expect(error?.description.contains("1234567") == false)
    }

    @Test func `A file that cannot be read is told`() {
        func answer(_ path: String) -> ConfigurationErrors? {
            #expect(throws: ConfigurationErrors.self) { try AgentConfiguration.load(path: path) }
        }
        let missing = answer("/nowhere/bins.toml")
        #expect(missing?.cause == .unreadable)
        #expect(missing?.description == "/nowhere/bins.toml: does not exist")
        #expect(answer("/tmp")?.description == "/tmp: is no regular file")
    }

    @Test func `A file is loaded, with secrets from beside it`() throws {
        var template = Array("/tmp/fieldpost-config-XXXXXX".utf8CString)
        let directory = String(cString: try #require(mkdtemp(&template)))
        defer {
            for name in ["bins.toml", "password"] { remove("\(directory)/\(name)") }
            rmdir(directory)
        }
        func write(_ text: String, to name: String) throws {
            let file = try #require(fopen("\(directory)/\(name)", "wxe"))
            defer { fclose(file) }
            try #require(fchmod(fileno(file), 0o600) == 0)
            try #require(fputs(text, file) >= 0)
        }
        try write("secret\n", to: "password")
        try write(smallest + "broker.password_file = \"password\"\nsensor = []\n", to: "bins.toml")
        let (configuration, warnings) = try AgentConfiguration.load(path: "\(directory)/bins.toml")
        #expect(warnings.isEmpty)
        #expect(configuration.broker.password == Secret("secret".utf8))
        #expect(configuration.queue.path == "\(directory)/queue.db")
        #expect(!configuration.device.id.isEmpty)
    }

    @Test func `The example of all drivers has each of them`() throws {
        let repository = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let (configuration, warnings) = try AgentConfiguration.load(path: "/\(repository)/Config/sensors.toml")
        #expect(warnings == [])
        let drivers = Set(configuration.sensors.compactMap(\.source).map { type(of: $0.driver).name })
        #expect(drivers == Set(AgentDrivers.registry.names))
    }

    @Test func `The example's bins have a depth, a fill and an alarm`() throws {
        let repository = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
        let (configuration, warnings) = try AgentConfiguration.load(path: "/\(repository)/Config/garbage-bins.toml")
        #expect(warnings.isEmpty)
        #expect(
            configuration.sensors.map(\.name) == [
                "distance-1", "bin-1", "distance-2", "bin-2", "bin-3", "load", "memory",
            ])
        #expect(configuration.sensors.filter { $0.source == nil }.map(\.name) == ["bin-1", "bin-2"])
        #expect(configuration.alarms.map(\.sensor) == ["bin-1", "bin-2", "bin-3"])
    }

    @Test func `The environment is this process's`() {
        let path = getenv("PATH").map { String(cString: $0) }
        #expect(path != nil)
        #expect(AgentConfiguration.currentEnvironment["PATH"] == path)
    }
}

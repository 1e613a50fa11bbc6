import FieldpostAgent
import Sensing
import Settings
import Testing
import Uplink

/// Each broken configuration and the whole answer that its owner gets.
@Suite struct BrokenConfigurationTests {
    /// The complete answer to `text`; what is not under test is filled in so that it is right.
    func answer(
        _ text: String, broker: String = "servers = [\"mqtt://localhost\"]", sensor: String? = nil
    ) -> String {
        var whole = text.isEmpty ? "" : text + "\n"
        if !text.contains("[broker]") { whole += "[broker]\n\(broker)\n" }
        if !text.contains("sensor") || sensor != nil {
            whole += "[[sensor]]\nname = \"fill\"\ndriver = \"simulated\"\nkind = \"bin\"\n\(sensor ?? "")\n"
        }
        do {
            let result = try AgentConfiguration.read(
                whole.utf8, path: "bins.toml", environment: ["HOME": "/root"], hostName: "bin-7")
            return result.warnings.map { $0.line(file: "bins.toml") }.joined(separator: "\n")
        } catch {
            return error.description
        }
    }

    @Test func `A duration without its unit`() {
        #expect(
            answer("", sensor: "every = \"10\"")
                == #"bins.toml:7:9: sensor[1].every: "10" has no unit: write "10s""#)
        #expect(
            answer("", sensor: "every = 10")
                == #"bins.toml:7:9: sensor[1].every: 10 has no unit: write "10s""#)
    }

    @Test func `A duration without quotes`() {
        #expect(
            answer("", sensor: "every = 10s")
                == #"bins.toml:7:11: no TOML (decimal integer): expected digit, saw 's': a value with letters stands in quotes, as in "10s""#
        )
    }

    @Test func `An unknown key`() {
        #expect(
            answer("", sensor: "evry = \"10s\"")
                == #"bins.toml:7:1: sensor[1].evry: unknown key: did you mean "every"?"#)
    }

    @Test func `An unknown table`() {
        #expect(
            answer("[[sensors]]\nname = \"fill\"") == """
                bins.toml:1:1: warning: sensor: there is none: write one under [[sensor]]
                bins.toml:1:3: sensors: unknown key: did you mean "sensor"?
                """)
    }

    @Test func `Two sensors of one name`() {
        #expect(
            answer("[[sensor]]\nname = \"fill\"\ndriver = \"thermal\"", sensor: "")
                == #"bins.toml:7:8: sensor[2].name: "fill" is the name of sensor[1] too: give each sensor its own"#)
    }

    @Test func `Values of the wrong type, and two problems at once`() {
        #expect(
            answer("", sensor: "qos = \"1\"\nretain = 1") == """
                bins.toml:7:7: sensor[1].qos: is a string: expected is an integer
                bins.toml:8:10: sensor[1].retain: is an integer: expected is true or false
                """)
    }

    @Test func `A broker that is missing`() {
        #expect(
            answer("[[sensor]]\nname = \"cpu\"\ndriver = \"thermal\"\n[broker]") == #"""
                bins.toml:4:1: broker.servers: is missing: write servers = ["mqtt://host:1883"]
                """#)
        let empty = #expect(throws: ConfigurationErrors.self) {
            try AgentConfiguration.read([], path: "bins.toml", hostName: "bin-7")
        }
        #expect(
            empty?.description == #"""
                bins.toml:1:1: broker: is missing: write [broker], and under it servers = ["mqtt://host:1883"]; or [server], for a broker of its own
                bins.toml:1:1: warning: sensor: there is none: write one under [[sensor]]
                """#)
    }

    private static let drivers = AgentDrivers.registry.names.joined(separator: ", ")

    @Test func `A sensor that lacks what it needs`() {
        #expect(
            answer("[[sensor]]\nevery = \"1s\"\n[[sensor]]\nname = \"load\"\ndriver = \"file\"") == """
                bins.toml:1:1: sensor[1].name: is missing
                bins.toml:1:1: sensor[1].driver: is missing: possible are \(Self.drivers)
                bins.toml:3:1: sensor[2].path: is missing
                """)
    }

    @Test func `An unknown driver, whose settings mean nothing then`() {
        #expect(
            answer("[[sensor]]\nname = \"cpu\"\ndriver = \"termal\"\nzone = \"cpu\"")
                == #"bins.toml:3:10: sensor[1].driver: "termal" is no driver: did you mean "thermal"? (possible are \#(Self.drivers))"#
        )
    }

    @Test func `Topic templates that cannot be`() {
        #expect(
            answer(
                """
                uplink.topic = "park/{device}/{sensr}"
                status.topic = "park/{sensor}"
                """, sensor: "topic = \"park/+/{sensor}\"") == """
                    bins.toml:1:16: uplink.topic: "park/{device}/{sensr}" has the unknown placeholder {sensr}: possible here: {device}, {sensor}, {channel}
                    bins.toml:2:16: status.topic: "park/{sensor}" has the unknown placeholder {sensor}: possible here: {device}
                    bins.toml:9:9: sensor[1].topic: "park/+/{sensor}" is no topic: take out + and #, which only subscriptions have
                    """)
        #expect(
            answer("uplink.topic = \"park/{device\"\nstatus.topic = \"\"") == """
                bins.toml:1:16: uplink.topic: "park/{device" has a brace without its partner: write placeholders as in {device}
                bins.toml:2:16: status.topic: "" is no topic: write at least one level
                """)
    }

    @Test func `Readings that would overwrite the status`() {
        #expect(
            answer("[[sensor]]\nname = \"status\"\ndriver = \"thermal\"")
                == "bins.toml:2:8: sensor[1].name: its readings would go to the status's topic fieldpost/bin-7/status: give one of them another"
        )
    }

    @Test func `TLS that cannot be`() {
        #expect(
            answer(
                "",
                broker: """
                    servers = ["mqtts://broker.example"]
                    [broker.tls]
                    ca_file = "ca.pem"
                    ca_folder = "cas"
                    certificate_file = "bin.pem"
                    minimum_version = "1.1"
                    verify = "none"
                    psk_identity = "bin"
                    psk = "12x4"
                    insecure = true
                    """)
                    == """
                    bins.toml:5:13: broker.tls.ca_folder: stands beside ca_file: keep one of them
                    bins.toml:6:20: broker.tls.certificate_file: stands without a key_file: a certificate and its key go together
                    bins.toml:7:19: broker.tls.minimum_version: "1.1" is not possible: did you mean "1.2"? (possible are 1.2, 1.3)
                    bins.toml:8:10: broker.tls.verify: "none" is not possible: possible are full, without-host-name, insecure-nothing
                    bins.toml:10:7: broker.tls.psk: is not hexadecimal: write it with an even number of the digits 0 to 9 and a to f
                    bins.toml:11:1: broker.tls.insecure: unknown key: known here are also alpn, crl_file, key_file, key_passphrase_file, pkcs11_module, psk_file
                    """)
    }

    @Test func `Server URLs that cannot be, each in its place`() {
        let servers = """
            servers = ["mqtt://ok", "wss://broker.example/path",
            "mqtt://me:secret@host",
            "http://host",
            "host",
            "mqtt://host:99999",
            "mqtt://::1",
            "mqtt://a host",
            "mqtt://",
            "mqtt://host/path",
            "mqtt://[::g]"]
            """
        #expect(
            answer("", broker: servers) == """
                bins.toml:3:1: broker.servers[3]: a URL holds no user here: use "username" and "password_file"
                bins.toml:4:1: broker.servers[4]: "http://" is no broker's scheme: write one like "mqtt://broker.example:1883"
                bins.toml:5:1: broker.servers[5]: "host" is no broker's URL: write one like "mqtt://broker.example:1883"
                bins.toml:6:1: broker.servers[6]: "mqtt://host:99999" has no valid port: a port is 1 to 65535
                bins.toml:7:1: broker.servers[7]: "mqtt://::1" has too many colons: write an IPv6 address in brackets: "mqtt://[::1]:1883"
                bins.toml:8:1: broker.servers[8]: "a host" is no host name: write one like "mqtt://broker.example:1883"
                bins.toml:9:1: broker.servers[9]: "mqtt://" has no host: write one like "mqtt://broker.example:1883"
                bins.toml:10:1: broker.servers[10]: "mqtt://host/path" goes on behind the port: write one like "mqtt://broker.example:1883"
                bins.toml:11:1: broker.servers[11]: "mqtt://[::g]" has no IPv6 address in its brackets: write it as in "[::1]"
                """)
        #expect(
            answer("", broker: "servers = []")
                == "bins.toml:2:11: broker.servers: is empty: name one server at least")
    }

    @Test func `An environment variable that is not set`() {
        #expect(
            answer("", broker: "servers = \"mqtt://${BROKER}\"")
                == #"bins.toml:2:11: broker.servers: the environment variable BROKER is not set: set it, or write "$${" if "${" is meant"#
        )
    }

    @Test func `Syntax errors`() {
        #expect(
            answer("[device\nid = \"bin-1\"")
                == #"bins.toml:1:8: no TOML (table header): expected ']', saw '\n'"#)
        #expect(
            answer("[device]\nid = bin-1")
                == #"bins.toml:2:6: no TOML (value): could not determine value type: a value with letters stands in quotes, as in "10s""#
        )
        #expect(
            answer("[device]\n[device]")
                == "bins.toml:2:1: no TOML (table header): cannot redefine existing table 'device'")
    }

    @Test func `A password twice, and one without a user`() {
        let server = "servers = \"mqtt://localhost\"\n"
        #expect(
            answer("", broker: server + "password = \"a\"\npassword_file = \"b\"")
                == #"bins.toml:4:17: broker.password_file: stands beside "password": keep one of them"#)
        #expect(
            answer("", broker: server + "version = \"3.1.1\"\npassword = \"a\"")
                == "bins.toml:4:12: broker.password: stands without a username: write one; only version 5 can do without"
        )
        #expect(
            answer("", broker: server + "password_file = \"/nowhere/password\"")
                == "bins.toml:3:17: broker.password_file: /nowhere/password does not exist")
    }

    @Test func `An order that cannot be, and one that has no meaning`() {
        let two = "servers = [\"mqtt://a\", \"mqtt://b\"]\n"
        #expect(
            answer("", broker: two + "order = \"random\"\nreturn_after = \"5\"\nshared_sessions = 1") == """
                bins.toml:3:9: broker.order: "random" is not possible: possible are listed, shuffled
                bins.toml:4:16: broker.return_after: "5" has no unit: write "5s"
                bins.toml:5:19: broker.shared_sessions: is an integer: expected is true or false
                """)
        #expect(
            answer("", broker: two + "order = \"shuffled\"\nreturn_after = \"1m\"")
                == #"bins.toml:4:16: warning: broker.return_after: shuffled servers have none to return to: leave it out, or write order = "listed""#
        )
        #expect(
            answer("", broker: "servers = \"mqtt://a\"\norder = \"listed\"\nreturn_after = \"1m\"") == """
                bins.toml:3:9: warning: broker.order: there is only one server: leave it out, or name another server
                bins.toml:4:16: warning: broker.return_after: there is only one server: leave it out, or name another server
                """)
    }

    @Test func `What has no meaning in the version that is spoken, or beside another setting`() {
        let old = "servers = \"mqtt://a\"\nversion = \"3.1.1\"\nfollow_redirects = true"
        #expect(
            answer("[queue]\nbacklog = { mark = \"both\" }\n[status]\nwill_delay = \"1m\"", broker: old) == """
                bins.toml:2:20: warning: queue.backlog.mark: version 3.1.1 has no user properties: write "payload"
                bins.toml:4:14: warning: status.will_delay: version 3.1.1 knows none: leave it out
                bins.toml:8:20: warning: broker.follow_redirects: version 3.1.1 knows no redirects: leave it out
                """)
        let short = "servers = \"mqtt://a\"\nsession_expiry = \"1m\""
        #expect(answer("[status]\nwill_delay = \"1m\"", broker: short) == "")
        #expect(
            answer("[status]\nwill_delay = \"61s\"", broker: short)
                == "bins.toml:2:14: warning: status.will_delay: the will comes with the session's end, after 1m: write a longer session_expiry under [broker], or a shorter delay"
        )
    }

    @Test func `Numbers and quantities out of their range`() {
        let broker = """
            servers = "mqtt://localhost"
            keep_alive = "500ms"
            session_expiry = "1.5s"
            maximum_in_flight = 0
            reconnect = { base = "10s", cap = "5s" }
            version = "4"
            client_id = ""
            """
        #expect(
            answer("", broker: broker, sensor: "every = \"1ms\"\npriority = \"hihg\"\nexpiry = 5") == """
                bins.toml:3:14: broker.keep_alive: 500ms is out of range: allowed is 1s to 18h12m15s
                bins.toml:4:18: broker.session_expiry: 1.5s is no whole number of seconds: MQTT counts it in seconds
                bins.toml:5:21: broker.maximum_in_flight: 0 is out of range: allowed is 1 to 32768
                bins.toml:6:35: broker.reconnect.cap: the cap (5s) is below the base (10s): exchange them
                bins.toml:7:11: broker.version: "4" is not possible: possible are auto, 5, 3.1.1
                bins.toml:8:13: broker.client_id: is empty: leave it out to use the device's id
                bins.toml:13:9: sensor[1].every: 1ms is out of range: allowed is 10ms to 30d
                bins.toml:14:12: sensor[1].priority: "hihg" is not possible: did you mean "high"? (possible are low, normal, high, urgent)
                bins.toml:15:10: sensor[1].expiry: 5 has no unit: write "5s"
                """)
    }

    @Test func `A queue and a log that cannot be`() {
        let text = """
            [queue]
            path = "queue/"
            max_size = "64M"
            max_age = "30"
            max_rows = 0
            durability = "lax"
            [log]
            level = "warn"
            """
        #expect(
            answer(text) == """
                bins.toml:2:8: queue.path: "queue/" is no file's name: write one like "queue.db"
                bins.toml:3:12: queue.max_size: "64M" could count in thousands or in 1024s: write "64MB" or "64MiB"
                bins.toml:4:11: queue.max_age: "30" has no unit: write "30s"
                bins.toml:5:12: queue.max_rows: 0 is out of range: allowed is 1 and more
                bins.toml:6:14: queue.durability: "lax" is not possible: possible are strict, relaxed
                bins.toml:8:9: log.level: "warn" is not possible: possible are trace, debug, info, notice, warning, error, critical
                """)
    }

    @Test func `A device whose name is no part of a topic, and that stands nowhere`() {
        #expect(
            answer("[device]\nid = \"park/7\"\nposition = { latitude = 131.7 }") == """
                bins.toml:2:6: device.id: "park/7" holds "/": it becomes a part of topics: use letters, digits, - and _
                bins.toml:3:12: device.position.longitude: is missing
                bins.toml:3:25: device.position.latitude: 131.7 is out of range: allowed is -90 to 90
                """)
    }

    @Test func `A host name that cannot be the device's`() {
        let error = #expect(throws: ConfigurationErrors.self) {
            try AgentConfiguration.read(
                "broker.servers = \"mqtt://localhost\"\nsensor = []".utf8, path: "bins.toml", hostName: "")
        }
        #expect(
            error?.description
                == "bins.toml:1:1: device.id: is missing, and the host name is empty: write id = \"…\" under [device]")
    }

    @Test func `Control characters in an answer are escaped`() {
        #expect(
            answer("[device]\nid = \"a\\u001B[2J/\\n\"")
                == #"bins.toml:2:6: device.id: "a\u{1B}[2J/\n" holds "/": it becomes a part of topics: use letters, digits, - and _"#
        )
    }

    @Test func `S3: an answer has an end`() {
        let lines = answer((0..<5000).map { "k\($0) = 1" }.joined(separator: "\n")).split(separator: "\n")
        #expect(lines.count == 101)
        #expect(
            lines.first
                == "bins.toml:1:1: k0: unknown key: known here are also alarm, bridge, commands, device, listener, log, queue, server, status, uplink"
        )
        #expect(lines.last == "bins.toml: and 4900 more")
    }

    @Test func `Tables that are none`() {
        #expect(
            answer("broker = 1 # [broker]\nsensor = 1\nlog = []") == """
                bins.toml:1:10: broker: is an integer: expected is a table
                bins.toml:2:10: sensor: is an integer: expected is an array of tables, each under [[sensor]]
                bins.toml:3:7: log: is an array: expected is a table
                """)
    }
}

import Testing

@testable import Sensing

@Suite struct NetDriverTests {
    private static func counters(_ tree: FakeTree, _ interface: String, _ received: UInt64, _ sent: UInt64) throws {
        for name in ["bytes", "packets", "errors", "dropped"] {
            let share: UInt64 = name == "bytes" ? 1 : name == "packets" ? 100 : 1_000_000_000_000
            try tree.write("/sys/class/net/\(interface)/statistics/rx_\(name)", "\(received / share)\n")
            try tree.write("/sys/class/net/\(interface)/statistics/tx_\(name)", "\(sent / share)\n")
        }
    }

    private static func machine() throws -> FakeTree {
        let tree = try FakeTree([
            "/sys/class/net/eth0/operstate": "up\n", "/sys/class/net/eth0/carrier": "1\n",
            "/sys/class/net/eth0/speed": "100\n", "/sys/class/net/eth0/ifindex": "2\n",
            "/sys/class/net/wlan0/operstate": "dormant\n", "/sys/class/net/wlan0/carrier": "1\n",
            "/sys/class/net/wlan0/ifindex": "3\n", "/sys/class/net/lo/operstate": "unknown\n",
            "/proc/net/wireless": """
            Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
             face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
             wlan0: 0000   54.  -61.  -256        0      0      0      0      0        0

            """,
        ])
        for interface in ["eth0", "wlan0"] {
            try tree.link("/sys/class/net/\(interface)/device", to: "../../../\(interface)-device")
            try counters(tree, interface, 1_000_000, 50_000)
        }
        return tree
    }

    /// A driver whose clock the test turns.
    private static func driver(_ options: Options, in tree: FakeTree) throws -> (Probe<NetDriver>, Shared<Duration>) {
        let probe = try make(NetDriver.self, options, in: tree)
        let elapsed = Shared(Duration.zero)
        let start = ContinuousClock.now
        probe.driver.clock = { start + elapsed.current }
        return (probe, elapsed)
    }

    @Test("Counters become rates, of which the first read has none") func rates() throws {
        let tree = try Self.machine()
        let (driver, elapsed) = try Self.driver(["interface": "eth0"], in: tree)
        #expect(try driver.values() == ["state": "up", "carrier": "true", "speed": "100.0 Mbit/s"])
        try Self.counters(tree, "eth0", 1_020_000, 51_000)
        elapsed.change { $0 = .seconds(10) }
        #expect(
            try driver.values() == [
                "state": "up", "carrier": "true", "speed": "100.0 Mbit/s", "received": "2000.0 B/s",
                "sent": "100.0 B/s",
                "received_packets": "20.0 packets/s", "sent_packets": "1.0 packets/s",
                "received_errors": "0.0 packets/s",
                "sent_errors": "0.0 packets/s", "received_dropped": "0.0 packets/s", "sent_dropped": "0.0 packets/s",
            ])
    }

    @Test("Counters that were reset give no rate once, and neither does another interface of the same name")
    func resets() throws {
        let tree = try Self.machine()
        let (driver, elapsed) = try Self.driver(["interface": "eth0", "channel": "received"], in: tree)
        func values(_ received: UInt64, at seconds: Int) throws -> [String: String] {
            try Self.counters(tree, "eth0", received, 0)
            elapsed.change { $0 = .seconds(seconds) }
            return try driver.values()
        }
        #expect(try values(4_294_967_000, at: 0) == [:])
        #expect(try values(4_294_967_100, at: 1) == ["": "100.0 B/s"])
        #expect(try values(200, at: 2) == [:])
        #expect(try values(700, at: 3) == ["": "500.0 B/s"])
        try tree.write("/sys/class/net/eth0/ifindex", "9\n")
        #expect(try values(9_000_000_000, at: 4) == [:])
        #expect(try values(9_000_000_001, at: 5) == ["": "1.0 B/s"])
    }

    @Test("By default all devices are read, and no loopback, each channel with its interface") func all() throws {
        let tree = try Self.machine()
        let (driver, _) = try Self.driver(["channel": ["state", "signal"]], in: tree)
        #expect(
            try driver.values()
                == ["eth0.state": "up", "wlan0.state": "dormant", "wlan0.signal": "-61.0 dBm"])
        let (wired, _) = try Self.driver(["interface": "eth0", "channel": "signal"], in: tree)
        #expect(wired.failure()?.problem == #"has no channel "signal""#)
        let (loop, _) = try Self.driver(["interface": "lo", "channel": "state"], in: tree)
        #expect(try loop.values() == ["": "unknown"])
    }

    @Test("An interface that is not there fails alone, and comes back") func missing() throws {
        let tree = try Self.machine()
        let (driver, _) = try Self.driver(["interface": ["eth0", "wwan0"], "channel": "state"], in: tree)
        let error = try #require(driver.failure())
        #expect(error.text(in: tree) == #"/sys/class/net has no interface "wwan0"; it has eth0, lo, wlan0"#)
        #expect(error.measured == [Measurement(channel: "eth0.state", .text("up"))])
        try tree.write("/sys/class/net/wwan0/operstate", "up\n")
        #expect(try driver.values() == ["eth0.state": "up", "wwan0.state": "up"])
        #expect(
            try make(NetDriver.self, [:], in: try FakeTree(["/sys/class/net/lo/operstate": "up"])).failure()?.kind
                == .missing)
    }

    @Test("An interface that is switched off has no carrier, whatever the file says") func off() throws {
        let tree = try FakeTree(["/sys/class/net/eth0/operstate": "down\n"])
        let driver = try make(NetDriver.self, ["interface": "eth0", "channel": "carrier"], in: tree)
        #expect(try driver.values() == ["": "false"])
        try tree.write("/sys/class/net/eth0/operstate", "up\n")
        #expect(driver.failure()?.kind == .missing)
    }

    @Test(
        "Only a negative level is a signal in dBm",
        arguments: [
            (" wlan0: 0000   54.  -56.  -256   0 0 0 0 0 0", -56.0), ("wlan0: 0000 54. -56 -256", -56),
            (" wlan0: 0000   54.  40.  0", nil), (" wlan0: 0000", nil), ("wlan0", nil), ("", nil),
            (" wlan0: 0000 x y z", nil), (" wlan0: 0000 0. -256. -256.", nil), (" wlan1: 0000 54. -56. -256", nil),
        ] as [(String, Double?)])
    func signals(line: String, level: Double?) {
        #expect(WirelessSignals("head\nhead\n\(line)\n")["wlan0"] == level)
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: NetDriver.self, ["interface": [], "channel": "rx", "every": 1]) == [
                "2:13: sensor[1].interface: is empty: leave it out for all interfaces",
                #"3:11: sensor[1].channel: "rx" is no channel: possible are state, carrier, speed, signal, received, sent, received_packets, sent_packets, received_errors, sent_errors, received_dropped, sent_dropped"#,
                "4:1: sensor[1].every: unknown key",
            ])
    }
}

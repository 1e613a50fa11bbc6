internal import Logging
internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import Pipeline
internal import Sensing
internal import Settings
internal import StoreForward
internal import Units
internal import Uplink

extension AgentConfiguration {
    /// - Returns: nil only after an error; what comes out after one counts for nothing.
    init?(_ root: SettingsReader, _ surroundings: Surroundings) {
        let device = Device(root, hostName: surroundings.hostName)
        log = Log(root.table("log"))
        server = BrokerConfiguration(root, stateDirectory: surroundings.stateDirectory)
        server?.log.level = log.level
        let uplinkReader = UplinkReader(
            device: device.id, isPublic: surroundings.isPublic, stateDirectory: surroundings.stateDirectory)
        var uplinks = uplinkReader.uplinks(root)
        var givenQueue: Queue?
        if server == nil, !root.has("broker") {
            if let index = uplinks.firstIndex(where: { $0.broker != nil }), uplinks.allSatisfy({ $0.broker != nil }) {
                // The first one's connection is the agent's, which has its queue and its name.
                broker = uplinks[index].broker ?? Broker(nil, device: device.id, isPublic: false)
                uplinks[index].broker = nil
                givenQueue = uplinks[index].queue
                uplinks[index].queue = nil
                if givenQueue != nil, root.has("queue") {
                    root.problem(
                        at: "queue", message: "stands beside that of \"\(uplinks[index].name)\", which is the same",
                        mend: "leave one of them out")
                }
            } else {
                root.require(
                    "broker",
                    mend:
                        #"write [broker], and under it servers = ["mqtt://host:1883"]; or [server], for a broker of its own"#
                )
                broker = Broker(nil, device: device.id, isPublic: false)
            }
        } else {
            let table = root.table("broker")
            broker = Broker(table, device: device.id, isPublic: surroundings.isPublic)
            for uplink in uplinks where uplink.broker == nil {
                if let table {
                    uplink.profile.refuse(table)
                } else if case .oneNET = uplink.profile {
                    root.problem(
                        at: "uplink", message: "\"\(uplink.name)\" has no broker: the one of [server] is not OneNET",
                        mend: #"write [uplink.broker] under it, and servers = ["mqtts://mqttstls.heclouds.com:8883"]"#)
                }
            }
        }
        let queue =
            givenQueue
            ?? Queue(root.table("queue"), stateDirectory: surroundings.stateDirectory, version: broker.version)
        for index in uplinks.indices where uplinks[index].broker != nil && uplinks[index].queue == nil {
            var own = queue
            own.path = "\(surroundings.stateDirectory)/\(uplinks[index].queueName)"
            uplinks[index].queue = own
        }
        self.queue = queue
        self.uplinks = uplinks
        let status = Status(root.table("status"), device: device.id, broker: broker)
        bridges = BridgeRule.read(root, device: device.id, server: server, broker: broker)

        let logger = Service.logger(log.level)
        let plain = uplinks.first(where: \.profile.isPlain) ?? Uplink()
        var owners: [String: String] = [:]
        var readers: [(sensor: Sensor, settings: SettingsReader)] = []
        sensors = root.tables("sensor").compactMap { settings in
            let sensor = Sensor(settings, registry: surroundings.registry, logger: logger)
            if let name = settings.string("name") {
                if let owner = owners[name] {
                    settings.problem(
                        at: "name", message: "\"\(name)\" is the name of \(owner) too", mend: "give each sensor its own"
                    )
                }
                owners[name] = owners[name] ?? settings.keyPath
            }
            if !device.id.isEmpty, let sensor,
                let topic = try? sensor.route(plain).topic.topic(device: device.id, sensor: sensor.name),
                topic == status?.topic
            {
                settings.problem(
                    at: settings.has("topic") ? "topic" : "name",
                    message: "its readings would go to the status's topic \(topic)", mend: "give one of them another")
            }
            if let sensor { readers.append((sensor, settings)) }
            return sensor
        }
        let sensors = sensors
        // A sensor with an error of its own must not seem to be missing, too.
        let broken = owners.keys.filter { name in !sensors.contains { $0.name == name } }.map {
            PipelineSensor(name: $0)
        }
        for finding in Pipeline.check(sensors.map(\.processing) + broken) {
            let settings = readers.first { $0.sensor.name == finding.sensor }?.settings
            settings?.problem(at: "expression", message: finding.message, mend: finding.mend)
        }
        Self.checkForEchoes(readers, plain, device: device.id, server: server)
        alarms = AlarmRule.read(root, sensors: Array(owners.keys))
        if let settings = root.table("commands") {
            commands = CommandSettings(settings, device: device.id) { name in
                sensors.first { $0.name == name }.map(\.isOutput)
            }
        }
        uplinkReader.check(uplinks, (broker, queue), bridges: !bridges.isEmpty, root)
        if !root.has("sensor"), bridges.isEmpty {
            root.warning(at: "sensor", message: "there is none", mend: "write one under [[sensor]]")
        }
        guard let status else { return nil }
        self.device = device
        self.status = status
        checkNames(ofUplinks: root)
    }

    /// A sensor that reads what the agent says would make the agent say it again, for ever.
    private static func checkForEchoes(
        _ sensors: [(sensor: Sensor, settings: SettingsReader)], _ plain: Uplink, device: String,
        server: BrokerConfiguration?
    ) {
        let ports = (server?.server.listeners ?? []).compactMap { listener -> Int? in
            guard case .tcp(_, let port) = listener.address else { return nil }
            return port
        }
        for (reader, settings) in sensors {
            guard let driver = reader.source?.driver as? MQTTDriver, driver.mayHear(portsOfThisMachine: ports) else {
                continue
            }
            for (sensor, _) in sensors {
                let name = sensor.name
                guard let topic = try? sensor.route(plain).topic.topic(device: device, sensor: name),
                    let filter = driver.filters.first(where: { $0.matches(topic) })
                else { continue }
                settings.problem(
                    at: "subscribe", message: "\(filter) takes in \(topic), where the readings of \"\(name)\" go",
                    mend: "subscribe to less, or give that sensor another topic")
                break
            }
        }
    }
}

extension AgentConfiguration.Device {
    init(_ root: SettingsReader, hostName: String) {
        let settings = root.table("device")
        id = ""
        if let given = settings?.parsed("id", TopicLevel.check) {
            id = given
        } else if settings?.has("id") != true {
            do {
                id = try TopicLevel.check(hostName)
            } catch {
                (settings ?? root).problem(
                    at: settings == nil ? "device.id" : "id", message: "is missing, and the host name \(error.message)",
                    mend: #"write id = "…" under [device]"#)
            }
        }
        clockWait = settings?.duration("clock_wait", in: .zero ... .seconds(86_400)) ?? clockWait
        if let place = settings?.table("position") {
            place.require("latitude")
            place.require("longitude")
            if let latitude = place.number("latitude", in: -90...90),
                let longitude = place.number("longitude", in: -180...180)
            {
                position = Position(latitude: latitude, longitude: longitude)
            }
        }
    }
}

extension AgentConfiguration.Broker {
    init(_ settings: SettingsReader?, device: String, isPublic: Bool) {
        clientID = device
        guard let settings else { return }
        settings.require("servers", mend: #"write servers = ["mqtt://host:1883"]"#)
        if let servers = settings.parsedAll("servers", Endpoint.init(parsing:)) {
            self.servers = servers
            if servers.isEmpty {
                settings.problem(at: "servers", message: "is empty", mend: "name one server at least")
            }
        }
        if let table = settings.table("tls") {
            tls = TLSSettings.read(table)
            if !servers.isEmpty, !servers.contains(where: \.transport.isSecure) {
                settings.warning(
                    at: "tls", message: "no server is reached over TLS", mend: "write mqtts:// in the place of mqtt://")
            }
        }
        version = settings.choice("version", of: ["auto": nil, "5": .v5, "3.1.1": .v3_1_1]) ?? version
        readEndpointChoice(settings)
        clientID = settings.parsed("client_id", Self.checkClientID) ?? clientID
        username = settings.parsed("username", Self.checkUsername)
        password = settings.secret("password")
        if isPublic, settings.holdsLiterally("password") {
            settings.warning(
                at: "password", message: "every user can read this file",
                mend: "take the password out into a password_file")
        }
        if version == .v3_1_1, password != nil, !settings.has("username") {
            settings.problem(
                at: settings.has("password") ? "password" : "password_file", message: "stands without a username",
                mend: "write one; only version 5 can do without")
        }
        keepAlive = settings.wholeSeconds("keep_alive", in: .seconds(1) ... .seconds(65_535)) ?? keepAlive
        let timeouts = Duration.milliseconds(100) ... .seconds(300)
        connectTimeout = settings.duration("connect_timeout", in: timeouts) ?? connectTimeout
        responseTimeout = settings.duration("response_timeout", in: timeouts) ?? responseTimeout
        // 4,294,967,295 would mean for ever (5.0 §3.1.2.11.2).
        sessionExpiry = settings.wholeSeconds("session_expiry", in: .zero ... .seconds(4_294_967_294)) ?? sessionExpiry
        maximumInFlight = settings.integer("maximum_in_flight", in: 1...32_768) ?? maximumInFlight
        maximumQoS = settings.qos("maximum_qos") ?? maximumQoS
        reconnect = Reconnect(settings.table("reconnect"))
    }

    private mutating func readEndpointChoice(_ settings: SettingsReader) {
        order = settings.choice("order", of: EndpointOrder.self) ?? order
        if let time = settings.duration("return_after") { returnAfter = time == .zero ? nil : time }
        sharesSessions = settings.boolean("shared_sessions") ?? sharesSessions
        followsRedirects = settings.boolean("follow_redirects") ?? followsRedirects
        if version == .v3_1_1, settings.has("follow_redirects") {
            settings.warning(
                at: "follow_redirects", message: "version 3.1.1 knows no redirects", mend: "leave it out")
        }
        if order == .shuffled, settings.has("return_after") {
            settings.warning(
                at: "return_after", message: "shuffled servers have none to return to",
                mend: #"leave it out, or write order = "listed""#)
        } else if servers.count == 1 {
            for key in ["order", "return_after"] where settings.has(key) {
                settings.warning(
                    at: key, message: "there is only one server", mend: "leave it out, or name another server")
            }
        }
    }

    /// 3.1.1 would take an empty one too, but then the broker keeps no session.
    private static func checkClientID(_ text: String) throws(InvalidText) -> String {
        if text.isEmpty { throw InvalidText("is empty", mend: "leave it out to use the device's id") }
        return try checkUsername(text)
    }

    private static func checkUsername(_ text: String) throws(InvalidText) -> String {
        if text.utf8.count > 65_535 { throw InvalidText("is longer than 65535 bytes") }
        try TopicLevel.checkControlCharacters(text)
        return text
    }
}

extension AgentConfiguration.Broker.Reconnect {
    init(_ settings: SettingsReader?) {
        guard let settings else { return }
        base = settings.duration("base", in: .milliseconds(10)...) ?? base
        cap = settings.duration("cap", in: .milliseconds(10)...) ?? cap
        stableAfter = settings.duration("stable_after") ?? stableAfter
        if cap < base {
            settings.problem(
                at: settings.has("cap") ? "cap" : "base",
                message: "the cap (\(cap.compact)) is below the base (\(base.compact))",
                mend: "exchange them")
        }
    }
}

extension AgentConfiguration.Queue {
    init(
        _ settings: SettingsReader?, stateDirectory: String, version: ProtocolVersion?, name: String = "queue.db"
    ) {
        let path = settings?.string("path") ?? name
        self.path = path.hasPrefix("/") ? path : "\(stateDirectory)/\(path)"
        guard let settings else { return }
        if path.isEmpty || path.last == "/" {
            settings.problem(at: "path", message: "\"\(path)\" is no file's name", mend: #"write one like "queue.db""#)
        }
        maximumSize = settings.byteCount("max_size", in: ByteCount(bytes: 1_000_000)...) ?? maximumSize
        maximumRows = settings.integer("max_rows", in: 1...)
        maximumAge = settings.duration("max_age", in: .seconds(1)...) ?? maximumAge
        durability = settings.choice("durability", of: Durability.self) ?? durability
        commitInterval = settings.duration("commit_interval", in: .zero ... .seconds(10)) ?? commitInterval
        commitCount = settings.integer("commit_count", in: 1...10_000) ?? commitCount
        backlog = Backlog(settings.table("backlog"), version: version)
    }
}

extension AgentConfiguration.Queue.Backlog {
    init(_ settings: SettingsReader?, version: ProtocolVersion?) {
        guard let settings else { return }
        order = settings.choice("order", of: OutboxOptions.BacklogOrder.self) ?? order
        rate = settings.number("rate", in: 0.001...1_000_000)
        mark = settings.choice("mark", of: BacklogMark.self) ?? mark
        if version == .v3_1_1, mark == .property || mark == .both {
            settings.warning(
                at: "mark", message: "version 3.1.1 has no user properties",
                mend: mark == .both ? #"write "payload""# : #"write "payload" or "none""#)
        }
    }
}

extension AgentConfiguration.Status {
    /// - Returns: nil only after an error.
    init?(_ settings: SettingsReader?, device: String, broker: AgentConfiguration.Broker) {
        let template =
            settings?.parsed("topic") { text throws(InvalidText) in
                try TopicTemplate(parsing: text, allowed: [.device])
            } ?? .status
        every = settings?.duration("every", in: .seconds(1)...) ?? every
        willDelay = settings?.wholeSeconds("will_delay", in: .zero ... .seconds(4_294_967_295)) ?? willDelay
        if willDelay > .zero, broker.version == .v3_1_1 {
            settings?.warning(at: "will_delay", message: "version 3.1.1 knows none", mend: "leave it out")
        } else if willDelay > broker.sessionExpiry {
            // 5.0 §3.1.3.2.2
            settings?.warning(
                at: "will_delay",
                message: "the will comes with the session's end, after \(broker.sessionExpiry.compact)",
                mend: "write a longer session_expiry under [broker], or a shorter delay")
        }
        guard let topic = try? template.topic(device: device) else { return nil }
        self.topic = topic
    }
}

extension AgentConfiguration.Log {
    init(_ settings: SettingsReader?) { level = settings?.choice("level", of: Logger.Level.self) ?? level }
}

extension SettingsReader {
    func qos(_ key: String = "qos") -> QoS? {
        integer(key, in: 0...2).flatMap { QoS(rawValue: UInt8($0)) }
    }

    func priority() -> Priority? {
        choice("priority", of: ["low": .low, "normal": .normal, "high": .high, "urgent": .urgent])
    }

    /// MQTT counts these in seconds.
    func wholeSeconds(_ key: String, in range: ClosedRange<Duration>) -> Duration? {
        guard let duration = duration(key, in: range) else { return nil }
        if duration.components.attoseconds == 0 { return duration }
        problem(
            at: key, message: "\(duration.compact) is no whole number of seconds", mend: "MQTT counts it in seconds")
        return nil
    }
}

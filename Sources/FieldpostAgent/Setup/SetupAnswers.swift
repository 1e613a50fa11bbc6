internal import MQTT
internal import OpenSSLTransport
internal import Sensing
internal import Settings

/// What a first configuration is made of.
struct SetupAnswers: Sendable {
    enum Broker: Sendable, Hashable {
        /// Inside the agent, for this machine.
        case own
        case at(Endpoint)
    }

    enum Password: Sendable, Hashable {
        /// Goes to a file of its own.
        case typed(Secret)
        /// Stands in a file of its owner's.
        case file(String, Secret)

        var secret: Secret {
            switch self {
            case .typed(let secret), .file(_, let secret): secret
            }
        }
    }

    var broker = Broker.own
    var device = ""
    var username: String?
    var password: Password?
    /// Absolute; nil: the system's trust store.
    var caFile: String?
    var sensors: [SensorCandidate] = []

    var endpoint: Endpoint? { if case .at(let endpoint) = broker { endpoint } else { nil } }

    var tls: TLSClientConfiguration {
        var tls = TLSClientConfiguration()
        if let caFile { tls.trustRoots = .file(caFile) }
        return tls
    }

    /// The configuration file's text.
    ///
    /// - Parameter passwordFile: where a password that was typed stands.
    func configuration(passwordFile: String) -> [String] {
        var text = TOMLText()
        text.lines.append("# Written by fieldpost setup; fieldpost check finds what is wrong after a change.")
        text.table("device") { $0.write("id", device) }
        switch broker {
        case .own:
            text.table("server") { $0.lines.append(#"store = { path = "broker.db" }"#) }
        case .at(let endpoint):
            text.table("broker") { table in
                table.lines.append("servers = [\(TOMLText.quoted("\(endpoint)"))]")
                table.write("username", username)
                switch password {
                case .typed: table.write("password_file", passwordFile)
                case .file(let path, _): table.write("password_file", path)
                case nil: break
                }
            }
            text.table("broker.tls") { $0.write("ca_file", endpoint.transport.isSecure ? caFile : nil) }
        }
        for sensor in sensors { text.write(sensor) }
        return text.lines
    }
}

extension TOMLText {
    /// As a `[[sensor]]` table.
    mutating func write(_ sensor: SensorCandidate) {
        table("[sensor]") { table in
            table.write("name", sensor.name)
            table.write("driver", sensor.driver)
            for option in sensor.options { table.write(option) }
            if !sensor.speaksForItself { table.write("every", "10s") }
        }
    }

    private mutating func write(_ option: SensorCandidate.Option) {
        switch option.value {
        case .string(let text): write(option.key, text)
        case .integer(let number): lines.append("\(option.key) = \(number)")
        case .number(let number): lines.append("\(option.key) = \(number)")
        case .boolean(let value): write(option.key, value)
        // No option of a driver is one of these.
        case .array, .table, .date: break
        }
    }
}

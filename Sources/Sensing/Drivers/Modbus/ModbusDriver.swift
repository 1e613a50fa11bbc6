public import Settings
public import Units

/// `driver = "modbus"`: meters, inverters, controllers: registers of a Modbus device on a serial line (RTU) or in the
/// network (TCP).
///
///     [[sensor]]
///     name = "meter"
///     driver = "modbus"
///     device = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"
///     baud = 9600
///     parity = "even"
///     unit_id = 17
///     table = "input"
///     type = "float32"
///
///     [[sensor.channel]]
///     name = "voltage"
///     address = 0
///     unit = "V"
///
///     [[sensor.channel]]
///     name = "power"
///     address = 12
///     unit = "W"
///
/// Options of the device:
/// - `device`, with `baud`, `data_bits`, `parity`, `stop_bits` and `rs485` as for `serial` (``SerialDriver``); or `host`,
///   a name or an address, with `port` (default 502).
/// - `unit_id`: 1 (default) to 247; for `host` 0 to 255.
/// - `answer_within`: how long the device may think, 10 ms to 30 s; default "1s". `retries`: how often a question is
///   repeated that got no good answer, 0 to 5; default 1. The sensor's `timeout` must allow for both.
/// - `gap`: how many registers that no channel wants may be read for saving a request, 0 (default) to 100. Devices refuse
///   a request for some that they do not have.
/// - `first_address`: 0 (default) if addresses are those of the protocol, 1 if they are numbers of a manual that begins to
///   count with 1. With neither said, numbers such as 40001 are refused, since they nearly always mean register 0.
///
/// Options of a channel, in an array of tables `channel` with a `name` each, or for an only one in the sensor's table:
/// - `table`: "coil", "discrete" (inputs), "holding" or "input" (registers): function codes 1 to 4.
/// - `address`: of its first register, or of the coil or input.
/// - `type`, of registers: "uint16" (default), "int16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bool"
///   (the register's `bit`, 0 to 15, where 0 is the lowest), "text" (of `length` registers).
/// - `word_order`: "big" (default) if the first of several registers holds the highest digits, else "little".
///   `byte_order`: "big" (default, as specified) or "little".
/// - `scale`, `offset`: the value is `number * scale + offset`. `unit`: goes with it.
/// - `writable = true`, for coils and holding registers that hold a number: it can be set (function codes 5, 6 and 16).
///   `safe`: what it is set to when the agent stops.
/// `table`, `type`, `word_order` and `byte_order` may stand in the sensor's table for all channels.
///
/// Neighbours are read with one request. If the device refuses it, each is asked for by itself from then on. Sensors of
/// this agent on one line, or with one host and port, share it: one asks at a time, and waits at most 3 s for its turn.
///
/// Failure modes: the line or the host is not there, or has no room; no answer, a part of one, a wrong checksum, an answer
/// to something else (told from ours by unit, function, length and, over TCP, transaction); the device's own exceptions,
/// by their names; a float that is no number. On an adapter that echoes, setting a value cannot be confirmed.
/// MODBUS Application Protocol Specification V1.1b3, MODBUS over Serial Line V1.02, MODBUS Messaging on TCP/IP V1.0b.
public struct ModbusDriver: OutputDriver {
    public static let name = "modbus"

    private let context: DriverContext
    private let endpoint: ModbusEndpoint
    private let unit: UInt8
    private let answerWithin: Duration
    private let retries: Int
    private let channels: [ModbusChannel]
    private var plan: ModbusPlan
    /// Kept so that it stays open; another sensor may share it.
    private var line: ModbusLine?

    public init?(_ settings: SettingsReader, context: DriverContext) {
        self.context = context
        let endpoint = Self.endpoint(settings)
        let units =
            switch endpoint {
            case .tcp: 0...255
            default: 1...247
            }
        unit = UInt8(clamping: settings.integer("unit_id", in: units) ?? 1)
        answerWithin = settings.duration("answer_within", in: .milliseconds(10) ... .seconds(30)) ?? .seconds(1)
        retries = settings.integer("retries", in: 0...5) ?? 1
        settings.requireTimeout(above: answerWithin * (retries + 1), of: "answer_within")

        let defaults = ModbusChannel.Defaults(settings)
        let tables = settings.tables("channel")
        channels =
            tables.isEmpty
            ? [ModbusChannel(settings, name: nil, defaults)]
            : tables.map { ModbusChannel($0, name: $0.requiredString("name"), defaults) }
        if Set(channels.map(\.name)).count != channels.count {
            settings.problem(at: "channel", message: "has the same name twice")
        }
        plan = ModbusPlan(channels, gap: settings.integer("gap", in: 0...100) ?? 0)
        guard let endpoint else { return nil }
        self.endpoint = endpoint
    }

    private static func endpoint(_ settings: SettingsReader) -> ModbusEndpoint? {
        let device = settings.string("device")
        let host = settings.string("host")
        switch (settings.has("device"), settings.has("host")) {
        case (false, false):
            settings.problem(
                at: "device", message: "is missing", mend: "write device = \"/dev/ttyUSB0\", or host = \"10.0.0.5\"")
            settings.ignoreUnknownKeys()
        case (true, true):
            settings.problem(at: "host", message: "stands beside \"device\"", mend: "keep one of them")
            settings.ignoreUnknownKeys()
        case (true, false):
            let line = SerialSettings(settings)
            if let device, !device.hasPrefix("/") {
                settings.problem(
                    at: "device", message: "\"\(device)\" is not absolute", mend: "write it as in \"/dev/ttyUSB0\"")
            }
            return device.map { .serial($0, line) }
        case (false, true):
            let port = settings.integer("port", in: 1...65535) ?? 502
            if host == "" { settings.problem(at: "host", message: "is empty") }
            return host.map { .tcp(host: $0, port: port) }
        }
        return nil
    }

    private var place: String { "\(endpoint.place(context)) unit \(unit)" }

    // MARK: Reading

    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let line = ModbusLine.line(to: endpoint, context)
        self.line = line
        var results = [Result<Measurement, SensorError>?](repeating: nil, count: channels.count)
        do throws(SensorError) {
            try line.take(for: context.sensor) { () throws(SensorError) in
                var step = 0
                while step < plan.steps.count {
                    if try read(plan.steps[step], on: line, &results) {
                        step += 1
                    } else {
                        plan.split(step, channels)
                    }
                }
            }
        } catch {
            // Whoever does not answer at all is not asked for the rest.
            guard results.contains(where: { $0 != nil }) else { throw error }
            return try SensorError.collect(
                results.compactMap { $0 } + [.failure(error)],
                unasked: zip(channels, results).compactMap { $1 == nil ? $0.name : nil })
        }
        return try SensorError.collect(results.compactMap { $0 })
    }

    /// - Returns: false if the device refuses to read several channels at once.
    private func read(
        _ step: ModbusPlan.Step, on line: ModbusLine, _ results: inout [Result<Measurement, SensorError>?]
    ) throws(SensorError) -> Bool {
        let data: [UInt8]
        do throws(ModbusFailure) {
            data = try line.ask(
                step.request, unit: unit, at: endpoint, context, within: answerWithin, retries: retries)
        } catch {
            guard case .exception(let code) = error else { throw self.error(error, step.request) }
            if step.channels.count > 1, code == 2 || code == 3 { return false }
            for index in step.channels {
                results[index] = Result.failure(self.error(error, step.request)).of(channels[index].name)
            }
            return true
        }
        for index in step.channels {
            let bytes = ModbusPlan.bytes(of: channels[index], in: data, step)
            results[index] = Result { () throws(SensorError) in
                try channels[index].measurement(bytes, from: place)
            }.of(channels[index].name)
        }
        return true
    }

    private func error(_ failure: ModbusFailure, _ request: ModbusRequest) -> SensorError {
        failure.error(at: place, request, line: endpoint.line, within: answerWithin.compact)
    }

    // MARK: Setting

    public var isSettable: Bool { channels.contains(where: \.isWritable) }

    public mutating func set(
        _ value: Reading.Value, channel: String?, at now: Timestamp
    ) throws(SensorError) -> [Measurement] {
        guard let wanted = channels.first(where: { $0.name == channel }) else {
            let names = channels.compactMap(\.name).joined(separator: ", ")
            throw SensorError(
                .rejected, place, channel.map { "has no channel \"\($0)\"" } ?? "has several channels",
                mend: names.isEmpty ? "it has one, without a name" : "it has \(names)")
        }
        guard wanted.isWritable else {
            throw SensorError(
                .rejected, place, "may only be read" + (channel.map { " (channel \"\($0)\")" } ?? ""),
                mend: "write writable = true if it shall be set")
        }
        guard let action = wanted.action(setting: value) else {
            throw SensorError(
                .rejected, place, "cannot be set to that value",
                mend: wanted.table == .coil
                    ? "it is true or false" : "it takes what fits \(wanted.format.kind.rawValue)")
        }
        let line = ModbusLine.line(to: endpoint, context)
        self.line = line
        let request = ModbusRequest(action, at: wanted.address)
        return try line.take(for: context.sensor) { () throws(SensorError) in
            do throws(ModbusFailure) {
                _ = try line.ask(
                    request, unit: unit, at: endpoint, context, within: answerWithin, retries: retries)
            } catch {
                throw self.error(error, request)
            }
            switch action {
            case .writeRegisters(let words):
                let bytes = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
                return [try wanted.measurement(bytes, from: place)]
            case .writeCoil(let isOn): return [try wanted.measurement([isOn ? 1 : 0], from: place)]
            case .read: return []
            }
        }
    }

    public mutating func makeSafe(at now: Timestamp) throws(SensorError) {
        var failure: SensorError?
        for channel in channels {
            guard let safe = channel.safe else { continue }
            do throws(SensorError) { _ = try set(safe, channel: channel.name, at: now) } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}

import Synchronization

/// Where devices are.
enum ModbusEndpoint: Sendable, Hashable {
    /// RTU frames on a serial device; its path as the configuration names it.
    case serial(String, SerialSettings)
    case tcp(host: String, port: Int)

    /// What tells one line from another, whatever a sensor calls it.
    func key(_ context: DriverContext) -> String {
        switch self {
        case .serial(let device, _):
            let path = context.path(device)
            return SerialPort.resolved(path) ?? path
        case .tcp: return place(context).lowercased()
        }
    }

    /// "/dev/ttyUSB0", "gateway:502".
    func place(_ context: DriverContext) -> String {
        switch self {
        case .serial(let device, _): context.path(device)
        case .tcp(let host, let port): TCPConnection.place(host: host, port: port)
        }
    }

    /// How the line is set; nil for a network.
    var line: String? { if case .serial(_, let settings) = self { settings.description } else { nil } }

    fileprivate func open(_ context: DriverContext) throws(SensorError) -> any ModbusTransport {
        switch self {
        case .serial(let device, let settings):
            return ModbusSerialTransport(try SerialPort(context.path(device), settings, context: context), settings)
        case .tcp(let host, let port):
            return ModbusTCPTransport(try TCPConnection.open(host: host, port: port, within: .seconds(3)))
        }
    }
}

/// A serial line or a connection that the sensors of this process share, and that stays open between their reads.
///
/// A serial device can be opened only once, and many gateways take only a few connections.
final class ModbusLine: Sendable {
    private struct Weak {
        weak var line: ModbusLine?
    }

    private struct Open {
        var endpoint: ModbusEndpoint
        var transport: any ModbusTransport
    }

    private static let lines = Mutex<[String: Weak]>([:])

    private let key: String
    /// Empty while it is used, and when it is closed.
    private let open = Mutex<Open?>(nil)

    private init(_ key: String) { self.key = key }

    /// The line to an endpoint; another one when the endpoint's device has been plugged in elsewhere.
    static func line(to endpoint: ModbusEndpoint, _ context: DriverContext) -> ModbusLine {
        let key = endpoint.key(context)
        return lines.withLock { lines in
            if let line = lines[key]?.line { return line }
            lines = lines.filter { $0.value.line != nil }
            let line = ModbusLine(key)
            lines[key] = Weak(line: line)
            return line
        }
    }

    /// Asks a unit as often as it takes, in a turn of ours.
    ///
    /// - Parameter retries: how often a question is repeated that got no good answer.
    func ask(
        _ request: ModbusRequest, unit: UInt8, at endpoint: ModbusEndpoint, _ context: DriverContext,
        within time: Duration, retries: Int
    ) throws(ModbusFailure) -> [UInt8] {
        var attempt = 0
        while true {
            // Sensors of one serial line should agree on its settings. If not, each has its own way.
            let kept = open.withLock { $0.take() }.flatMap { $0.endpoint == endpoint ? $0 : nil }
            var line: Open
            if let kept {
                line = kept
            } else {
                do { line = Open(endpoint: endpoint, transport: try endpoint.open(context)) } catch {
                    throw .device(error)
                }
            }
            do {
                let data = try line.transport.ask(request, unit: unit, within: time)
                open.withLock { $0 = line }
                return data
            } catch {
                if case .exception = error {
                    open.withLock { $0 = line }
                    throw error
                }
                if !error.isLoss { open.withLock { $0 = line } }
                // A connection that has been idle may have been closed long ago.
                if error.isLoss, kept != nil { continue }
                attempt += 1
                guard attempt <= retries else {
                    // A connection that says nothing may be dead.
                    if case .tcp = endpoint { open.withLock { $0 = nil } }
                    throw error
                }
            }
        }
    }

    /// Waits until no other sensor uses it.
    func take<Result>(
        for sensor: String, _ body: () throws(SensorError) -> Result
    ) throws(SensorError) -> Result {
        try Turns.shared.take(key, for: sensor, atMost: .seconds(3), body)
    }
}

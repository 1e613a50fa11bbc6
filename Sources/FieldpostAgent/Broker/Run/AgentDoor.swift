internal import MQTT
internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import Settings

/// The door through which an agent reaches the broker inside it: a free port of loopback, for nobody else.
struct AgentDoor: Sendable {
    static let name = "agent"

    /// Known to nobody outside this process.
    private let key: [UInt8]
    private let clientID: String

    init(clientID: String) {
        self.clientID = clientID
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef".utf8)
        key = (0..<64).map { _ in digits[Int.random(in: 0..<16, using: &generator)] }
    }

    /// Adds the door to a broker. The agent may do everything there, and nobody else may come in, or use its client
    /// identifier.
    func add(to broker: inout BrokerConfiguration) {
        var listener = Listener(name: Self.name, address: .tcp(host: "127.0.0.1", port: 0))
        listener.allowsAnonymous = false
        listener.access = AccessRules()
        broker.server.listeners.append(listener)
        broker.server.hooks.validateConnection = { [self] request in
            guard request.client.listener == Self.name else {
                return request.client.identifier.utf8.elementsEqual(clientID.utf8)
                    ? .refuse(.clientIdentifierNotValid) : .accept(request)
            }
            return isKey(request.password.map { Array($0.readableBytesView) } ?? []) ? .accept : .refuse(.notAuthorized)
        }
    }

    /// Takes as long for every key.
    private func isKey(_ given: [UInt8]) -> Bool {
        guard given.count == key.count else { return false }
        return zip(given, key).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    /// Makes the agent's own messages go through the door.
    func connect(_ broker: inout AgentConfiguration.Broker, port: Int) {
        broker.servers = [Endpoint(host: "127.0.0.1", port: port)]
        broker.username = "fieldpost"
        broker.password = Secret(key)
    }
}

extension ServerHooks.ConnectionVerdict {
    /// What the rules came to.
    fileprivate static func accept(_ request: ServerHooks.ConnectionRequest) -> Self {
        request.verdict == .success ? .accept : .refuse(request.verdict)
    }
}

import MQTTWire

/// A packet under way: no more of it than a model needs.
enum Frame: Sendable {
    case connect(clean: Bool)
    /// `session` is for the checks only; a client does not see it.
    case connack(present: Bool, session: Int, receiveMaximum: Int)
    case refused
    case subscribe
    case publish(PacketIdentifier, number: Int, exactlyOnce: Bool, duplicate: Bool)
    case puback(PacketIdentifier, isRefused: Bool)
    case pubrec(PacketIdentifier, isRefused: Bool)
    case pubrel(PacketIdentifier)
    case pubcomp(PacketIdentifier, isKnown: Bool)

    var isConnect: Bool { if case .connect = self { true } else { false } }
}

extension Frame: CustomStringConvertible {
    var description: String {
        switch self {
        case .connect(let clean): clean ? "CONNECT, clean start" : "CONNECT"
        case .connack(let present, let session, _): "CONNACK, session \(session) \(present ? "present" : "new")"
        case .refused: "CONNACK, refused"
        case .subscribe: "SUBSCRIBE"
        case .publish(let identifier, let number, let exactlyOnce, let duplicate):
            "PUBLISH #\(number) (QoS \(exactlyOnce ? 2 : 1), id \(identifier)\(duplicate ? ", DUP" : ""))"
        case .puback(let identifier, let isRefused): "PUBACK \(identifier)\(isRefused ? ", refused" : "")"
        case .pubrec(let identifier, let isRefused): "PUBREC \(identifier)\(isRefused ? ", refused" : "")"
        case .pubrel(let identifier): "PUBREL \(identifier)"
        case .pubcomp(let identifier, let isKnown): "PUBCOMP \(identifier)\(isKnown ? "" : ", not found")"
        }
    }
}

/// A connection: order is kept each way, as TCP does, and what is under way when it is cut may be lost.
struct Wire: Sendable {
    let id: Int
    /// Which server it leads to.
    let server: Int
    var toServer: [Frame] = []
    var toClient: [Frame] = []
    /// What is written now arrives nowhere; what is under way still may.
    var isCut = false

    init(id: Int, server: Int) {
        self.id = id
        self.server = server
    }
}

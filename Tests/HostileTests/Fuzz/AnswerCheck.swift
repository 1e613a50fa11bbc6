import MQTTWire
import NIOCore

/// Reads what a broker says on one connection, and knows what it must never say.
struct AnswerCheck {
    /// What was said, for counting: packets with their reason codes.
    private(set) var said: [String] = []
    /// What the broker did wrong.
    private(set) var fault: String?

    private let connect: Connect?
    private var decoder: PacketDecoder
    private var bytes = ByteBuffer()
    private var isConnected = false
    private var isOver = false

    init(connect: Connect?) {
        self.connect = connect
        decoder = PacketDecoder(version: connect?.version ?? .v5, maximumPacketSize: 1 << 28)
    }

    mutating func take(_ received: UnsafeRawBufferPointer) {
        guard fault == nil else { return }
        bytes.writeBytes(received)
        do throws(DecodingError) {
            while fault == nil {
                let before = bytes.readableBytes
                guard let packet = try decoder.decode(from: &bytes) else { break }
                check(packet, size: before - bytes.readableBytes)
            }
            if bytes.readableBytes == 0 { bytes.clear() }
        } catch {
            // To a CONNECT that cannot be understood a broker may answer in either version.
            if connect == nil, said.isEmpty, [UInt8](bytes.readableBytesView).starts(with: [0x20, 2, 0]),
                bytes.readableBytes == 4
            {
                said.append("CONNACK of 3.1.1")
                (isConnected, isOver) = (true, true)
                bytes.clear()
            } else {
                fault = "malformed: \(error)"
            }
        }
    }

    private mutating func check(_ packet: Packet, size: Int) {
        let version = connect?.version ?? .v5
        if isOver { return fault = "\(packet.type) after the end" }
        if !isConnected {
            guard case .connack(let answer) = packet else { return fault = "\(packet.type) before CONNACK" }
            isConnected = true
            isOver = answer.reasonCode.isError
            if connect == nil, !isOver { fault = "CONNACK that accepts what is no CONNECT" }
            said.append("CONNACK \(answer.reasonCode.rawValue.hex)")
            return
        }
        switch packet {
        case .connack: fault = "a second CONNACK"
        case .connect, .subscribe, .unsubscribe, .pingreq: fault = "\(packet.type) from a server"
        case .disconnect(let disconnect):
            isOver = true
            if version != .v5 { fault = "DISCONNECT to a client of \(version)" }
            said.append("DISCONNECT \(disconnect.reasonCode.rawValue.hex)")
        case .publish(let publish):
            if let alias = publish.properties.topicAlias, alias > connect?.properties.topicAliasMaximum ?? 0 {
                fault = "a topic alias above the client's Topic Alias Maximum"
            }
            said.append("PUBLISH")
        case .puback(let answer), .pubrec(let answer), .pubrel(let answer), .pubcomp(let answer):
            said.append("\(packet.type) \(answer.reasonCode.rawValue.hex)")
        case .suback(let answer):
            if version != .v5, answer.reasonCodes.contains(where: { $0.isError && $0.rawValue != 0x80 }) {
                fault = "SUBACK with codes that \(version) does not know"
            }
            said.append("\(packet.type)")
        case .unsuback, .pingresp, .auth: said.append("\(packet.type)")
        }
        if let limit = connect?.properties.maximumPacketSize, size > Int(limit), fault == nil {
            fault = "\(packet.type) that is larger than the client's Maximum Packet Size"
        }
    }
}

extension UInt8 {
    var hex: String { "0x" + (self < 16 ? "0" : "") + String(self, radix: 16, uppercase: true) }
}

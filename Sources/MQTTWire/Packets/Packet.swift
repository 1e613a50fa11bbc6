/// A control packet of MQTT 3.1.1 or 5.0.
///
/// One set of types serves both versions: what only 5.0 has (properties, most reason codes, the subscription
/// options, AUTH) is empty or at its default under 3.1.1, and encoding refuses what the version cannot say.
public enum Packet: Sendable, Hashable {
    case connect(Connect)
    case connack(ConnAck)
    case publish(Publish)
    case puback(Acknowledgement)
    case pubrec(Acknowledgement)
    case pubrel(Acknowledgement)
    case pubcomp(Acknowledgement)
    case subscribe(Subscribe)
    case suback(SubAck)
    case unsubscribe(Unsubscribe)
    case unsuback(UnsubAck)
    case pingreq
    case pingresp
    case disconnect(Disconnect)
    case auth(Auth)
}

import MQTTWire
import NIOCore

extension PacketDecoder {
    /// The rule that the front of the buffer breaks; nil when it holds a packet, or too few bytes to tell.
    mutating func brokenRule(by buffer: ByteBuffer) -> ProtocolRule? {
        var buffer = buffer
        do throws(DecodingError) {
            _ = try decode(from: &buffer)
            return nil
        } catch {
            return error.rule
        }
    }
}

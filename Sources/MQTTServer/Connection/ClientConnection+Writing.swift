internal import NIOCore

extension ClientConnection {
    /// Gives packets to the channel and flushes it.
    ///
    /// In a WebSocket, each packet is a message of its own. A message may hold many, and nobody may rely on how they lie
    /// (5.0 [MQTT-6.0.0-2]), but there are clients that do: Paho's for C stops reading between two packets of a
    /// message, and early ones for browsers lose all but the first.
    func write(_ packets: ByteBuffer) {
        if isWebSocket {
            var rest = packets
            while let packet = rest.readPacket() { channel.write(packet, promise: nil) }
            channel.flush()
        } else {
            channel.writeAndFlush(packets, promise: nil)
        }
    }
}

extension ByteBuffer {
    /// The first of several encoded packets; nil at the end.
    fileprivate mutating func readPacket() -> ByteBuffer? {
        var length = 0
        for position in 0..<4 {
            guard let byte = getInteger(at: readerIndex + 1 + position, as: UInt8.self) else { break }
            length |= Int(byte & 0x7F) << (7 * position)
            if byte & 0x80 == 0 { return readSlice(length: 2 + position + length) }
        }
        return readableBytes > 0 ? readSlice(length: readableBytes) : nil
    }
}

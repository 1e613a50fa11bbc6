import MQTTWire
import NIOCore

/// What one connection does.
struct Script {
    enum Ending: CaseIterable {
        case fin, reset
        /// Says that it will send no more, and still reads.
        case halfClose
    }

    /// Sent one after the other, each in a write of its own.
    var chunks: [[UInt8]]
    var ending: Ending
    /// What a broker that goes by the book makes of the CONNECT; nil: it is none.
    let connect: Connect?

    /// - Parameter connect: nil if that is to be found out.
    init(chunks: [[UInt8]], ending: Ending, connect: Connect?) {
        self.chunks = chunks
        self.ending = ending
        var decoder = PacketDecoder(maximumPacketSize: 1 << 28)
        var bytes = ByteBuffer()
        if connect == nil { for chunk in chunks { bytes.writeBytes(chunk) } }
        if let connect {
            self.connect = connect
        } else if case .connect(let connect) = try? decoder.decode(from: &bytes) {
            self.connect = connect
        } else {
            self.connect = nil
        }
    }
}

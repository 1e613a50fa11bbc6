internal import MQTTWire
internal import NIOCore

/// What waits to be written on one connection, in order. Packets that depend on changes of the store are held until those
/// are on disk, and what comes later waits behind them.
struct Output {
    private struct Held {
        let batch: Int
        var bytes: ByteBuffer
    }

    /// May be written now.
    private var ready = ByteBuffer()
    private var held: [Held] = []
    /// Bytes of packets other than PUBLISH, which the broker does not bound.
    private(set) var answers = 0
    /// Some of it is PUBLISH.
    private(set) var hasMessages = false

    var isEmpty: Bool { ready.readableBytes == 0 && held.isEmpty }
    var isHolding: Bool { !held.isEmpty }
    var isReady: Bool { ready.readableBytes > 0 }

    /// - Parameters:
    ///   - batch: what must be on disk before the packet is written.
    ///   - committed: what is.
    mutating func append(
        _ packet: Packet, version: ProtocolVersion, after batch: Int, committed: Int
    ) throws(EncodingError) {
        let size: Int
        if let last = held.indices.last {
            if batch <= held[last].batch {
                size = try Self.encode(packet, version, into: &held[last].bytes)
            } else {
                size = try appendHeld(packet, version, batch)
            }
        } else if batch > committed {
            size = try appendHeld(packet, version, batch)
        } else {
            size = try Self.encode(packet, version, into: &ready)
        }
        if case .publish = packet { hasMessages = true } else { answers += size }
    }

    private mutating func appendHeld(
        _ packet: Packet, _ version: ProtocolVersion, _ batch: Int
    ) throws(EncodingError) -> Int {
        var bytes = ByteBuffer()
        let size = try Self.encode(packet, version, into: &bytes)
        held.append(Held(batch: batch, bytes: bytes))
        return size
    }

    private static func encode(
        _ packet: Packet, _ version: ProtocolVersion, into bytes: inout ByteBuffer
    ) throws(EncodingError) -> Int {
        let before = bytes.readableBytes
        try packet.encode(into: &bytes, version: version)
        return bytes.readableBytes - before
    }

    /// Bytes that no packet gives, such as the answer to a version that we do not speak.
    mutating func append(raw bytes: [UInt8]) { ready.writeBytes(bytes) }

    /// The store has come so far.
    mutating func release(committed: Int) {
        let count = held.prefix { $0.batch <= committed }.count
        for var part in held.prefix(count) {
            if ready.readableBytes == 0 { ready = part.bytes } else { ready.writeBuffer(&part.bytes) }
        }
        held.removeFirst(count)
    }

    /// What may be written now, which is the channel's from now on.
    mutating func take() -> ByteBuffer {
        let bytes = ready
        // Not kept for the next time: most connections are silent most of the time.
        ready = ByteBuffer()
        if held.isEmpty {
            answers = 0
            hasMessages = false
        }
        return bytes
    }
}

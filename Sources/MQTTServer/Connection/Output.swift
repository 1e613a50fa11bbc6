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
    ///   - isMessage: it is PUBLISH.
    ///   - batch: what must be on disk before the packet is written.
    ///   - committed: what is.
    ///   - encode: appends the packet.
    mutating func append(
        isMessage: Bool, after batch: Int, committed: Int,
        _ encode: (inout ByteBuffer) throws(EncodingError) -> Void
    ) throws(EncodingError) {
        let size: Int
        if let last = held.indices.last {
            if batch > held[last].batch { held.append(Held(batch: batch, bytes: ByteBuffer())) }
            size = try Self.append(to: &held[held.endIndex - 1].bytes, encode)
        } else if batch > committed {
            held.append(Held(batch: batch, bytes: ByteBuffer()))
            size = try Self.append(to: &held[0].bytes, encode)
        } else {
            size = try Self.append(to: &ready, encode)
        }
        if isMessage { hasMessages = true } else { answers += size }
    }

    private static func append(
        to bytes: inout ByteBuffer, _ encode: (inout ByteBuffer) throws(EncodingError) -> Void
    ) throws(EncodingError) -> Int {
        let before = bytes.readableBytes
        try encode(&bytes)
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

internal import NIOCore

/// One buffer that all connections of an event loop receive into, one after the other: a connection that is silent keeps
/// none.
///
/// SwiftNIO would keep one for each channel, and keeps the first that it is given in any case: that one is small.
struct ReceiveBuffers: RecvByteBufferAllocator {
    /// It is only used on the event loop of the channels that share it: SwiftNIO allocates, records and reads there, and
    /// so does who gives a buffer back.
    final class Shared: @unchecked Sendable {
        private var spare: ByteBuffer?
        /// Also what one connection may bring before the next has its turn.
        static let size = 16_384

        func take() -> ByteBuffer {
            guard var buffer = spare else { return ByteBufferAllocator().buffer(capacity: Self.size) }
            spare = nil
            // Where somebody still holds a part of it, this makes another one.
            buffer.clear()
            return buffer
        }

        func giveBack(_ buffer: ByteBuffer) {
            if buffer.storageCapacity >= Self.size, spare == nil { spare = buffer }
        }
    }

    let shared: Shared
    private var isFirst = true

    init(_ shared: Shared) { self.shared = shared }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isFirst ? allocator.buffer(capacity: 64) : shared.take()
    }

    /// - Returns: true, so that the buffer that was kept is not used.
    mutating func record(actualReadBytes: Int) -> Bool {
        isFirst = false
        return true
    }

    func nextBufferSize() -> Int? { nil }
}

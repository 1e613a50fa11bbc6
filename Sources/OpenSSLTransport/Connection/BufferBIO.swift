internal import COpenSSL
internal import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// The two ends of a connection's ciphertext as OpenSSL sees them: it reads what was received and appends what is to
/// be sent, without a copy in between.
final class BufferBIO {
    /// Received, and not yet taken by OpenSSL.
    var inbound = ByteBuffer()
    /// Made by OpenSSL, and not yet sent.
    var outbound = ByteBuffer()

    /// Not changed once it is made, and BIO_new only reads it (and counts no references), so all threads may.
    nonisolated(unsafe) private static let method: OpaquePointer? = {
        // Anything without BIO_TYPE_DESCRIPTOR, since there is no descriptor.
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ByteBuffer") else { return nil }
        BIO_meth_set_read(method) { bio, bytes, count in
            guard let bio, let bytes, let self = BufferBIO.of(bio) else { return -1 }
            return self.read(bytes, count, bio)
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            guard let bio, let bytes, let self = BufferBIO.of(bio) else { return -1 }
            self.outbound.writeBytes(UnsafeRawBufferPointer(start: bytes, count: Int(max(0, count))))
            return count
        }
        BIO_meth_set_ctrl(method) { _, command, _, _ in
            // There is nothing to be flushed, and nothing else that it can do.
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        return method
    }()

    /// - Returns: a BIO that must not be used after this value has gone.
    func makeBIO() -> OpaquePointer? {
        guard let method = Self.method, let bio = BIO_new(method) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    private static func of(_ bio: OpaquePointer) -> BufferBIO? {
        BIO_get_data(bio).map { Unmanaged<BufferBIO>.fromOpaque($0).takeUnretainedValue() }
    }

    private func read(_ bytes: UnsafeMutablePointer<CChar>, _ count: Int32, _ bio: OpaquePointer) -> Int32 {
        fieldpost_BIO_clear_retry_flags(bio)
        guard inbound.readableBytes > 0 else {
            fieldpost_BIO_set_retry_read(bio)
            return -1
        }
        let taken = min(Int(count), inbound.readableBytes)
        inbound.readWithUnsafeReadableBytes { source in
            if let start = source.baseAddress { memcpy(bytes, start, taken) }
            return taken
        }
        if inbound.readableBytes == 0 { inbound = ByteBuffer() }
        return Int32(taken)
    }
}

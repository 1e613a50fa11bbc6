internal import COpenSSL
internal import Synchronization

/// Sessions of earlier connections, which make the next handshake shorter (RFC 5077, RFC 8446 §2.2).
///
/// One per client, for its 16 latest servers. It lives in memory only.
public final class TLSSessionCache: Sendable {
    struct Key: Hashable {
        var host: String
        var port: Int
        /// A session stands for the certificate that it was made with.
        var ownFingerprint: String?
    }

    private struct Entry {
        var key: Key
        var session: Session
    }

    /// The latest last.
    private let entries = Mutex<[Entry]>([])
    private static let limit = 16

    public init() {}

    func store(_ session: Session, _ key: Key) {
        entries.withLock { entries in
            entries.removeAll { $0.key == key }
            if entries.count >= Self.limit { entries.removeFirst() }
            entries.append(Entry(key: key, session: session))
        }
    }

    /// A session to be offered; under TLS 1.3, where each is good for once, it leaves the cache (RFC 8446 §C.4).
    func take(_ key: Key) -> Session? {
        entries.withLock { entries in
            guard let index = entries.firstIndex(where: { $0.key == key }) else { return nil }
            let session = entries[index].session
            let isUsable = SSL_SESSION_is_resumable(session.pointer) == 1
            if !isUsable || SSL_SESSION_get_protocol_version(session.pointer) >= TLS1_3_VERSION {
                entries.remove(at: index)
            }
            return isUsable ? session : nil
        }
    }
}

/// A reference to an `SSL_SESSION`.
///
/// Sendable, although the compiler cannot see it: a session counts its references atomically, and is not changed once
/// the callback has handed it over, but for the mark that it must not be resumed, which is a lone integer.
final class Session: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over a reference.
    init(owning pointer: OpaquePointer) { self.pointer = pointer }

    deinit { SSL_SESSION_free(pointer) }
}

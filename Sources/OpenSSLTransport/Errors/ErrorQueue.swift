internal import COpenSSL

/// What OpenSSL says of a call's failure. The queue is the thread's own; it must be empty before the call.
struct ErrorQueue {
    struct Entry {
        var library: Int32
        var reason: Int32
        var text: String
    }

    /// The oldest first, which is nearest to the cause.
    let entries: [Entry]

    static func clear() { ERR_clear_error() }

    /// Takes all out of the queue.
    init() {
        var entries: [Entry] = []
        while true {
            var data: UnsafePointer<CChar>?
            var flags: Int32 = 0
            let code = ERR_get_error_all(nil, nil, nil, &data, &flags)
            guard code != 0 else { break }
            var text = ERR_reason_error_string(code).map { String(cString: $0) } ?? "error \(code)"
            if flags & ERR_TXT_STRING != 0, let data, data.pointee != 0 { text += " (\(String(cString: data)))" }
            entries.append(Entry(library: ERR_GET_LIB(code), reason: ERR_GET_REASON(code), text: text))
        }
        self.entries = entries
    }

    func contains(_ library: Int32, _ reason: Int32) -> Bool {
        entries.contains { $0.library == library && $0.reason == reason }
    }

    /// What the protocol itself says, SSL_R_….
    var handshakeReason: Int32? { entries.first { $0.library == ERR_LIB_SSL }?.reason }

    /// Texts of it all, for what has no words of its own.
    var description: String {
        entries.isEmpty ? "no reason given" : entries.map(\.text).joined(separator: ", ")
    }
}

extension TLSError {
    /// A call that fails only when OpenSSL does, most likely for lack of memory.
    static func openSSL(_ call: String) -> TLSError {
        TLSError(.openSSL, "OpenSSL's \(call) failed: \(ErrorQueue().description)")
    }
}

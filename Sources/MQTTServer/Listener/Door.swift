internal import NIOCore
internal import OpenSSLTransport
internal import WebSocketTransport

/// A listener at work. It belongs to the server's actor.
final class Door {
    let listener: Listener
    private(set) var access: AccessRules
    /// For connections that are still to come.
    private(set) var secure: TLSServerContext?
    private(set) var isAnonymousAllowed: Bool
    var channels: [any Channel] = []
    let addresses: [SocketAddress]
    /// Connections that are open now.
    var connections = 0

    var name: String { listener.name }

    init(_ listener: Listener, access: AccessRules, secure: TLSServerContext?, addresses: [SocketAddress]) {
        self.listener = listener
        self.access = listener.access ?? access
        self.secure = secure
        self.addresses = addresses
        isAnonymousAllowed = listener.allowsAnonymous(listener.access ?? access, at: addresses)
    }

    /// Takes what may change while clients are connected.
    func update(_ new: Listener, access: AccessRules, secure: TLSServerContext?) {
        self.access = new.access ?? access
        if listener.tls != nil, let secure { self.secure = secure }
        isAnonymousAllowed = new.allowsAnonymous(self.access, at: addresses)
    }
}

extension Listener {
    fileprivate func allowsAnonymous(_ access: AccessRules, at addresses: [SocketAddress]) -> Bool {
        allowsAnonymous ?? (access.passwords == nil && addresses.allSatisfy(\.isLocal))
    }
}

extension ServerConfiguration {
    /// MQTT 3.1 has a subprotocol of its own.
    var webSocket: WebSocketServerConfiguration {
        WebSocketServerConfiguration(
            path: nil, subprotocols: ["mqtt", "mqttv3.1"], handshakeTimeout: limits.connectTimeout,
            closeTimeout: .seconds(1))
    }
}

extension SocketAddress {
    /// Only processes of this board can reach it.
    var isLocal: Bool {
        switch self {
        case .v4: ipAddress?.hasPrefix("127.") ?? false
        case .v6: ipAddress == "::1"
        case .unixDomainSocket: true
        }
    }

    /// `192.0.2.7:51234`, `[2001:db8::7]:51234`; nil for a Unix socket, whose clients have no address.
    var peerText: String? {
        guard let port else { return nil }
        switch self {
        case .v4: return "\(ipAddress ?? "?"):\(port)"
        case .v6:
            let text = ipAddress ?? "?"
            // An IPv4 client at a socket that takes both.
            return text.hasPrefix("::ffff:") && text.contains(".")
                ? "\(text.dropFirst(7)):\(port)" : "[\(text)]:\(port)"
        case .unixDomainSocket: return nil
        }
    }
}

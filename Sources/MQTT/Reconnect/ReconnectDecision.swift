public import MQTTWire
internal import OpenSSLTransport
internal import WebSocketTransport

/// What follows from a failed attempt, or from the end of a connection.
///
/// A board that nobody climbs to never gives up for good: ``giveUp`` means that waiting will not mend it, which is worth
/// a clear status and the slowest pace, and ends ``MQTTClient/run()`` only under
/// ``ClientConfiguration/stopsWhenRefused``.
public enum ReconnectDecision: Int, Sendable, Hashable, CaseIterable, Comparable {
    /// It may work next time: exponential backoff.
    case retrySoon
    /// Not here, for now: the next endpoint, without waiting for long.
    case otherEndpoint
    /// It may work some day, and asking often makes it worse: the longest wait at once.
    case retrySlowly
    /// Somebody has to change something.
    case giveUp

    /// The milder one comes first.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension ReconnectDecision {
    /// What follows from a CONNACK with this error code (5.0 §3.2.2.2). The return codes 1 to 5 of 3.1.1 (§3.2.2.3) are
    /// the codes 0x84, 0x85, 0x88, 0x86 and 0x87.
    public init(refusedWith code: ReasonCode) {
        switch code {
        // The server does not say what is wrong, or it is none of the client's doing.
        case .unspecifiedError: self = .retrySoon
        // What CONNECT says will be said again: version, identifier, name, password, and the will's topic, payload,
        // QoS and RETAIN.
        case .malformedPacket, .protocolError, .unsupportedProtocolVersion, .clientIdentifierNotValid,
            .badUserNameOrPassword, .notAuthorized, .banned, .badAuthenticationMethod, .topicNameInvalid,
            .packetTooLarge, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported:
            self = .giveUp
        // This server's state, which another one of a cluster need not share.
        case .serverUnavailable, .serverBusy, .useAnotherServer, .serverMoved: self = .otherEndpoint
        // Too many or too often, where asking again counts as well, or a reason of the server's own.
        case .implementationSpecificError, .quotaExceeded, .connectionRateExceeded: self = .retrySlowly
        // Codes that a CONNACK may not carry; the decoder refuses them.
        default: self = .retrySoon
        }
    }

    /// What follows from a DISCONNECT that the server sends with this code (5.0 §3.14.2.1); 3.1.1 has none.
    public init(disconnectedWith code: ReasonCode) {
        switch code {
        // Nothing that another connection would not mend.
        case .normalDisconnection, .unspecifiedError, .implementationSpecificError, .keepAliveTimeout,
            .maximumConnectTime:
            self = .retrySoon
        // Something that we sent. It may be sent again, and then connections will be short and the backoff rises.
        case .malformedPacket, .protocolError, .topicNameInvalid, .receiveMaximumExceeded, .topicAliasInvalid,
            .packetTooLarge, .payloadFormatInvalid, .retainNotSupported, .qosNotSupported:
            self = .retrySoon
        case .serverBusy, .serverShuttingDown, .useAnotherServer, .serverMoved: self = .otherEndpoint
        // Not authorized (any more): the next CONNECT may bring another token, or break the same rule again.
        // Session taken over: two clients with one identifier throw each other out as fast as they connect.
        // Administrative action: somebody wanted it, and would be surprised to see us back at once.
        case .notAuthorized, .sessionTakenOver, .administrativeAction, .messageRateTooHigh, .quotaExceeded,
            .connectionRateExceeded:
            self = .retrySlowly
        // A subscription that will be asked for again.
        case .topicFilterInvalid, .sharedSubscriptionsNotSupported, .subscriptionIdentifiersNotSupported,
            .wildcardSubscriptionsNotSupported:
            self = .retrySlowly
        case .badAuthenticationMethod: self = .giveUp
        // Codes that a DISCONNECT may not carry; the decoder refuses them.
        default: self = .retrySoon
        }
    }

    init(_ error: TLSError) {
        switch error.code {
        case .invalidSetting, .unreadableFile, .malformedFile, .passphrase, .keyMismatch, .token: self = .giveUp
        // A board without a clock finds certificates expired or not yet valid until it has been told the time.
        case .expired, .notYetValid, .handshakeTimeout, .closedDuringHandshake, .truncated, .alert,
            .tooMuchBeforeHandshake, .openSSL, .protocolViolation:
            self = .retrySoon
        case .hostMismatch, .selfSigned, .unknownIssuer, .revoked, .revocationUnknown, .unacceptableCertificate,
            .certificateMissing, .protocolVersion, .noSharedCipher, .noSharedApplicationProtocol, .preSharedKey,
            .notTLS, .certificateRefused:
            self = .retrySlowly
        }
    }

    init(_ error: WebSocketError) {
        switch error.code {
        case .invalidSetting, .unauthorized: self = .giveUp
        // Also what a proxy answers while there is no broker behind it.
        case .notHTTP, .malformedHead, .refused, .badRequest, .handshakeTimeout, .closedDuringHandshake,
            .tooMuchBeforeHandshake, .protocolViolation, .frameTooLarge, .closedByPeer, .truncated:
            self = .retrySoon
        case .redirected, .notFound, .wrongAnswer, .subprotocolRefused: self = .retrySlowly
        }
    }
}

extension ConnectFailure {
    public var decision: ReconnectDecision {
        switch self {
        case .unreachable, .timedOut, .closed, .protocolError, .stopped: .retrySoon
        case .refused(let code, _): ReconnectDecision(refusedWith: code)
        case .tls(let error): ReconnectDecision(error)
        case .webSocket(let error): ReconnectDecision(error)
        case .sessionNotDeleted: .retrySlowly
        case .authentication, .invalid: .giveUp
        }
    }

    /// Waiting alone will not mend these: somebody has to change something.
    public var isRefusal: Bool { decision == .giveUp }
}

extension DisconnectReason {
    public var decision: ReconnectDecision {
        switch self {
        case .left: .otherEndpoint
        case .requested, .returning, .closed, .keepAliveTimeout, .protocolError, .network: .retrySoon
        // It takes connections and answers pings, and does nothing else any more.
        case .acknowledgementTimeout: .otherEndpoint
        case .byServer(let code, _): ReconnectDecision(disconnectedWith: code)
        }
    }
}

/// Why there is no connection, or none any more.
///
/// The description is a sentence for people that names the thing, the place and the mend; a program looks at ``code``.
public struct TLSError: Error, Hashable, Sendable {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        // The configuration

        /// A setting that cannot be: an empty host name, a protocol name too long.
        case invalidSetting
        /// A file is missing or may not be read.
        case unreadableFile
        /// Nothing in it is what was looked for, or it is damaged.
        case malformedFile
        /// A private key is encrypted and there is no passphrase, or a wrong one.
        case passphrase
        /// The private key is not the certificate's.
        case keyMismatch
        /// The token, its key, or OpenSSL's way to it is not there.
        case token

        // The peer's certificate

        case expired
        case notYetValid
        case hostMismatch
        case selfSigned
        case unknownIssuer
        case revoked
        /// There is no valid list of the issuer's revoked certificates.
        case revocationUnknown
        /// Another fault of the certificate or its chain.
        case unacceptableCertificate

        // The handshake

        /// The peer showed no certificate where one is required.
        case certificateMissing
        case protocolVersion
        case noSharedCipher
        case noSharedApplicationProtocol
        /// The peer does not know the pre-shared key, or has another under its name.
        case preSharedKey
        case notTLS
        case handshakeTimeout
        case closedDuringHandshake
        /// The peer refused, with an alert that has no code of its own here.
        case alert
        /// The peer refused our certificate, or the lack of one.
        case certificateRefused

        // The connection

        /// The connection ended without close_notify: somebody may have cut it short. Protocols that frame their
        /// messages may treat it as closed.
        case truncated
        /// More was written before the end of the handshake than is kept.
        case tooMuchBeforeHandshake
        /// The peer broke the protocol.
        case protocolViolation
        /// OpenSSL itself failed.
        case openSSL
    }

    /// Who can mend it.
    public enum Fault: Sendable, Hashable {
        /// Whoever wrote the configuration.
        case configuration
        /// The peer, or whoever poses as it.
        case peer
        /// Nobody; it may work next time.
        case network
        /// This program.
        case ourselves
    }

    public let code: Code
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    public var fault: Fault {
        switch code {
        case .invalidSetting, .unreadableFile, .malformedFile, .passphrase, .keyMismatch, .token: .configuration
        case .handshakeTimeout, .closedDuringHandshake, .truncated: .network
        case .tooMuchBeforeHandshake, .openSSL: .ourselves
        default: .peer
        }
    }
}

extension TLSError: CustomStringConvertible {}

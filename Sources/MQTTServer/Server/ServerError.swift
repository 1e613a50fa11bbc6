/// Why the server does not start, or does not do what it was asked.
///
/// The description is a sentence for people that names the thing, the place and the mend; a program looks at ``code``.
public struct ServerError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable, Hashable, CaseIterable {
        // The configuration

        /// A setting that cannot be, such as two listeners of one name.
        case invalidSetting
        /// A host name that nobody knows.
        case unknownHost
        /// A certificate, key or other file of TLS.
        case tls

        // Binding

        /// Somebody else listens there.
        case addressInUse
        /// This process may not listen there.
        case permissionDenied
        /// The board has no such address.
        case addressNotAvailable
        /// The system refused otherwise.
        case cannotListen

        // The store
        case store

        // The program
        /// It does not run: it was not started, or has been stopped.
        case notRunning
        /// It was started before; make another.
        case alreadyStarted
        /// A local client was refused, or its connection has ended; or a message has no form as a packet.
        case refused
    }

    public let code: Code
    /// The ``Listener/name`` that it is about.
    public let listener: String?
    public let description: String

    init(_ code: Code, listener: String? = nil, _ description: String) {
        self.code = code
        self.listener = listener
        self.description = listener.map { "listener \"\($0)\": \(description)" } ?? description
    }
}

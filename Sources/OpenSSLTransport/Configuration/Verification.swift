/// How much a client wants to know of the server.
public enum Verification: Sendable, Hashable {
    /// The server's chain ends with a trusted root and is valid now, and the certificate is for the host's name or
    /// address.
    case full
    /// As ``full``, but any name will do: whoever holds any certificate of a trusted authority can pose as the server.
    case withoutHostName
    /// Nothing: whoever is on the way can read and change everything.
    case insecureNothing
}

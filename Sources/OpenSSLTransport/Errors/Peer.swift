/// The other side, as errors call it, and what is expected of it.
struct Peer: Sendable {
    enum Role: String, Sendable {
        case server, client
    }

    var role: Role
    /// The name or address that a server's certificate must be for; nil if any will do.
    var host: String?
    /// Where the trusted certificates are from.
    var trustRoots: String = ""
    var revocationLists: String = ""
    /// In place of the clock, for tests: seconds since 1970.
    var time: Int?
}

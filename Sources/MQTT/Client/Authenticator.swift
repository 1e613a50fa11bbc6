public import NIOCore

/// Enhanced authentication (5.0 §4.12): a conversation in place of, or beside, a password, for example SCRAM. One is made
/// for each connection.
public protocol Authenticator: Sendable {
    /// The Authentication Method, as the server knows it.
    var method: String { get }

    /// What CONNECT carries, or the first AUTH of an authentication anew.
    mutating func begin() async throws -> ByteBuffer?

    /// The answer to what the server says in AUTH.
    /// - Throws: to break off, with a reason for whoever looks after the board.
    mutating func answer(_ challenge: ByteBuffer?) async throws -> ByteBuffer?

    /// The server is content; now is the time to check what it says last.
    /// - Throws: when the server has not proved to be the one that is meant.
    mutating func finish(_ data: ByteBuffer?) throws
}

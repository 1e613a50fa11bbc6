/// A side of the connection, as errors call it.
enum Role: String, Sendable {
    case client, server
}

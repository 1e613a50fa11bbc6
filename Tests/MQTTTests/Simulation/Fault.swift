/// Mistakes that a client could make, to see that they are found.
enum Fault: Sendable, Hashable, CaseIterable {
    /// A message is forgotten once it was sent.
    case forgetsOnceSent
    /// What the socket did not take before a connection ended is forgotten.
    case forgetsWhatWasReady
    /// PUBREL, PUBREC and PUBCOMP go out before the store knows.
    case tellsServerFirst
    /// The store is not told of a new session.
    case hidesNewSession
    /// What the store gave out before it knew of a new session is taken for released in it.
    case takesOldReleasesForNew
    /// A session is resumed although it is not the one whose packet identifiers are known.
    case resumesStrangeSessions
    /// What an earlier process has seen of incoming messages is not asked for.
    case restoresNothing
    /// Incoming messages are acknowledged before the application has processed them.
    case acknowledgesOnArrival
    /// Steps of an exchange that were not noted when its connection ended are noted in the next one.
    case keepsSteps
}

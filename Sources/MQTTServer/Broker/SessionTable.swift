/// The sessions by place; a place is used again once its session has gone.
///
/// There is a session at every place, an empty one where none is in use, so that each can be reached where it lies: an
/// optional one would be copied with all that it holds for every look at it. (So it is by a computed property: on the way
/// of each message only stored ones are asked.)
struct SessionTable: Sendable {
    private var sessions: [ServerSession] = []
    private var free: [Int] = []

    subscript(place: Int) -> ServerSession {
        _read { yield sessions[place] }
        _modify { yield &sessions[place] }
    }

    /// Places that are in use.
    var places: some Sequence<Int> { sessions.indices.lazy.filter { sessions[$0].isInUse } }

    /// Those that are in use.
    var all: some Sequence<ServerSession> { sessions.lazy.filter(\.isInUse) }

    mutating func insert(_ session: ServerSession) -> Int {
        if let place = free.popLast() {
            sessions[place] = session
            return place
        }
        sessions.append(session)
        return sessions.endIndex - 1
    }

    mutating func remove(_ place: Int) {
        sessions[place] = .unused
        free.append(place)
    }
}

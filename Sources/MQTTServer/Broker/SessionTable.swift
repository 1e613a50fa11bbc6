/// The sessions by place; a place is used again once its session has gone.
///
/// There is a session at every place, an empty one where none is in use, so that each can be reached where it lies: an
/// optional one would be copied with all that it holds for every look at it. (So it is by a computed property: on the way
/// of each message only stored ones are asked.)
struct SessionTable: Sendable {
    private var sessions = PlaceTable<ServerSession>(empty: .unused)
    private var free: [Int] = []

    subscript(place: Int) -> ServerSession {
        _read { yield sessions[place] }
        _modify { yield &sessions[place] }
    }

    /// Places that are in use.
    var places: some Sequence<Int> { sessions.indices.lazy.filter { sessions[$0].isInUse } }

    /// Those that are in use.
    var all: some Sequence<ServerSession> { places.lazy.map { sessions[$0] } }

    mutating func insert(_ session: ServerSession) -> Int {
        let place = free.popLast() ?? sessions.count
        sessions.reach(place)
        sessions[place] = session
        return place
    }

    mutating func remove(_ place: Int) {
        sessions[place] = .unused
        free.append(place)
    }
}

/// An array that grows a piece at a time: one that doubles would take up to twice the memory, and three times while it
/// grows.
struct PlaceTable<Element: Sendable>: Sendable {
    private static var pieceShift: Int { 6 }
    private static var pieceSize: Int { 1 << pieceShift }

    private let empty: Element
    private var pieces: [[Element]] = []
    private(set) var count = 0

    init(empty: Element) { self.empty = empty }

    var indices: Range<Int> { 0..<count }

    subscript(place: Int) -> Element {
        _read { yield pieces[place >> Self.pieceShift][place & (Self.pieceSize - 1)] }
        _modify { yield &pieces[place >> Self.pieceShift][place & (Self.pieceSize - 1)] }
    }

    var all: some Sequence<Element> { indices.lazy.map { self[$0] } }

    /// Sees to it that there is such a place.
    mutating func reach(_ place: Int) {
        while pieces.count * Self.pieceSize <= place {
            pieces.append(Array(repeating: empty, count: Self.pieceSize))
        }
        count = max(count, place + 1)
    }
}

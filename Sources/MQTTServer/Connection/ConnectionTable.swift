/// All connections, by place; freed places are used again, under another generation.
struct ConnectionTable {
    enum Peer {
        case remote(Connection)
        case local(LocalConnection)

        var id: ConnectionID {
            switch self {
            case .remote(let connection): connection.id
            case .local(let connection): connection.id
            }
        }
    }

    private var places: [Peer?] = []
    private var free: [Int] = []
    private var generation: UInt32 = 0
    private(set) var count = 0

    subscript(id: ConnectionID) -> Peer? {
        guard places.indices.contains(id.slot), let peer = places[id.slot], peer.id == id else { return nil }
        return peer
    }

    /// The client's connection, if it is one over the network.
    func remote(_ id: ConnectionID) -> Connection? {
        if case .remote(let connection)? = self[id] { connection } else { nil }
    }

    func local(_ id: ConnectionID) -> LocalConnection? {
        if case .local(let connection)? = self[id] { connection } else { nil }
    }

    var all: [Peer] { places.compactMap { $0 } }

    /// Adds what the closure makes for the place that it gets.
    mutating func add(_ make: (ConnectionID) -> Peer) {
        generation &+= 1
        count += 1
        if let place = free.popLast() {
            places[place] = make(ConnectionID(slot: place, generation: generation))
        } else {
            places.append(make(ConnectionID(slot: places.endIndex, generation: generation)))
        }
    }

    mutating func remove(_ id: ConnectionID) {
        guard self[id] != nil else { return }
        places[id.slot] = nil
        free.append(id.slot)
        count -= 1
    }
}

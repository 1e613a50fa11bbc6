/// All connections, by place; freed places are used again, under another generation.
struct ConnectionTable {
    enum Peer {
        case remote(ClientConnection)
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
    func remote(_ id: ConnectionID) -> ClientConnection? {
        if case .remote(let connection)? = self[id] { connection } else { nil }
    }

    func local(_ id: ConnectionID) -> LocalConnection? {
        if case .local(let connection)? = self[id] { connection } else { nil }
    }

    var all: [Peer] { places.compactMap { $0 } }

    /// What the next one is to be called.
    var nextID: ConnectionID { ConnectionID(slot: free.last ?? places.endIndex, generation: generation &+ 1) }

    /// - Parameter peer: named after ``nextID``.
    mutating func insert(_ peer: Peer) {
        generation = peer.id.generation
        count += 1
        if peer.id.slot < places.endIndex {
            free.removeLast()
            places[peer.id.slot] = peer
        } else {
            places.append(peer)
        }
    }

    mutating func remove(_ id: ConnectionID) {
        guard self[id] != nil else { return }
        places[id.slot] = nil
        free.append(id.slot)
        count -= 1
    }
}

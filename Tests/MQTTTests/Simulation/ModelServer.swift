import MQTTWire

/// A server's side of one client's session.
struct ServerState {
    struct Held {
        var identifier: PacketIdentifier
        var number: Int
    }

    struct Own {
        var number: Int
        var identifier: PacketIdentifier
        var exactlyOnce: Bool
        var isReleased = false
    }

    struct Arrival {
        var number: Int
        var session: Int
        /// Rises with each arrival, at whatever server.
        var order: Int
    }

    /// 0: none.
    var session = 0
    /// 3.1.1 with a clean session: it ends with its connection.
    var isTransient = false
    var isSubscribed = false
    /// QoS 2 messages that came and were not released yet.
    var held: [Held] = []
    /// Messages for the client.
    var own: [Own] = []
    /// What was passed on, ever.
    var arrivals: [Arrival] = []
}

struct ModelServer {
    var state = ServerState()
    /// What a crash leaves, if persisting takes time.
    var persisted = ServerState()
    /// What is said when everything is persisted.
    var answers: [Frame] = []
    var wire = 0
}

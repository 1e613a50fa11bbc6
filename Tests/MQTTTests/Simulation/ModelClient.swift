import MQTT
import MQTTWire

/// The state of ``MQTTClient`` that has to do with messages: one process.
struct ModelClient {
    enum Phase { case idle, connecting, up }

    let process: Int
    var session: Session
    var backoff = Backoff()
    var nextAttempt = 0
    var attempt = 0
    var connections = 0

    // The connection.
    var phase = Phase.idle
    /// Rises with each attempt.
    var link = 0
    var server = 0
    var cleanStart = true
    var mayPublish = false
    var upSince = 0
    var receiveMaximum = 0

    var sessionName: Int?
    var hasAskedStore = false
    var resumesEarlierProcess = false
    var beginnings: [(link: Int, isNew: Bool, call: StoreCall, isAsked: Bool)] = []
    var steps = ExchangeSteps()
    var noting: (steps: ExchangeSteps, link: Int)?
    var direct: [Int] = []
    var ready: [StoredMessage] = []
    var isFetching = false
    var storeMayHaveMore = true
    var acknowledged: [Int] = []
    var refused: [Int] = []
    var isTellingStore = false

    /// What the application has and has not processed.
    var inbox: [(receipt: Receipt, identifier: PacketIdentifier, number: Int)] = []

    // For the checks only.
    /// Processed, and not noted yet.
    var seen: [(identifier: PacketIdentifier, number: Int)] = []
    /// Whose the packet identifiers are, until the exchange is over.
    var holders: [(identifier: PacketIdentifier, number: Int)] = []
    /// Sent on this connection and not acknowledged.
    var outstanding: [PacketIdentifier] = []

    init(_ setup: Setup, process: Int) {
        self.process = process
        session = Session(
            version: setup.version, maximumInFlight: setup.maximumInFlight)
        session.holdsSteps = setup.isDurable && setup.fault != .tellsServerFirst
    }
}

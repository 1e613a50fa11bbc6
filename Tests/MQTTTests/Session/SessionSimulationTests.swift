import MQTT
import MQTTWire
import NIOCore
import TestSupport
import Testing

/// The session against a model of a server, over a network that carries some packets and then is cut: thousands of
/// schedules from seeds. Connections keep their order, as TCP does; what is under way when one is cut is lost.
@Suite struct SessionSimulationTests {
    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func nothingIsLostAndQoS2ComesOnceWhateverIsCut(version: ProtocolVersion) async throws {
        for seed in 1...5_000 {
            await Task.yield()
            var world = World(version: version, seed: UInt64(seed), serverForgets: false)
            try world.run()
        }
    }

    @Test(arguments: [ProtocolVersion.v3_1_1, .v5])
    func aServerThatForgetsCostsAtMostTheDuplicatesThatAreCounted(version: ProtocolVersion) async throws {
        for seed in 1...3_000 {
            await Task.yield()
            var world = World(version: version, seed: UInt64(seed), serverForgets: true)
            try world.run()
        }
    }
}

private struct World {
    let seed: UInt64
    let serverForgets: Bool
    var generator: SplitMix64
    var session: Session
    var isConnected = false
    var possibleDuplicates = 0

    // The network: what travels, in order.
    var toServer: [Packet] = []
    var toClient: [Packet] = []

    // The server.
    var serverHasSession = false
    var serverExactlyOnce: Set<PacketIdentifier> = []
    var arrived: [Int] = []
    let limits: ServerLimits

    // The application.
    let total: Int
    var offered = 0
    var completed: Set<Int> = []
    var qos: [QoS] = []

    init(version: ProtocolVersion, seed: UInt64, serverForgets: Bool) {
        self.seed = seed
        self.serverForgets = serverForgets
        generator = SplitMix64(seed: seed)
        session = Session(version: version, maximumInFlight: Int.random(in: 1...6, using: &generator))
        limits = ServerLimits(receiveMaximum: version == .v5 ? Int.random(in: 1...6, using: &generator) : 65_535)
        total = Int.random(in: 1...25, using: &generator)
        qos = (0..<total).map { _ in Bool.random(using: &generator) ? .atLeastOnce : .exactlyOnce }
    }

    mutating func run() throws {
        var steps = 0
        var calm = false
        while completed.count < total || !toServer.isEmpty || !toClient.isEmpty {
            steps += 1
            // After a wild time the network stays up, so that everything must come to an end.
            calm = calm || steps > 400
            guard steps < 5_000 else { throw Unexpected("seed \(seed): \(completed.count) of \(total) completed") }
            if !isConnected {
                try connect(calm: calm)
                continue
            }
            switch Int.random(in: 0..<100, using: &generator) {
            case 0..<10 where !calm: cut()
            case 10..<45: try serverReads()
            case 45..<75: try clientReads()
            default: try publish()
            }
        }
        try judge()
    }

    mutating func connect(calm: Bool) throws {
        if serverForgets, !calm, Int.random(in: 0..<4, using: &generator) == 0 {
            serverHasSession = false
        }
        let present = serverHasSession
        if !present { serverExactlyOnce = [] }
        serverHasSession = true
        possibleDuplicates += session.connected(sessionPresent: present, limits: limits).possibleDuplicates
        isConnected = true
        try resend()
    }

    mutating func resend() throws {
        while let next = session.nextResend() {
            switch next {
            case .release(let pubrel): toServer.append(.pubrel(pubrel))
            case .publish(_, _, .send(let publish)): toServer.append(.publish(publish))
            case .publish(_, _, let decision): throw Unexpected("seed \(seed): \(decision)")
            }
        }
    }

    mutating func cut() {
        session.connectionLost()
        isConnected = false
        toServer = []
        toClient = []
    }

    mutating func publish() throws {
        try resend()
        guard offered < total, session.room > 0 else { return }
        let message = Message(
            topic: try TopicName("t"), payload: ByteBuffer(integer: offered), qos: qos[offered])
        guard case .send(let publish) = session.publish(message, from: .direct(UInt64(offered))) else {
            throw Unexpected("seed \(seed): there was room, and it was not sent")
        }
        offered += 1
        toServer.append(.publish(publish))
    }

    mutating func serverReads() throws {
        guard !toServer.isEmpty else { return }
        switch toServer.removeFirst() {
        case .publish(var publish):
            guard let identifier = publish.packetIdentifier, let number = publish.payload.readInteger(as: Int.self)
            else { throw Unexpected("seed \(seed): malformed") }
            let acknowledgement = Acknowledgement(packetIdentifier: identifier)
            if publish.qos == .atLeastOnce {
                arrived.append(number)
                toClient.append(.puback(acknowledgement))
            } else {
                if serverExactlyOnce.insert(identifier).inserted { arrived.append(number) }
                toClient.append(.pubrec(acknowledgement))
            }
            let open = Set(
                (toClient + toServer).compactMap {
                    if case .publish(let publish) = $0 { return publish.packetIdentifier }
                    return nil
                })
            guard open.count <= limits.receiveMaximum else {
                throw Unexpected("seed \(seed): more than the receive maximum under way")
            }
        case .pubrel(let pubrel):
            serverExactlyOnce.remove(pubrel.packetIdentifier)
            toClient.append(.pubcomp(Acknowledgement(packetIdentifier: pubrel.packetIdentifier)))
        case let packet: throw Unexpected("seed \(seed): \(packet)")
        }
    }

    mutating func clientReads() throws {
        guard !toClient.isEmpty else { return }
        var completion: Session.Completion?
        switch toClient.removeFirst() {
        case .puback(let puback): completion = try session.received(puback: puback)
        case .pubrec(let pubrec):
            if case .send(let pubrel) = try session.received(pubrec: pubrec) { toServer.append(.pubrel(pubrel)) }
        case .pubcomp(let pubcomp): completion = try session.received(pubcomp: pubcomp)
        case let packet: throw Unexpected("seed \(seed): \(packet)")
        }
        if let completion, case .direct(let number) = completion.origin { completed.insert(Int(number)) }
        try resend()
    }

    func judge() throws {
        guard Set(arrived).count == total else { throw Unexpected("seed \(seed): lost some of \(total): \(arrived)") }
        var seen: Set<Int> = []
        let firsts = arrived.filter { seen.insert($0).inserted }
        guard firsts == firsts.sorted() else { throw Unexpected("seed \(seed): out of order: \(arrived)") }
        let doubled = arrived.count - seen.count
        let doubledExactlyOnce = arrived.filter { qos[$0] == .exactlyOnce }.count - qos.count { $0 == .exactlyOnce }
        if serverForgets {
            guard doubledExactlyOnce <= possibleDuplicates else {
                throw Unexpected("seed \(seed): \(doubledExactlyOnce) duplicates, \(possibleDuplicates) announced")
            }
        } else {
            guard doubledExactlyOnce == 0, possibleDuplicates == 0 else {
                throw Unexpected("seed \(seed): QoS 2 came twice: \(arrived)")
            }
        }
        guard session.inFlight == 0, doubled >= 0 else { throw Unexpected("seed \(seed): still in flight") }
    }
}

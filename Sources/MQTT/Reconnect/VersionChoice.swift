internal import MQTTWire

/// Which version of MQTT to speak at each endpoint, as a value: 5.0, and 3.1.1 where 5.0 is not spoken.
///
/// Servers that do not know 5.0 say so (0x84), answer in the form of 3.1.1, or close without a word, which is also what
/// a server does that is just starting, and a proxy with nothing behind it. So an endpoint about which nothing is known
/// is tried with 3.1.1 right after it closed; one that has spoken a version before is believed to speak it still, until
/// it says otherwise or fails ``patience`` times in a row: a session is lost with its version.
struct VersionChoice: Sendable {
    static let patience = 10
    /// Servers that name others could make the memory grow.
    static let maximumCount = 64

    private let fixed: ProtocolVersion?
    private var known: [Endpoint: ProtocolVersion]
    /// Attempts in a row that may have failed for the version.
    private var doubts: [Endpoint: Int] = [:]
    /// Where the other version is tried now.
    private var trial: Endpoint?

    /// - Parameters:
    ///   - fixed: the only version to speak; nil: the choice is made here.
    ///   - known: what was spoken before, there where a session is held.
    init(fixed: ProtocolVersion?, known: [Endpoint: ProtocolVersion] = [:]) {
        self.fixed = fixed
        self.known = known
    }

    /// How many endpoints it has something to say of.
    var count: Int { known.count + doubts.count }

    func version(for endpoint: Endpoint) -> ProtocolVersion {
        if let fixed { return fixed }
        return trial == endpoint ? .v3_1_1 : known[endpoint] ?? .v5
    }

    /// The server accepted us.
    mutating func connected(to endpoint: Endpoint) { remember(version(for: endpoint), at: endpoint) }

    /// No connection came about.
    ///
    /// - Returns: whether to ask at once in another version, which ``version(for:)`` has.
    mutating func failed(_ failure: ConnectFailure, at endpoint: Endpoint) -> Bool {
        guard fixed == nil else { return false }
        let version = version(for: endpoint)
        let meaning = failure.meaning(in: version)
        if meaning == .spoken { remember(version, at: endpoint) }
        if trial == endpoint {
            trial = nil
            return false
        }
        switch meaning {
        case .spoken, .unrelated:
            doubts[endpoint] = nil
            return false
        case .notSpoken: return change(endpoint, from: version)
        case .closed, .silent:
            guard known[endpoint] != nil else { return meaning == .closed && change(endpoint, from: version) }
            doubts[endpoint, default: 0] += 1
            guard doubts[endpoint, default: 0] >= Self.patience else { return false }
            doubts[endpoint] = nil
            switch version {
            case .v5:
                // What it spoke remains what it speaks, unless the trial shows otherwise.
                trial = meaning == .closed ? endpoint : nil
                return trial != nil
            case .v3_1, .v3_1_1:
                known[endpoint] = nil
                return meaning == .closed
            }
        }
    }

    private mutating func change(_ endpoint: Endpoint, from version: ProtocolVersion) -> Bool {
        known[endpoint] = nil
        doubts[endpoint] = nil
        if version == .v5 { trial = endpoint }
        return true
    }

    private mutating func remember(_ version: ProtocolVersion, at endpoint: Endpoint) {
        if known[endpoint] == nil, known.count >= Self.maximumCount {
            known.removeAll()
            doubts.removeAll()
        }
        known[endpoint] = version
        doubts[endpoint] = nil
        trial = nil
    }
}

extension ConnectFailure {
    /// What a failure tells of the version that CONNECT was in.
    fileprivate enum Meaning {
        /// The server understood us.
        case spoken
        case notSpoken
        /// It closed, or did not like what it read: perhaps because of the version.
        case closed
        /// It was not there: under 3.1.1 it may come back as a newer one.
        case silent
        case unrelated
    }

    fileprivate func meaning(in version: ProtocolVersion) -> Meaning {
        switch self {
        case .refused(.unsupportedProtocolVersion, _): .notSpoken
        case .refused(.protocolError, _), .refused(.malformedPacket, _), .closed: .closed
        case .refused, .sessionNotDeleted: .spoken
        // A server that speaks only 5.0 refuses in its own form, which 3.1.1 cannot read.
        case .protocolError: version == .v3_1_1 ? .closed : .unrelated
        case .unreachable, .timedOut: version == .v3_1_1 ? .silent : .unrelated
        case .tls, .webSocket, .authentication, .invalid, .stopped: .unrelated
        }
    }
}

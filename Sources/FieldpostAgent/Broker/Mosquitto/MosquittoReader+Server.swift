internal import Logging
internal import MQTTServer
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

// What concerns the broker as a whole.
extension MosquittoReader {
    /// - Returns: whether the line was one of these.
    mutating func readLimits(_ line: MosquittoLine) throws(InvalidText) -> Bool {
        switch line.name {
        case "max_inflight_messages":
            let count = try line.number(in: 0...65_535)
            limits.maximumInFlight = count == 0 ? 65_535 : count
        case "max_inflight_bytes":
            if try line.number(in: 0...Int.max) > 0 {
                note(.notHonoured, line, "only messages are counted", mend: "see max_inflight_messages")
            }
        case "max_queued_messages":
            let count = try line.number(in: 0...2_147_483_647)
            limits.queuedMessages = count == 0 ? 2_147_483_647 : count
        case "max_queued_bytes":
            let count = try line.number(in: 0...2_147_483_647)
            limits.queuedBytes = count == 0 ? limits.totalQueuedBytes : count
            limits.totalQueuedBytes = max(limits.totalQueuedBytes, limits.queuedBytes)
        case "max_keepalive":
            let seconds = try line.number(in: 0...65_535)
            limits.maximumKeepAlive = seconds == 0 || seconds == 65_535 ? nil : UInt16(seconds)
        case "max_packet_size":
            // Before 2.1 a 0 in a file was an error too, though the manual gives it as the default.
            let size = try line.number(in: 20...Int(LimitSettings.largestPacket))
            limits.maximumPacketSize = max(size, 32)
            limitsPackets = true
        case "message_size_limit":
            let size = try line.number(in: 0...268_435_455)
            messageSizeLimit = size == 0 ? nil : size
        case "retain_available": limits.isRetainAvailable = try line.boolean()
        case "queue_qos0_messages": limits.queuesQoS0 = try line.boolean()
        case "upgrade_outgoing_qos":
            if try line.boolean() {
                note(.notHonoured, line, "messages are never sent at a higher QoS than they came with")
            }
        case "persistent_client_expiration": limits.maximumSessionExpiry = try Self.expiry(line.word)
        case "global_max_connections":
            let count = try line.number(in: Int.min...1_000_000)
            limits.maximumConnections = count < 0 ? 1_000_000 : max(count, 1)
        case "global_max_clients":
            let count = try line.number(in: Int.min...10_000_000)
            limits.maximumSessions = count < 0 ? 10_000_000 : max(count, 1)
        default: return false
        }
        return true
    }

    mutating func readServer(_ line: MosquittoLine) throws(InvalidText) {
        switch line.name {
        case "sys_interval": systemInterval = .seconds(try line.number(in: 0...65_535))
        case "persistence", "retained_persistence": persists = try line.boolean()
        case "persistence_location": persistenceFolder = try line.string()
        case "persistence_file": persistenceFile = try line.string()
        case "pid_file": processFile = try line.string()
        case "user":
            let user = try line.string()
            namesUser = true
            if geteuid() == 0, user != "root" {
                note(
                    .notHonoured, line, "the broker stays the user that starts it",
                    mend: "start it as \(user): User= in a unit of systemd")
            }
        case "log_dest": try readLogDestination(line)
        case "log_type": try readLogType(line)
        default: break
        }
    }

    private mutating func readLogDestination(_ line: MosquittoLine) throws(InvalidText) {
        let place = try line.choice("stdout", "stderr", "syslog", "topic", "file", "dlt", "none")
        switch place {
        case "none": logDestinations = []
        case "file":
            let path = String(line.rest.dropFirst(place.count).trimmed)
            if path.isEmpty { throw InvalidText("names no file") }
            logFiles.append(path)
            logDestinations = (logDestinations ?? []) + [place]
        case "stderr": logDestinations = (logDestinations ?? []) + [place]
        default:
            note(.notHonoured, line, "logs go to standard error", mend: "write stderr, or file with its path")
            logDestinations = (logDestinations ?? []) + ["stderr"]
        }
    }

    private mutating func readLogType(_ line: MosquittoLine) throws(InvalidText) {
        let type = try line.choice(
            "none", "error", "warning", "notice", "information", "debug", "subscribe", "unsubscribe", "websockets",
            "internal", "all")
        let level: Logger.Level? =
            switch type {
            case "none": nil
            case "error": .error
            case "warning": .warning
            case "notice": .notice
            case "information": .info
            default: .debug
            }
        logLevels = level.map { (logLevels ?? []) + [$0] } ?? []
    }

    /// As in `14d`: hours, days, weeks, months of 30 days and years of 365.
    private static func expiry(_ text: String) throws(InvalidText) -> UInt32 {
        let units: [Character: Int64] = ["s": 1, "h": 3600, "d": 86_400, "w": 604_800, "m": 2_592_000, "y": 31_536_000]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count > 0 else {
            throw InvalidText("\"\(text)\" is no duration", mend: "write one like 14d; the units are h, d, w, m and y")
        }
        // 4,294,967,295 would mean for ever (5.0 §3.1.2.11.2).
        return UInt32(clamping: min(count, 4_294_967_294 / unit) * unit)
    }
}

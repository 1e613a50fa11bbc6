internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import StoreForward
internal import Units
internal import Uplink

extension AgentConfiguration {
    /// How the queue fares, as lines for people or one JSON object.
    public func queueReport(asJSON: Bool) throws -> [String] {
        let status = try Outbox.inspect(path: queue.path).status
        return asJSON ? [status.json.text] : status.lines(path: queue.path)
    }

    /// The messages that wait, in the order of sending.
    public func queuedMessages(limit: Int, asJSON: Bool) throws -> [String] {
        try Outbox.inspect(path: queue.path, limit: limit).messages.map { queued in
            let message = queued.message
            guard asJSON else {
                return
                    "\(queued.sequence)  \(queued.accepted.iso8601)  \(message.topic)  \(String(buffer: message.payload))"
            }
            let json: JSON = [
                "seq": .integer(queued.sequence), "accepted": .string(queued.accepted.iso8601),
                "topic": .string(message.topic.string), "qos": .integer(Int64(message.qos.rawValue)),
                "retain": .boolean(message.retain), "priority": .string("\(message.priority)"),
                "payload": .string(String(buffer: message.payload)),
            ]
            return json.text
        }
    }

    /// What is wrong with a text that should be a duration; nil if nothing is.
    public static func problem(ofDuration text: String) -> String? {
        do throws(InvalidText) {
            _ = try Duration(parsing: text)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Throws waiting messages away, all of them or those that have waited longer.
    /// - Returns: how many.
    public func purgeQueue(olderThan text: String?) async throws -> Int {
        let before = try text.map { Timestamp.now() + (.zero - (try Duration(parsing: $0))) }
        // Looks first: purging must not create a queue where there is none.
        _ = try Outbox.inspect(path: queue.path)
        let outbox = try await Outbox.open(
            path: queue.path, options: queue.options,
            logger: Logger(label: "", factory: { _ in SwiftLogNoOpLogHandler() }))
        let count = try await outbox.purge(olderThan: before)
        await outbox.close()
        return count
    }
}

extension OutboxStatus {
    fileprivate func lines(path: String) -> [String] {
        var lines = [
            "queue      \(newer?.instead ?? path)",
            "waiting    \(queued) message\(queued == 1 ? "" : "s")",
            "on disk    \(ByteCount(bytes: Int64(bytesUsed)))",
            "next       number \(nextSequence)",
        ]
        if let oldest { lines.append("oldest     \(oldest.iso8601)") }
        let lost = losses.byCause.filter { $0.count > 0 }
        lines.append(
            "lost       " + (lost.isEmpty ? "none" : lost.map { "\($0.count) (\($0.cause))" }.joined(separator: ", ")))
        if let newer {
            lines.append(
                "newer      \(newer.path), of format \(newer.format), which waits for a newer Fieldpost (this one knows \(newer.known))"
            )
        }
        for file in damagedFiles { lines.append("damaged    \(file), put aside; may be removed") }
        return lines
    }
}

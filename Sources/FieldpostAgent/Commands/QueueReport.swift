internal import Logging
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import StoreForward
internal import Units
internal import Uplink

extension AgentConfiguration {
    /// How a queue fares, as lines for people or one JSON object.
    ///
    /// - Parameter uplink: whose queue; nil: that of the agent's own connection.
    public func queueReport(of uplink: String? = nil, asJSON: Bool) throws -> [String] {
        let path = try queue(of: uplink).path
        let status = try Outbox.inspect(path: path).status
        let held = uplink == nil ? self.held : 0
        guard !asJSON else {
            guard held > 0, case .object(let members) = status.json else { return [status.json.text] }
            return [JSON.object(members + [JSON.Member("held", .integer(Int64(held)))]).text]
        }
        let others = uplink == nil ? uplinksWithQueues : []
        return status.lines(path: path)
            + (held > 0 ? ["held       \(held) until the clock is set, in \(queue.heldPath)"] : [])
            + (others.isEmpty
                ? [] : ["others     \(others.map { "--uplink \($0.shellWord)" }.joined(separator: ", "))"])
    }

    /// How many reports wait for the clock to be set.
    private var held: Int { (try? Outbox.inspect(path: queue.heldPath).status.queued) ?? 0 }

    /// Uplinks that have a connection and so a queue of their own, in the file's order.
    private var uplinksWithQueues: [String] { uplinks.filter { $0.broker != nil }.map(\.name) }

    private func queue(of uplink: String?) throws(UplinkWithoutQueue) -> Queue {
        guard let uplink else { return queue }
        guard let known = uplinks.first(where: { $0.name == uplink }) else {
            throw UplinkWithoutQueue(
                description: "there is no uplink \"\(uplink)\""
                    + (uplinksWithQueues.nearest(to: uplink).map { "; did you mean \"\($0)\"?" }
                        ?? (uplinksWithQueues.isEmpty
                            ? "; there is only the queue of [broker]: leave --uplink out"
                            : "; queues of their own have \(uplinksWithQueues.joined(separator: ", "))"))
            )
        }
        guard known.broker != nil, let queue = known.queue else {
            throw UplinkWithoutQueue(
                description: "uplink \"\(uplink)\" has no queue of its own: its messages wait in that of the agent's "
                    + "own connection; leave --uplink out")
        }
        return queue
    }

    /// The messages that wait, in the order of sending.
    ///
    /// - Parameter uplink: whose queue; nil: that of the agent's own connection.
    public func queuedMessages(of uplink: String? = nil, limit: Int, asJSON: Bool) throws -> [String] {
        try Outbox.inspect(path: queue(of: uplink).path, limit: limit).messages.map { queued in
            let message = queued.message
            let payload = Self.shown(message.payload)
            guard asJSON else {
                return
                    "\(queued.sequence)  \(queued.accepted.iso8601)  \(message.topic)  \(Console.printable(payload.text))"
            }
            let json: JSON = [
                "seq": .integer(queued.sequence), "accepted": .string(queued.accepted.iso8601),
                "topic": .string(message.topic.string), "qos": .integer(Int64(message.qos.rawValue)),
                "retain": .boolean(message.retain), "priority": .string("\(message.priority)"),
                payload.isHexadecimal ? "payload_hex" : "payload": .string(payload.text),
            ]
            return json.text
        }
    }

    /// A payload as its text, or, where it is none, such as CBOR and Sparkplug's, byte by byte. By chance such a one is good
    /// UTF-8; its control characters give it away.
    static func shown(_ payload: ByteBuffer) -> (text: String, isHexadecimal: Bool) {
        if let text = String(validating: payload.readableBytesView, as: UTF8.self),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || "\t\n\r".utf8.contains($0) })
        {
            return (text, false)
        }
        return (String(decoding: MessageFormat.hexadecimal(payload, "0123456789abcdef"), as: UTF8.self), true)
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
    ///
    /// - Parameter uplink: out of whose queue; nil: that of the agent's own connection.
    /// - Returns: how many.
    public func purgeQueue(of uplink: String? = nil, olderThan text: String?) async throws -> Int {
        let queue = try queue(of: uplink)
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

/// An uplink was named whose queue cannot be looked into.
public struct UplinkWithoutQueue: Error, CustomStringConvertible {
    /// What is wrong, and the mend.
    public let description: String
}

extension String {
    /// As it must be typed into a shell.
    fileprivate var shellWord: String {
        let isPlain = utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-_.".utf8.contains(byte)
        }
        return isPlain ? self : "'\(replacing(each: "'", with: #"'\''"#))'"
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

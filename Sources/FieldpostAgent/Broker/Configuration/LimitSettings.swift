internal import MQTTServer
internal import MQTTWire
internal import Settings
internal import Units

/// `[server.limits]`: how much the broker gives to all and to each. What is refused or dropped because of them is counted.
///
/// - `max_connections`, `max_sessions`: at the same time, and known at the same time.
/// - `connect_timeout`: from a connection's beginning to the end of its CONNECT.
/// - `max_packet_size`, `max_connect_size`: of clients that were let in, and of those that want to be.
/// - `max_payload_size`: of a message that a client publishes. Default: what fits into a packet.
/// - `max_keep_alive`: what clients that would be silent for longer, or for ever, are told instead (5.0).
/// - `max_session_expiry`: how long sessions are kept without a connection, those of 3.1.1 too.
/// - `max_qos`, `retain`, `wildcards`, `shared_subscriptions`: what clients may use at all.
/// - `receive_maximum`, `max_in_flight`: messages on their way from a client, and to one.
/// - `max_topic_aliases`: that a client may use towards the broker.
/// - `max_queued_messages`, `max_queued_size`, `max_queued_size_in_all`: what waits for one session, and for all.
/// - `when_full`: "drop-newest" or "drop-oldest".
/// - `queue_qos_0`: whether messages of QoS 0 wait for clients that are away.
/// - `max_retained_messages`, `max_retained_size`; `max_subscriptions` of a session, `max_subscriptions_in_all`;
///   `max_topic_levels`; `max_subscription_size_in_all`: their memory, with that of the tree they are looked up in.
enum LimitSettings {
    // Computed, since key paths are not Sendable.
    static var counts: [(String, WritableKeyPath<ServerLimits, Int>, ClosedRange<Int>)] {
        [
            ("max_connections", \.maximumConnections, 1...1_000_000),
            ("max_sessions", \.maximumSessions, 1...10_000_000),
            ("max_in_flight", \.maximumInFlight, 1...65_535),
            ("max_queued_messages", \.queuedMessages, 0...2_147_483_647),
            ("max_retained_messages", \.retainedMessages, 0...2_147_483_647),
            ("max_subscriptions", \.subscriptions, 1...2_147_483_647),
            ("max_subscriptions_in_all", \.totalSubscriptions, 1...2_147_483_647),
            ("max_topic_levels", \.topicLevels, 1...65_536),
        ]
    }

    static var sizes: [(String, WritableKeyPath<ServerLimits, Int>, ClosedRange<Int64>)] {
        [
            ("max_packet_size", \.maximumPacketSize, 32...largestPacket),
            ("max_connect_size", \.maximumConnectSize, 32...largestPacket),
            ("max_queued_size", \.queuedBytes, 0...2_147_483_647),
            ("max_queued_size_in_all", \.totalQueuedBytes, 0...2_147_483_647),
            ("max_retained_size", \.retainedBytes, 0...2_147_483_647),
            ("max_subscription_size_in_all", \.totalSubscriptionBytes, 1000...2_147_483_647),
        ]
    }

    static var switches: [(String, WritableKeyPath<ServerLimits, Bool>)] {
        [
            ("retain", \.isRetainAvailable), ("wildcards", \.areWildcardsAvailable),
            ("shared_subscriptions", \.areSharedSubscriptionsAvailable), ("queue_qos_0", \.queuesQoS0),
        ]
    }

    static let evictions: KeyValuePairs<String, ServerLimits.Eviction> = [
        "drop-newest": .newest, "drop-oldest": .oldest,
    ]

    /// Bytes of what MQTT can express, with its fixed header (5.0 §2.1.4).
    static let largestPacket: Int64 = 268_435_460

    static func read(_ settings: SettingsReader, into limits: inout ServerLimits) {
        for (key, limit, range) in counts {
            limits[keyPath: limit] = settings.integer(key, in: range) ?? limits[keyPath: limit]
        }
        for (key, limit, range) in sizes {
            if let size = settings.size(key, in: range) { limits[keyPath: limit] = size }
        }
        for (key, limit) in switches { limits[keyPath: limit] = settings.boolean(key) ?? limits[keyPath: limit] }
        limits.connectTimeout =
            settings.duration("connect_timeout", in: .milliseconds(100) ... .seconds(300)) ?? limits.connectTimeout
        if let time = settings.wholeSeconds("max_keep_alive", in: .seconds(1) ... .seconds(65_535)) {
            limits.maximumKeepAlive = UInt16(time.components.seconds)
        }
        if let time = settings.wholeSeconds("max_session_expiry", in: .zero ... .seconds(4_294_967_294)) {
            limits.maximumSessionExpiry = UInt32(time.components.seconds)
        }
        limits.maximumQoS = settings.qos("max_qos") ?? limits.maximumQoS
        limits.receiveMaximum =
            settings.integer("receive_maximum", in: 1...65_535).map { UInt16($0) } ?? limits.receiveMaximum
        limits.topicAliasMaximum =
            settings.integer("max_topic_aliases", in: 0...65_535).map { UInt16($0) } ?? limits.topicAliasMaximum
        limits.eviction = settings.choice("when_full", of: evictions) ?? limits.eviction
        if limits.queuedBytes > limits.totalQueuedBytes, settings.has("max_queued_size") {
            settings.warning(
                at: "max_queued_size", message: "is more than all queues together may hold",
                mend: "write a larger max_queued_size_in_all, or less here")
        }
    }
}

extension SettingsReader {
    /// A size with its unit, in bytes.
    func size(_ key: String, in range: ClosedRange<Int64>) -> Int? {
        byteCount(key, in: ByteCount(bytes: range.lowerBound)...ByteCount(bytes: range.upperBound)).map {
            Int(clamping: $0.bytes)
        }
    }
}

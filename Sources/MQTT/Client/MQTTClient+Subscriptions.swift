internal import Logging
public import MQTTWire
internal import NIOCore

/// A SUBSCRIBE or UNSUBSCRIBE that waits for its answer, through reconnects if need be.
enum SubscriptionRequest: Sendable {
    case subscribe([Subscription], Properties)
    case unsubscribe([TopicFilter], Properties)
}

/// What the server was asked for, to be asked for again when it has lost the session.
struct HeldSubscription: Sendable {
    var subscription: Subscription
    var properties: Properties
}

extension MQTTClient {
    /// Subscribes, now or as soon as there is a connection, and again whenever the server has lost the session.
    ///
    /// On a connection that speaks 3.1.1, which has only the QoS, the other options of a subscription are left out: the
    /// client's own messages come back to it, retained messages come with each subscription, and what is passed on as it
    /// is published does not show RETAIN.
    ///
    /// - Parameters:
    ///   - subscriptions: at least one. A filter like `$share/group/topic` shares its messages with the other members of
    ///     its group (5.0 §4.8.2).
    ///   - properties: of SUBSCRIBE (5.0; left out under 3.1.1 and where the server does not take them): a subscription
    ///     identifier comes back with each message, among its ``ReceivedMessage/properties``.
    ///   - timeout: how long to wait for the answer; after it nothing is subscribed for later.
    /// - Returns: what the server granted or refused, one reason code for each subscription, in order.
    @discardableResult
    public func subscribe(
        _ subscriptions: [Subscription], properties: Properties = [], timeout: Duration = .seconds(30)
    ) async throws -> [ReasonCode] {
        guard !subscriptions.isEmpty else { return [] }
        return try await request(.subscribe(subscriptions, properties), timeout: timeout)
    }

    /// - Returns: one reason code for each filter, in order; none under 3.1.1, which has none.
    @discardableResult
    public func unsubscribe(
        _ filters: [TopicFilter], properties: Properties = [], timeout: Duration = .seconds(30)
    ) async throws -> [ReasonCode] {
        guard !filters.isEmpty else { return [] }
        for filter in filters { subscriptions[filter] = nil }
        return try await request(.unsubscribe(filters, properties), timeout: timeout)
    }

    private func request(_ request: SubscriptionRequest, timeout: Duration) async throws -> [ReasonCode] {
        guard !stopping else { throw ClientError.stopped }
        lastToken += 1
        let token = lastToken
        requests[token] = request
        defer {
            requests[token] = nil
            requestWaiters[token] = nil
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = after(timeout) {
                    $0.requestWaiters.removeValue(forKey: token)?
                        .resume(with: .failure(ClientError.timedOut(after: timeout)))
                }
                requestWaiters[token] = Waiter(continuation: continuation, timer: timer)
                readOn()
                if link.isUp, link.mayPublish {
                    send(request, token)
                    flush()
                }
            }
        } onCancel: {
            onEventLoop { $0.requestWaiters.removeValue(forKey: token)?.resume(with: .failure(CancellationError())) }
        }
    }

    private func send(_ request: SubscriptionRequest, _ token: UInt64) {
        let packet: (Packet, PacketIdentifier)? =
            switch request {
            case .subscribe(let subscriptions, let properties):
                session.subscribe(subscriptions, properties: accepted(properties)).map {
                    (.subscribe($0), $0.packetIdentifier)
                }
            case .unsubscribe(let filters, let properties):
                session.unsubscribe(filters, properties: properties).map { (.unsubscribe($0), $0.packetIdentifier) }
            }
        guard let (packet, identifier) = packet else {
            requestWaiters.removeValue(forKey: token)?.resume(with: .failure(ClientError.tooManyRequests))
            return
        }
        do {
            let size = try packet.encodedSize(version: link.version)
            if let limit = session.maximumPacketSize, size > limit {
                throw ClientError.tooLarge(bytes: size, limit: limit)
            }
        } catch {
            session.requests[identifier] = nil
            let error = error as? ClientError ?? .unencodable("\(error)")
            requestWaiters.removeValue(forKey: token)?.resume(with: .failure(error))
            return
        }
        sentRequests[identifier] = token
        send(packet)
    }

    /// Without what the server has said it does not take (5.0 §3.2.2.3.12).
    private func accepted(_ properties: Properties) -> Properties {
        var properties = properties
        if !link.takesSubscriptionIdentifiers { properties.subscriptionIdentifiers = [] }
        return properties
    }

    func answered(_ identifier: PacketIdentifier, _ codes: [ReasonCode]) {
        if let renewed = renewals.removeValue(forKey: identifier) { return report(renewed, codes) }
        guard let token = sentRequests.removeValue(forKey: identifier),
            let waiter = requestWaiters.removeValue(forKey: token)
        else { return }
        // Noted here and not by the callers, who come back in no certain order.
        switch requests[token] {
        case .subscribe(let subscriptions, let properties):
            for (subscription, code) in zip(subscriptions, codes) {
                self.subscriptions[subscription.filter] =
                    code.isError ? nil : HeldSubscription(subscription: subscription, properties: properties)
            }
        case .unsubscribe(let filters, _):
            for filter in filters { subscriptions[filter] = nil }
        case nil: break
        }
        waiter.resume(with: .success(codes))
    }

    /// What the server does not grant any more stays on the list: the next connection may be luckier.
    private func report(_ renewed: [Subscription], _ codes: [ReasonCode]) {
        for (subscription, code) in zip(renewed, codes) where code.isError {
            logger.warning(
                "the broker refused to subscribe us again",
                metadata: ["filter": "\(subscription.filter.string)", "reason": "\(code)"])
        }
    }

    /// Asks again for some of the subscriptions, in as many packets as the server's Maximum Packet Size takes.
    private func renew(_ some: ArraySlice<Subscription>, _ properties: Properties) {
        guard let subscribe = session.subscribe(Array(some), properties: properties) else { return }
        if let limit = session.maximumPacketSize,
            let size = try? Packet.subscribe(subscribe).encodedSize(version: link.version), size > limit
        {
            session.requests[subscribe.packetIdentifier] = nil
            guard some.count > 1 else {
                return logger.warning(
                    "a subscription is larger than the broker takes",
                    metadata: ["filter": "\(some.first?.filter.string ?? "")", "limit": "\(limit)"])
            }
            let middle = some.startIndex + some.count / 2
            renew(some[..<middle], properties)
            return renew(some[middle...], properties)
        }
        renewals[subscribe.packetIdentifier] = subscribe.subscriptions
        send(.subscribe(subscribe))
    }

    /// On a new connection: what the server has forgotten, and what it has not answered yet.
    func subscribeAgain(sessionPresent: Bool) {
        if !sessionPresent, !subscriptions.isEmpty {
            // Properties belong to a whole packet: what has the same travels together.
            let groups = Dictionary(grouping: subscriptions.values, by: \.properties).mapValues {
                $0.map(\.subscription).sorted { $0.filter.string < $1.filter.string }
            }
            for (properties, all) in groups.sorted(by: { $0.value[0].filter.string < $1.value[0].filter.string }) {
                for start in stride(from: 0, to: all.count, by: 64) {
                    renew(all[start..<min(start + 64, all.count)], accepted(properties))
                }
            }
        }
        for (token, request) in requests.sorted(by: { $0.key < $1.key }) { send(request, token) }
    }
}

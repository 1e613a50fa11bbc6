import Testing

/// Lends one real broker to a whole suite: some take many seconds to start.
struct BrokerScope: SuiteTrait, TestScoping {
    /// The suite's broker.
    @TaskLocal static var broker: Broker?

    let kind: Broker.Kind

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withBroker(kind) { broker in
            try await Self.$broker.withValue(broker) { try await function() }
        }
    }
}

extension Trait where Self == BrokerScope {
    static func broker(_ kind: Broker.Kind) -> Self { BrokerScope(kind: kind) }
}

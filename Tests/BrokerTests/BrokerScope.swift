import TestSupport
import Testing

/// Lends one real broker to a whole suite: some take many seconds to start.
struct BrokerScope: SuiteTrait, TestScoping {
    /// Where the suite's broker listens.
    @TaskLocal static var port = 0

    typealias Body = @Sendable (_ port: Int) async throws -> Void
    let lend: @Sendable (_ body: @escaping Body) async throws -> Void

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withoutActuallyEscaping(function) { function in
            try await lend { port in try await Self.$port.withValue(port) { try await function() } }
        }
    }
}

extension Trait where Self == BrokerScope {
    /// `guest` with the password `guest` may come in, and so may everybody without a name.
    static var nats: Self {
        BrokerScope { body in
            let lines = [
                "authorization { users: [{ user: guest, password: guest }, { user: nobody, password: none }] }",
                "no_auth_user: nobody",
            ]
            try await withNATS(lines: lines) { try await body($0.port) }
        }
    }

    static var rabbitMQ: Self {
        BrokerScope { body in try await withRabbitMQ { try await body($0.port) } }
    }
}

import MQTTWire
import Synchronization
import Testing

/// Closes the clients of each test when it ends, and lets a bounded number of tests run at once.
struct ConformanceTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable @concurrent () async throws -> Void
    ) async throws {
        // A suite inside a suite inherits the trait of its own and of the outer one.
        guard OpenClients.current == nil else { return try await function() }
        await Gate.shared.enter()
        let clients = OpenClients()
        do {
            try await OpenClients.$current.withValue(clients) { try await function() }
        } catch {
            await clients.closeAll()
            await Gate.shared.leave()
            throw error
        }
        await clients.closeAll()
        await Gate.shared.leave()
    }
}

extension Trait where Self == ConformanceTrait {
    /// A suite of tests against the broker under test.
    static var conformance: Self { ConformanceTrait() }
}

/// The clients that a test has opened.
actor OpenClients {
    @TaskLocal static var current: OpenClients?
    private var clients: [RawClient] = []

    func add(_ client: RawClient) { clients.append(client) }

    func closeAll() {
        for client in clients { client.closeNow() }
        clients = []
    }
}

/// Lets so many tests in at once that those which wait for a clock do not hold up the others, and so few that
/// neither descriptors nor the patience of one on a busy machine run out.
private actor Gate {
    static let shared = Gate()
    private var free = 64
    private var queue: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { queue.append($0) }
        }
    }

    func leave() {
        if queue.isEmpty { free += 1 } else { queue.removeFirst().resume() }
    }
}

private let counter = Atomic<Int>(0)
private let run = String(UInt32.random(in: 0x1000_0000 ... .max), radix: 36)

/// A name that nobody else uses, as a client identifier or a topic: at most 23 letters and digits.
func unique(_ prefix: String = "c") -> String {
    prefix + run + "x" + String(counter.wrappingAdd(1, ordering: .relaxed).newValue, radix: 36)
}

extension ProtocolVersion {
    /// Those of OASIS's specifications, whose statements are tested.
    static let standard: [ProtocolVersion] = [.v3_1_1, .v5]
}

import MQTTWire
import NIOCore
import TestSupport
import Testing

/// What an attack left behind.
struct Aftermath<Result: Sendable>: Sendable {
    /// What the attack itself returned.
    let result: Result
    /// Bytes of anonymous memory before, at most while it lasted, and afterwards.
    let memory: (before: Int, peak: Int, after: Int)
}

/// Attacks a broker while well-behaved witnesses exchange messages, and checks what must hold under any attack: the
/// broker stays up, serves others in time and in order, keeps its memory bounded and lets go of the connections.
///
/// - Parameters:
///   - what: for the report.
///   - memory: how many bytes of anonymous memory (RssAnon) the attack may add at most.
///   - patience: how long a message of the witnesses may take.
///   - body: the attack; it may block.
@discardableResult
func attack<Result: Sendable>(
    _ broker: BrokerProcess, _ what: String, memory: Int, patience: Duration = .seconds(5),
    sourceLocation: SourceLocation = #_sourceLocation, _ body: @escaping @Sendable () throws -> Result
) async throws -> Aftermath<Result> {
    let witness = Witness()
    async let testimony = onThread { witness.run(broker, patience: patience) }
    let descriptors: Int
    let before: Int
    do {
        // They have to be there before the attack, or they would be the ones who came too late.
        try await eventually(within: patience, "witnesses who exchange messages") { witness.exchanged >= 5 }
        descriptors = broker.openDescriptors
        before = broker.anonymousMemory
    } catch {
        witness.dismiss()
        let complaint = try await testimony.complaint ?? "none"
        throw Unexpected("\(error); their complaint: \(complaint); the broker's words: \(await broker.lastWords)")
    }
    let attacked = await Swift.Result { () async throws -> Result in try await onThread(body) }
    let gone = await Swift.Result {
        try await eventually(within: .seconds(20), "the end of the attack's connections") {
            !broker.isAlive || broker.openDescriptors <= descriptors
        }
    }
    // A while longer: what an attack broke shows afterwards.
    try? await Task.sleep(for: .milliseconds(300))
    witness.dismiss()
    let seen = try await testimony
    let after = broker.anonymousMemory
    let megabytes = { (bytes: Int) in "\((bytes + 524_288) >> 20)" }
    print(
        "\(what): \(seen.exchanged) messages of witnesses, the slowest after \(seen.slowest), memory "
            + "\(megabytes(before)), at most \(megabytes(seen.peakMemory)), then \(megabytes(after)) MiB")

    let alive = broker.isAlive
    let lastWords = alive && seen.complaint == nil ? "" : await broker.lastWords
    #expect(alive, "\(what): the broker is gone; its last words:\n\(lastWords)", sourceLocation: sourceLocation)
    #expect(seen.complaint == nil, "\(what): \(lastWords)", sourceLocation: sourceLocation)
    #expect(
        seen.peakMemory - before <= memory,
        "\(what): it took \(megabytes(seen.peakMemory - before)) MiB, allowed are \(megabytes(memory))",
        sourceLocation: sourceLocation)
    if alive {
        #expect(
            throws: Never.self, "\(broker.openDescriptors) are open, \(descriptors) were",
            sourceLocation: sourceLocation
        ) {
            try gone.get()
        }
    }
    return Aftermath(result: try attacked.get(), memory: (before, seen.peakMemory, after))
}

extension Swift.Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

/// Waits until the broker keeps no session, by its own account, but that of who asks.
func expectNoSessions(_ broker: BrokerProcess, within limit: Duration = .seconds(15)) async throws {
    let port = broker.port
    let last = try await onThread {
        let asker = try RawConnection.client("asker", port: port, version: .v3_1_1)
        try asker.subscribe(["$SYS/broker/clients/total"])
        let deadline = ContinuousClock.now + limit
        var last = "nothing"
        // It is told every second, as the configuration asks, or when it changes.
        while .now < deadline, last != "1" {
            guard case .publish(let publish)? = try? asker.receive(within: .seconds(2)) else { continue }
            last = String(buffer: publish.payload)
        }
        return last
    }
    #expect(last == "1", "sessions are left")
}

/// Lends a broker process to `body` and kills it afterwards.
func withBroker(
    lines: [String] = [], in directory: TemporaryDirectory? = nil, _ body: (BrokerProcess) async throws -> Void
) async throws {
    let broker = try await BrokerProcess.start(lines: lines, in: directory)
    do {
        try await body(broker)
        await broker.program.kill()
    } catch {
        await broker.program.kill()
        throw error
    }
}

import COpenSSL
import Glibc
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import OpenSSLTransport

struct LeakTests {
    @Test("Hundreds of connections, good and bad, leave nothing behind")
    func leaks() async {
        // In a process of its own, where nobody else allocates.
        await #expect(processExitsWith: .success) {
            // OpenSSL's allocations are counted; it agrees only before the first of them.
            guard
                CRYPTO_set_mem_functions(
                    { size, _, _ in
                        allocations.add(1, ordering: .relaxed)
                        return malloc(size)
                    },
                    { pointer, size, _, _ in
                        if pointer == nil { allocations.add(1, ordering: .relaxed) }
                        return realloc(pointer, size)
                    },
                    { pointer, _, _ in
                        if pointer != nil { allocations.subtract(1, ordering: .relaxed) }
                        free(pointer)
                    }) == 1
            else { exit(2) }
            let authority = try await Authority.get()
            var (client, server) = try await HandshakeTests.pair()
            client.certificate = try await authority.leaf("bin-0427").certificate
            client.sessionCache = TLSSessionCache()
            client.revocationLists = .file(try await authority.revocationList("ca.crl"))
            client.applicationProtocols = ["mqtt"]
            server.applicationProtocols = ["mqtt"]
            server.clientCertificates = .required(.file(authority.root))
            let old = try await authority.leaf("old", from: "20240101", until: "20250101")
            var bad = client
            bad.certificate = TLSCertificate(chainFile: old.chain, privateKeyFile: authority.root)
            var mutual = client
            mutual.certificate = old.certificate

            func round() throws {
                for host in ["localhost", "wrong.example"] {
                    let wire = try Wire(client: client, server: server, host: host).connect()
                    wire.client.writeAndFlush(ByteBuffer(repeating: 7, count: 20_000), promise: nil)
                    try wire.carry()
                    if host == "localhost", wire.atServer.received.count != 20_000 { exit(3) }
                }
                if try Wire(client: mutual, server: server).connect().atServer.error?.code != .expired { exit(4) }
                do throws(TLSError) {
                    _ = try TLSClientContext(bad)
                    exit(5)
                } catch {}
                let cut = try Wire(client: client, server: server)
                cut.client.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
                Wire.cut(cut.client)
            }
            for _ in 1...25 { try round() }
            let before = allocations.load(ordering: .relaxed)
            for _ in 1...100 { try round() }
            let grown = allocations.load(ordering: .relaxed) - before
            print("after 100 rounds OpenSSL holds \(before + grown) allocations, \(grown) more than before")
            // A session's tickets differ in what they hold, and the latest is kept; a leak in each round would be 100.
            if abs(grown) > 20 || before < 100 { exit(6) }
        }
    }
}

/// What OpenSSL has now.
private let allocations = Atomic(0)

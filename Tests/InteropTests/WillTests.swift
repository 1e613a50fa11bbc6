import Glibc
import MQTTServer
import MQTTWire
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct WillTests {
    /// Each has a process of its own to die in.
    @Test func `the will of a client that is killed reaches all others`() async throws {
        try await Stage.with { stage in
            let watchers = try await stage.company("watcher", Variant.plain)
            for watcher in watchers { try await watcher.subscribe("will/#", .exactlyOnce) }
            try await inParallel(Array(Variant.foreign.enumerated())) { index, variant in
                let will = Post(
                    "will/\(variant.name)", [0, 255] + Array("gone".utf8), QoS.allCases[index % 3], retain: true,
                    properties: [
                        .payloadFormatIndicator(false), .contentType("text/plain"),
                        .userProperty(name: "a", value: "1"), .userProperty(name: "a", value: "2"),
                    ])
                let process = try await LibraryProcess.start(variant.library)
                var login = Login(variant, "mortal-\(variant.name)")
                login.will = will
                _ = try await stage.connect(login, process: process)
                try await process.kill()
                for watcher in watchers {
                    var wanted = will.heard(at: .exactlyOnce, version: watcher.variant.version)
                    if variant.version != .v5 { wanted.properties = [] }
                    let heard = try await watcher.inbox.wait(for: 1) { $0.topic == will.topic }
                    #expect(heard == [wanted], "\(variant.testDescription) to \(watcher.variant.testDescription)")
                }
            }
            let kept = await stage.server.retainedMessages().map(\.topic.string)
            #expect(Set(kept) == Set(Variant.foreign.map { "will/\($0.name)" }))
        }
    }

    @Test func `who says goodbye leaves no will, unless they ask for it`() async throws {
        try await Stage.with { stage in
            let watcher = try await stage.connect(Variant(.own, .v5), "watcher")
            try await watcher.subscribe("will/#", .exactlyOnce)
            for variant in Variant.plain {
                for reason in [ReasonCode.normalDisconnection, .disconnectWithWill] {
                    if reason != .normalDisconnection, variant.version != .v5 { continue }
                    let client = try await stage.connect(variant, "leaver-\(variant.name)") {
                        $0.will = Post("will/\(variant.name)", "gone", .atLeastOnce)
                    }
                    try await client.disconnect(reason)
                }
            }
            let asked = Variant.plain.filter { $0.version == .v5 }.map { "will/\($0.name)" }
            _ = try await watcher.inbox.wait(for: asked.count)
            try await eventually("nobody but the watcher") { await stage.server.clients().count == 1 }
            try await watcher.settle()
            #expect(Set(await watcher.inbox.messages.map(\.topic)) == Set(asked))
            #expect(await watcher.inbox.messages.count == asked.count)
        }
    }

    @Test func `a will waits for its delay, or for the end of the session, or for nothing if the client is back`()
        async throws
    {
        try await Stage.with { stage in
            let watcher = try await stage.connect(Variant(.pahoPython, .v5), "watcher")
            try await watcher.subscribe("will/#", .exactlyOnce)
            /// - Returns: when it died.
            @Sendable func die(_ variant: Variant, delay: UInt32, expiry: UInt32) async throws
                -> ContinuousClock.Instant
            {
                let process = try await LibraryProcess.start(variant.library)
                var login = Login(variant, "delayed-\(variant.name)-\(delay)-\(expiry)")
                login.properties = [.sessionExpiryInterval(expiry)]
                login.will = Post(
                    "will/\(login.identifier)", "late", .atLeastOnce, properties: [.willDelayInterval(delay)])
                _ = try await stage.connect(login, process: process)
                let now = ContinuousClock.now
                try await process.kill()
                return now
            }
            let variants = Variant.foreign.filter { $0.version == .v5 }
            try await inParallel(variants) { variant in
                for (delay, expiry, least) in [(UInt32(2), UInt32(60), 1.9), (60, 1, 0.9), (60, 0, 0.0)] {
                    let death = try await die(variant, delay: delay, expiry: expiry)
                    let topic = "will/delayed-\(variant.name)-\(delay)-\(expiry)"
                    _ = try await watcher.inbox.wait(for: 1) { $0.topic == topic }
                    let waited = (ContinuousClock.now - death) / .seconds(1)
                    #expect(waited >= least && waited < 20, "\(variant.testDescription), \(delay) s: \(waited) s")
                }
            }
            let back = Variant(.libmosquitto, .v5)
            _ = try await die(back, delay: 1, expiry: 60)
            let client = try await stage.connect(back, "delayed-\(back.name)-1-60") {
                $0.cleanStart = false
                $0.properties = [.sessionExpiryInterval(60)]
            }
            #expect(client.isSessionPresent)
            // Longer than the delay.
            try await Task.sleep(for: .milliseconds(1_500))
            try await watcher.settle()
            #expect(await watcher.inbox.messages.count { $0.topic == "will/delayed-\(back.name)-1-60" } == 0)
        }
    }

    @Test func `a client that falls silent is given up after one and a half times its keep-alive`() async throws {
        try await Stage.with { stage in
            let watcher = try await stage.connect(Variant(.own, .v5), "watcher")
            try await watcher.subscribe("will/#", .exactlyOnce)
            // libmosquitto takes no keep-alive below 5 s.
            try await inParallel(Variant.foreign.filter { $0.library != .libmosquitto }) { variant in
                let process = try await LibraryProcess.start(variant.library)
                var login = Login(variant, "silent-\(variant.name)")
                login.keepAlive = 2
                login.will = Post("will/\(variant.name)", "silent", .atLeastOnce)
                // Whatever it sends comes later.
                let start = ContinuousClock.now
                _ = try await stage.connect(login, process: process)
                try await process.stop()
                _ = try await watcher.inbox.wait(for: 1) { $0.topic == "will/\(variant.name)" }
                let waited = (ContinuousClock.now - start) / .seconds(1)
                #expect(waited > 2.5 && waited < 15, "\(variant.testDescription): \(waited) s")
                try await process.kill()
            }
        }
    }
}

import Glibc
import MQTTServer
import MQTTWire
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct SessionTests {
    static let expiry: Properties = [.sessionExpiryInterval(600)]

    @Test func `a session with its queue outlives client and server`() async throws {
        let folder = try TemporaryDirectory()
        let posts = (0..<30).map { Post("queue/\($0)", "\($0)", QoS.allCases[$0 % 3]) }
        try await Stage.with(in: folder) { stage in
            for variant in Variant.plain {
                let client = try await stage.connect(variant, "session-\(variant.name)") {
                    $0.cleanStart = false
                    $0.properties = Self.expiry
                }
                #expect(!client.isSessionPresent, client.comment)
                try await client.subscribe("queue/#", .exactlyOnce)
                try await client.disconnect()
            }
            let writer = try await stage.connect(Variant(.pahoC, .v5), "writer")
            for post in posts { try await writer.publish(post) }
        }
        try await Stage.with(in: folder) { stage in
            try await inParallel(Variant.plain) { variant in
                let client = try await stage.connect(variant, "session-\(variant.name)") {
                    $0.cleanStart = false
                    $0.properties = Self.expiry
                }
                #expect(client.isSessionPresent == variant.seesSession, client.comment)
                _ = try await client.inbox.wait(for: 20)
                try await client.settle()
                let wanted = posts.filter { $0.qos > .atMostOnce }
                    .map { $0.heard(at: .exactlyOnce, version: variant.version) }
                // MQTT.js and others tell of a QoS 2 message when it is released, after later ones of QoS 1.
                for qos in [QoS.atLeastOnce, .exactlyOnce] {
                    #expect(
                        await client.inbox.messages.filter { $0.qos == qos } == wanted.filter { $0.qos == qos },
                        client.comment)
                }
                #expect(await client.inbox.messages.count == 20, client.comment)
                try await client.disconnect()
                let anew = try await stage.connect(variant, "session-\(variant.name)")
                #expect(!anew.isSessionPresent, client.comment)
                try await anew.disconnect()
            }
        }
    }

    @Test func `what a killed client has not seen comes again`() async throws {
        try await Stage.with { stage in
            let writer = try await stage.connect(Variant(.own, .v5), "writer")
            try await inParallel(Variant.foreign) { variant in
                let process = try await LibraryProcess.start(variant.library)
                var login = Login(variant, "killed-\(variant.name)")
                login.cleanStart = false
                login.properties = Self.expiry
                let client = try await stage.connect(login, process: process)
                try await client.subscribe("again/#", .exactlyOnce)
                try await process.stop()
                let posts = (0..<6).map { Post("again/\(variant.name)", "\($0)", $0 < 3 ? .atLeastOnce : .exactlyOnce) }
                for post in posts { try await writer.publish(post) }
                try await process.kill()
                let back = try await stage.connect(login)
                #expect(back.isSessionPresent == variant.seesSession, back.comment)
                let topic = "again/\(variant.name)"
                _ = try await back.inbox.wait(for: 6) { $0.topic == topic }
                try await back.settle()
                #expect(
                    await back.inbox.messages.filter { $0.topic == topic }
                        == posts.map { $0.heard(at: .exactlyOnce, version: variant.version) }, back.comment)
                try await back.disconnect()
            }
        }
    }

    @Test(arguments: Variant.plain)
    func `the next client of the same name takes the session over`(variant: Variant) async throws {
        try await Stage.with { stage in
            let first = try await ForeignClient(
                {
                    var login = Login(Variant(.pahoC, .v5), "same")
                    login.cleanStart = false
                    login.properties = Self.expiry
                    return login
                }(), stage.addresses)
            try await first.subscribe("over/#", .atLeastOnce)
            let second = try await stage.connect(variant, "same") {
                $0.cleanStart = false
                $0.properties = Self.expiry
            }
            #expect(second.isSessionPresent == variant.seesSession)
            #expect(try await first.inbox.waitForEnd().number("code") == 0x8E)
            try await second.publish(Post("over/here", "x", .atLeastOnce))
            #expect(try await second.inbox.wait(for: 1).count == 1)
        }
    }

    @Test(arguments: Variant.plain.filter { $0.version == .v5 })
    func `a session expires when it was said to`(variant: Variant) async throws {
        try await Stage.with { stage in
            func connect(_ expiry: UInt32, clean: Bool = false) async throws -> Bool {
                let client = try await stage.connect(variant, "expiring") {
                    $0.cleanStart = clean
                    $0.properties = [.sessionExpiryInterval(expiry)]
                }
                try await client.subscribe("x", .atLeastOnce)
                try await client.disconnect()
                return client.isSessionPresent
            }
            #expect(try await !connect(0, clean: true))
            // However long it takes to come back.
            #expect(try await !connect(60))
            #expect(try await connect(1))
            try await eventually("the session's end") { await stage.server.sessions().isEmpty }
            #expect(try await !connect(0))
            try await eventually("the session's end") { await stage.server.sessions().isEmpty }
        }
    }
}

import MQTTServer
import MQTTWire
import NIOCore
import TestSupport
import Testing

/// What the server refuses, and how the libraries take it.
@Suite(.timeLimit(.minutes(2))) struct LimitTests {
    @Test(arguments: Variant.plain) func `a wrong password is refused, the right one is not`(variant: Variant)
        async throws
    {
        let folder = try TemporaryDirectory()
        let file = folder.path("passwords")
        _ = try await runProgram(systemProgram("mosquitto_passwd"), ["-b", "-c", file, "ann", "secret"])
        let passwords = try PasswordFile(path: file)
        try await Stage.with {
            $0.access = AccessRules(passwords: passwords)
        } _: { stage in
            let client = try await stage.connect(variant, "right") {
                $0.username = "ann"
                $0.password = "secret"
            }
            try await client.disconnect()
            for (user, password) in [("ann", "wrong"), ("bob", "secret"), (nil, nil)] {
                await #expect(throws: (any Error).self) {
                    _ = try await stage.connect(variant, "wrong") {
                        $0.username = user
                        $0.password = password
                    }
                }
            }
            #expect(await stage.server.clients().isEmpty)
        }
    }

    @Test func `a subscription that the rules forbid fails, and others do not`() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("topic read allowed/#\ntopic write #\n", to: "acl")
        let acl = try AccessControlList(path: file)
        try await Stage.with {
            $0.access = AccessRules(acl: acl)
        } _: { stage in
            for client in try await stage.company("acl", Variant.plain) {
                let code: Int
                switch client.variant.version {
                case .v3_1: code = 0
                case .v3_1_1: code = 0x80
                case .v5: code = 0x87
                }
                #expect(try await client.subscribe("forbidden/#", .exactlyOnce) == code, client.comment)
                #expect(try await client.subscribe("allowed/#", .exactlyOnce) == 2, client.comment)
            }
        }
    }

    @Test func `a client that gives no name is given one, if it wants no session`() async throws {
        try await Stage.with { stage in
            for variant in Variant.plain where variant.version != .v3_1 {
                let client = try await stage.connect(variant, "")
                try await client.subscribe("nameless", .atMostOnce)
                if variant.version == .v5 {
                    #expect(client.properties["p18"].map { !$0.text.isEmpty } == true, client.comment)
                }
                try await client.disconnect()
            }
        }
    }

    @Test func `a packet beyond the client's maximum is not sent to it`() async throws {
        try await Stage.with { stage in
            for variant in Variant.plain where variant.version == .v5 && variant.library != .own {
                let client = try await stage.connect(variant, "small") { $0.properties = [.maximumPacketSize(64)] }
                try await client.subscribe("small/#", .exactlyOnce)
                try await client.publish(Post("small/a", String(repeating: ".", count: 32), .atMostOnce))
                // libmosquitto keeps to the maximum itself.
                let other = try await stage.connect(Variant(.own, .v5), "other")
                try await other.publish(Post("small/b", String(repeating: ".", count: 64), .atLeastOnce))
                try await other.publish(Post("small/c", "c", .atLeastOnce))
                _ = try await client.inbox.wait(for: 2)
                try await client.settle()
                #expect(await client.inbox.messages.map(\.topic) == ["small/a", "small/c"], client.comment)
                try await client.disconnect()
                try await other.disconnect()
            }
        }
    }

    @Test func `the server's limits are told, and its keep-alive is kept to`() async throws {
        try await Stage.with {
            $0.limits.maximumKeepAlive = 60
            $0.limits.maximumQoS = .atLeastOnce
            $0.limits.receiveMaximum = 7
            $0.limits.isRetainAvailable = false
            $0.responseInformation = "answers/%c"
        } _: { stage in
            for variant in Variant.plain where variant.version == .v5 {
                let client = try await stage.connect(variant, "told") {
                    $0.keepAlive = 120
                    $0.properties = [.requestResponseInformation(true)]
                }
                #expect(client.properties.number("p19") == 60, client.comment)
                #expect(client.properties.number("p33") == 7, client.comment)
                #expect(client.properties.number("p36") == 1, client.comment)
                #expect(client.properties.number("p37") == 0, client.comment)
                #expect(client.properties["p26"]?.text == "answers/told", client.comment)
                #expect(try await client.subscribe("x", .exactlyOnce) == 1, client.comment)
                try await client.publish(count: 50, "x", .atLeastOnce)
                #expect(try await client.inbox.wait(for: 50).count == 50, client.comment)
                try await client.disconnect()
            }
        }
    }

    @Test func `a message beyond the server's maximum ends the connection with Packet Too Large`() async throws {
        try await Stage.with {
            $0.limits.maximumPacketSize = 10_000
        } _: { stage in
            // The others see CONNACK's maximum and do not send it.
            for variant in [Variant(.pahoPython, .v5), Variant(.pahoC, .v5)] {
                let client = try await stage.connect(variant, "large")
                #expect(client.properties.number("p39") == 10_000)
                _ = try? await client.publish(Post("large", Array(repeating: 0, count: 20_000), .atMostOnce))
                #expect(try await client.inbox.waitForEnd().number("code") == 0x95, client.comment)
            }
        }
    }

    @Test func `names and topics may be as long as the protocol lets them`() async throws {
        try await Stage.with { stage in
            for variant in Variant.plain {
                let identifier = String(repeating: "i", count: 65_535)
                var login = Login(variant, identifier)
                login.identifier = identifier
                let client = try await stage.connect(login)
                // A filter takes one more byte than the topic, which takes the rest of 65,535.
                let topic = String(repeating: "t", count: 65_535)
                try await client.subscribe(topic, .exactlyOnce)
                try await client.publish(Post(topic, "long", .exactlyOnce))
                #expect(try await client.inbox.wait(for: 1).map(\.topic.utf8.count) == [65_535], client.comment)
                try await client.disconnect()
            }
        }
    }

    @Test func `wildcards do not reach topics that begin with a dollar`() async throws {
        try await Stage.with { stage in
            let clients = try await stage.company("dollar", Variant.plain)
            for client in clients {
                for filter in ["#", "+/topic", "$app/#"] { try await client.subscribe(filter, .atLeastOnce) }
            }
            let writer = try await stage.connect(Variant(.pahoPython, .v3_1_1), "writer")
            try await writer.publish(Post("$app/topic", "1", .atLeastOnce))
            try await writer.publish(Post("/topic", "2", .atLeastOnce))
            for client in clients {
                _ = try await client.inbox.wait(for: 2)
                try await client.settle()
                #expect(await client.inbox.messages.map(\.topic) == ["$app/topic", "/topic"], client.comment)
            }
        }
    }

    @Test func `what was unsubscribed from does not come any more`() async throws {
        try await Stage.with { stage in
            let clients = try await stage.company("un")
            for client in clients {
                for topic in ["un/a", "un/b"] { try await client.subscribe(topic, .exactlyOnce) }
                try await client.unsubscribe("un/a")
                try await client.unsubscribe("un/nothing")
            }
            for topic in ["un/a", "un/b"] { try await clients[0].publish(Post(topic, "x", .exactlyOnce)) }
            for client in clients {
                _ = try await client.inbox.wait(for: 1)
                try await client.settle()
                #expect(await client.inbox.messages.map(\.topic) == ["un/b"], client.comment)
            }
        }
    }
}

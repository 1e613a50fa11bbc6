import MQTTWire
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

/// Passwords, the program's own word, and enhanced authentication.
@Suite(.timeLimit(.minutes(3))) struct AdmissionTests {
    private func withPasswords(_ change: (inout ServerConfiguration) -> Void = { _ in }) throws -> ServerConfiguration {
        var configuration = configuration()
        let hash = try #require(PasswordFile.hash(password: Array("secret".utf8), iterations: 101, salt: [1, 2, 3]))
        configuration.access.passwords = try PasswordFile(parsing: Array("ann:\(hash)\n".utf8), path: "passwords")
        change(&configuration)
        return configuration
    }

    private func answer(
        _ server: MQTTServer, version: ProtocolVersion, _ username: String?, _ password: String?
    ) async throws -> ReasonCode {
        let client = try await RawClient.connect(port: try await server.port, version: version)
        return try await client.connect("a") {
            $0.username = username
            $0.password = password.map { ByteBuffer(string: $0) }
        }.reasonCode
    }

    @Test(arguments: ProtocolVersion.allCases)
    func `a password is asked for where there is a file`(version: ProtocolVersion) async throws {
        try await withServer(try withPasswords()) { server in
            let attempts: [(String?, String?, ReasonCode)] = [
                ("ann", "secret", .success), ("ann", "guess", .badUserNameOrPassword),
                ("bob", "secret", .badUserNameOrPassword), ("ann", nil, .badUserNameOrPassword),
                (nil, nil, .notAuthorized),
            ]
            for (username, password, expected) in attempts where version == .v5 || username == nil || password != nil {
                let code = try await answer(server, version: version, username, password)
                #expect(code == expected)
            }
            #expect(await server.statistics.connectionsRefused == (version == .v5 ? 4 : 3))
        }
    }

    @Test func `many passwords are checked beside the traffic`() async throws {
        try await withServer(try withPasswords()) { server in
            let port = try await server.port
            try await withThrowingTaskGroup(of: ReasonCode.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let client = try await RawClient.connect(port: port)
                        return try await client.connect("client \(number)") {
                            $0.username = "ann"
                            $0.password = ByteBuffer(string: number.isMultiple(of: 2) ? "secret" : "wrong")
                        }.reasonCode
                    }
                }
                var accepted = 0
                for try await code in group where code == .success { accepted += 1 }
                #expect(accepted == 25)
            }
        }
    }

    @Test(arguments: [nil, false])
    func `a listener may have rules of its own`(allowsAnonymous: Bool?) async throws {
        var configuration = try withPasswords()
        configuration.listeners[0].access = AccessRules()
        configuration.listeners[0].allowsAnonymous = allowsAnonymous
        try await withServer(configuration) { server in
            let code = try await answer(server, version: .v5, nil, nil)
            #expect(code == (allowsAnonymous == nil ? .success : .notAuthorized))
        }
    }

    @Test func `new rules count for those who are connected`() async throws {
        var configuration = configuration()
        func rules(_ text: String) throws -> AccessControlList {
            try AccessControlList(parsing: Array(text.utf8), path: "acl")
        }
        configuration.access.acl = try rules("topic readwrite a\n")
        try await withServer(configuration) { [configuration] server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.connect("c")
            func publish(_ topic: String) async throws -> ReasonCode {
                let publish = Publish(
                    topic: try TopicName(topic), payload: ByteBuffer(), qos: .atLeastOnce, packetIdentifier: .first)
                try await client.send(.publish(publish))
                guard case .puback(let answer) = try await client.next() else { throw RawClient.End.closed }
                return answer.reasonCode
            }
            #expect(try await publish("a") == .noMatchingSubscribers)
            #expect(try await publish("b") == .notAuthorized)
            var new = configuration
            new.access.acl = try rules("topic readwrite b\n")
            try await server.reload(new)
            #expect(try await publish("a") == .notAuthorized)
            #expect(try await publish("b") == .noMatchingSubscribers)
        }
    }

    @Test func whoWouldNotBeLetInAnyMoreHasToGoAtAReload() async throws {
        var configuration = configuration { $0.allowsAnonymous = true }
        func passwords(_ users: (String, String)...) throws -> PasswordFile {
            let lines = try users.map { user, password in
                let hash = PasswordFile.hash(password: Array(password.utf8), iterations: 101, salt: [1, 2, 3])
                return "\(user):\(try #require(hash))\n"
            }
            return try PasswordFile(parsing: Array(lines.joined().utf8), path: "passwords")
        }
        configuration.access.passwords = try passwords(("ann", "1"), ("bob", "1"), ("eve", "1"))
        configuration.hooks.validateConnection = { $0.client.identifier == "friend" ? .accept : .init($0.verdict) }
        try await withServer(configuration) { [configuration] server in
            let port = try await server.port
            func connect(_ identifier: String, _ username: String?, _ password: String?) async throws -> RawClient {
                let client = try await RawClient.connect(port: port)
                let connack = try await client.connect(identifier) {
                    $0.username = username
                    $0.password = password.map { ByteBuffer(string: $0) }
                }
                #expect(connack.reasonCode == .success)
                return client
            }
            let clients = [
                try await connect("stays", "ann", "1"), try await connect("changed", "bob", "1"),
                try await connect("removed", "eve", "1"), try await connect("anonymous", nil, nil),
                try await connect("friend", "mallory", "?"),
            ]
            func connected() async -> [String] { await server.clients().map(\.client.identifier) }
            var new = configuration
            new.access.passwords = try passwords(("ann", "1"), ("bob", "2"))
            try await server.reload(new)
            #expect(await connected() == ["anonymous", "friend", "stays"])
            guard case .disconnect(let disconnect)? = try await clients[1].closed().first else {
                throw RawClient.End.closed
            }
            #expect(disconnect.reasonCode == .notAuthorized)
            new.listeners[0].allowsAnonymous = false
            try await server.reload(new)
            #expect(await connected() == ["friend", "stays"])
            withExtendedLifetime(clients) {}
        }
    }

    @Test func `a claimed name counts as with Mosquitto where no names are proven`() async throws {
        var configuration = configuration()
        configuration.access.acl = try AccessControlList(parsing: Array("user ann\ntopic read a\n".utf8), path: "acl")
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port)
            #expect(try await client.connect("a") { $0.username = "ann" }.reasonCode == .success)
            let subscription = Subscription(filter: try TopicFilter("a"))
            try await client.send(.subscribe(Subscribe(packetIdentifier: .first, subscriptions: [subscription])))
            guard case .suback(let suback) = try await client.next() else { throw RawClient.End.closed }
            #expect(suback.reasonCodes.map(\.isError) == [false])
        }
    }

    @Test func aNameThatNobodyAskedAPasswordForIsWorthNothingOnceThereAreSome() async throws {
        try await withServer(configuration()) { [configuration = configuration()] server in
            let client = try await RawClient.connect(port: try await server.port)
            #expect(try await client.connect("a") { $0.username = "ann" }.reasonCode == .success)
            var new = configuration
            new.access = try withPasswords().access
            try await server.reload(new)
            #expect(await server.clients().isEmpty)
        }
    }

    // MARK: The program's word

    @Test func whatAPartOfTheProgramHasTakenMeanwhileIsNotGivenAway() async throws {
        let (asked, decided) = (Gate(), Gate())
        var configuration = configuration()
        configuration.hooks.validateConnection = { _ in
            await asked.open()
            await decided.wait()
            return .accept
        }
        try await withServer(configuration) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.send(.connect(Connect(version: .v5, clientIdentifier: "bridge")))
            await asked.wait()
            let local = try await server.connectLocal(identifier: "bridge")
            await decided.open()
            guard case .connack(let connack) = try await client.next() else { throw RawClient.End.closed }
            #expect(connack.reasonCode == .clientIdentifierNotValid)
            #expect(await server.clients().map(\.client.listener) == ["local"])
            withExtendedLifetime(local) {}
        }
    }

    @Test func identifiersOfThePartsOfAProgramAreForNobodyElse() async throws {
        var configuration = configuration()
        configuration.reservedIdentifiers = ["$part"]
        try await withServer(configuration) { server in
            for (identifier, code) in [("$part", ReasonCode.clientIdentifierNotValid), ("$par", .success)] {
                let client = try await RawClient.connect(port: try await server.port)
                #expect(try await client.connect(identifier).reasonCode == code)
            }
            let local = try await server.connectLocal(identifier: "$part")
            #expect(await server.clients().contains { $0.client.identifier == "$part" })
            withExtendedLifetime(local) {}
        }
    }

    @Test func theHookHasTheLastWord() async throws {
        let configuration = try withPasswords {
            $0.hooks.validateConnection = { request in
                switch request.client.identifier {
                case "a":
                    request.verdict.isError
                        ? .acceptAs(username: "guest") : .refuse(.serverMoved, properties: [.serverReference("there")])
                default: .accept
                }
            }
        }
        try await withServer(configuration) { server in
            let guest = try await RawClient.connect(port: try await server.port)
            try await guest.connect("a") { $0.username = "ann" }
            #expect(await server.clients().map(\.client.username) == ["guest"])
            let client = try await RawClient.connect(port: try await server.port)
            let connack = try await client.connect("a") {
                $0.username = "ann"
                $0.password = ByteBuffer(string: "secret")
            }
            #expect(connack.reasonCode == .serverMoved)
            #expect(connack.properties.serverReference == "there")
            #expect(try await answer(server, version: .v3_1_1, "ann", "secret") == .serverUnavailable)
        }
    }

    @Test func `a hook that gives no answer lets nobody in`() async throws {
        let gate = Gate()
        var configuration = configuration()
        configuration.hooks.validateConnection = { _ in
            await gate.wait()
            return .accept
        }
        try await withServer(configuration) { server in
            await server.setHookTimeout(.milliseconds(50))
            let client = try await RawClient.connect(port: try await server.port)
            #expect(try await client.connect("a").reasonCode == .serverUnavailable)
            await gate.open()
            try await client.closed()
        }
    }

    // MARK: Enhanced authentication

    /// Wants the challenge back, twice.
    private struct Echo: ServerAuthenticator {
        let isGood: Bool
        func proceed(with data: ByteBuffer?) async -> AuthenticationStep {
            switch data.map({ String(buffer: $0) }) {
            case "hello"?: .continue(ByteBuffer(string: "who"))
            case "whowho"?: isGood ? .success(ByteBuffer(string: "proof"), username: "echo") : .failure(.banned)
            default: .failure(.badUserNameOrPassword)
            }
        }
    }

    private func withEcho(isGood: Bool = true) -> ServerConfiguration {
        var configuration = configuration { $0.allowsAnonymous = false }
        configuration.hooks.authenticators["ECHO"] = { _ in Echo(isGood: isGood) }
        return configuration
    }

    private func auth(_ code: ReasonCode, _ data: String?, method: String? = "ECHO") -> Packet {
        var properties = Properties()
        properties.authenticationMethod = method
        properties.authenticationData = data.map { ByteBuffer(string: $0) }
        return .auth(Auth(reasonCode: code, properties: properties))
    }

    private func begin(_ client: RawClient, method: String = "ECHO", data: String? = "hello") async throws {
        var connect = Connect(version: .v5, clientIdentifier: "a")
        connect.properties.authenticationMethod = method
        connect.properties.authenticationData = data.map { ByteBuffer(string: $0) }
        try await client.send(.connect(connect))
    }

    @Test func `a conversation lets a client in, and another renews it`() async throws {
        try await withServer(withEcho()) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await begin(client)
            #expect(try await client.next() == auth(.continueAuthentication, "who"))
            try await client.send(auth(.continueAuthentication, "whowho"), .pingreq)
            guard case .connack(let connack) = try await client.next() else { throw RawClient.End.closed }
            #expect(connack.reasonCode == .success)
            #expect(connack.properties.authenticationMethod == "ECHO")
            #expect(connack.properties.authenticationData == ByteBuffer(string: "proof"))
            #expect(try await client.next() == .pingresp)
            #expect(await server.clients().map(\.client.username) == ["echo"])
            try await client.send(auth(.reauthenticate, "hello"))
            #expect(try await client.next() == auth(.continueAuthentication, "who"))
            try await client.send(.pingreq)
            #expect(try await client.next() == .pingresp)
            try await client.send(auth(.continueAuthentication, "whowho"))
            #expect(try await client.next() == auth(.success, "proof"))
            try await client.send(auth(.reauthenticate, "wrong"))
            guard case .disconnect(let disconnect)? = try await client.closed().first else {
                throw RawClient.End.closed
            }
            #expect(disconnect.reasonCode == .notAuthorized)
        }
    }

    @Test func `who fails is told`() async throws {
        try await withServer(withEcho(isGood: false)) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await begin(client)
            _ = try await client.next()
            try await client.send(auth(.continueAuthentication, "whowho"))
            guard case .connack(let connack)? = try await client.closed().first else { throw RawClient.End.closed }
            #expect(connack.reasonCode == .banned)
            let other = try await RawClient.connect(port: try await server.port)
            try await begin(other, method: "UNKNOWN")
            guard case .connack(let unknown)? = try await other.closed().first else { throw RawClient.End.closed }
            #expect(unknown.reasonCode == .badAuthenticationMethod)
        }
    }

    @Test(arguments: [0, 1, 2, 3])
    func `what does not belong in a conversation ends it`(number: Int) async throws {
        let intruders: [Packet] = [
            .pingreq, auth(.continueAuthentication, "whowho", method: "OTHER"), auth(.reauthenticate, "hello"),
            .connect(Connect(version: .v5, clientIdentifier: "a")),
        ]
        try await withServer(withEcho()) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await begin(client)
            _ = try await client.next()
            try await client.send(intruders[number])
            guard case .connack(let connack)? = try await client.closed().first else { throw RawClient.End.closed }
            #expect(connack.reasonCode == .protocolError)
        }
    }

    @Test func `AUTH without a method is a protocol error`() async throws {
        try await withServer(configuration()) { server in
            let client = try await RawClient.connect(port: try await server.port)
            try await client.connect("a")
            try await client.send(auth(.reauthenticate, "hello"))
            guard case .disconnect(let disconnect)? = try await client.closed().first else {
                throw RawClient.End.closed
            }
            #expect(disconnect.reasonCode == .protocolError)
        }
    }
}

extension ServerHooks.ConnectionVerdict {
    fileprivate init(_ code: ReasonCode) { self = code.isError ? .refuse(code) : .accept }
}

extension MQTTServer {
    fileprivate func setHookTimeout(_ timeout: Duration) { hookTimeout = timeout }
}

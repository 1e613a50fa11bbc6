import Glibc
import MQTTServer
import MQTTWire
import TestSupport
import Testing

@Suite struct AccessFilesTests {
    @Test func `without files everyone may do everything`() throws {
        let rules = try AccessFiles().load()
        #expect(rules.passwords == nil && rules.acl == nil && rules.warnings.isEmpty)
        let permissions = rules.permissions(clientIdentifier: "#", username: nil)
        #expect(permissions.mayPublish(to: try TopicName("a")))
        #expect(permissions.mayReceive(try TopicName("$SYS/uptime")))
        #expect(permissions.mayEverReceive(try TopicFilter("#")))
    }

    @Test func `both files are read, with their warnings`() async throws {
        try await withTemporaryDirectory { directory in
            let hash = PasswordFileTests.one.sha512
            let files = AccessFiles(
                passwordPath: try directory.write("u:\(hash)\nu:\(hash)\n", to: "passwords"),
                accessControlPath: try directory.write("pattern read a\n", to: "acl"))
            #expect(chmod(directory.path("passwords"), 0o600) == 0)
            let rules = try files.load()
            #expect(rules.passwords?.count == 1)
            #expect(
                rules.warnings.map(\.description) == [
                    "\(directory.path("passwords")):2: \"u\" stands in line 1 already; this line counts: remove one of them",
                    "\(directory.path("acl")):1: the pattern \"a\" has neither %c nor %u; it is for everyone",
                ])
            #expect(try rules.permissions(clientIdentifier: "c", username: nil).mayReceive(TopicName("a")))
            #expect(try !rules.permissions(clientIdentifier: "c", username: nil).mayPublish(to: TopicName("a")))
        }
    }

    @Test func `the problems of both files are told together`() async throws {
        try await withTemporaryDirectory { directory in
            let files = AccessFiles(
                passwordPath: try directory.write("u:plain\n", to: "passwords"),
                accessControlPath: directory.path("acl"))
            let failure = try #require(throws: AccessFileError.self) { try files.load() }
            #expect(
                failure.description == """
                    \(directory.path("passwords")):1: the password of "u" is in plain text: \
                    mosquitto_passwd -U \(directory.path("passwords"))
                    \(directory.path("acl")): does not exist
                    """)
        }
    }
}

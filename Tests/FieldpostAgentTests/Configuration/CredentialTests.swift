import FieldpostAgent
import OpenSSLTransport
import Settings
import TestSupport
import Testing

/// Files that only the service can see.
@Suite struct CredentialTests {
    private let text = """
        sensor = []
        [broker]
        servers = ["mqtts://broker.example"]
        username = "bin"
        password_file = "${CREDENTIALS_DIRECTORY}/password"
        [broker.tls]
        ca_file = "${CREDENTIALS_DIRECTORY}/ca.pem"
        crl_file = "${CREDENTIALS_DIRECTORY}/crl.pem"
        certificate_file = "${CREDENTIALS_DIRECTORY}/bin.pem"
        key_file = "${CREDENTIALS_DIRECTORY}/key.pem"
        key_passphrase_file = "${CREDENTIALS_DIRECTORY}/pin"
        [server]
        password_file = "${CREDENTIALS_DIRECTORY}/passwords"
        acl_file = "${CREDENTIALS_DIRECTORY}/acl"
        [[listener]]
        port = 8883
        [listener.tls]
        certificate_file = "${CREDENTIALS_DIRECTORY}/server.pem"
        key_file = "${CREDENTIALS_DIRECTORY}/server-key.pem"
        [[listener]]
        name = "keys"
        port = 8884
        [listener.tls]
        psk_file = "${CREDENTIALS_DIRECTORY}/keys"
        """

    private func read(
        _ environment: [String: String], _ secrets: SecretAccess
    ) throws -> (configuration: AgentConfiguration, warnings: [Problem]) {
        let directory = try TemporaryDirectory()
        let file = try directory.write(text, to: "bins.toml")
        return try AgentConfiguration.load(path: file, environment: environment, hostName: "bin-7", secrets: secrets)
    }

    @Test func everyKeyThatNamesAFileMayNameACredential() throws {
        let folder = try TemporaryDirectory()
        try folder.write("sesame\n", to: "password")
        try folder.write("bin:00ff\n", to: "keys")
        let (configuration, _) = try read(["CREDENTIALS_DIRECTORY": folder.path], .needed)
        #expect(configuration.broker.password == Secret("sesame".utf8))
        #expect(configuration.broker.tls.trustRoots == .file(folder.path("ca.pem")))
        #expect(configuration.broker.tls.revocationLists == .file(folder.path("crl.pem")))
        #expect(
            configuration.broker.tls.certificate
                == TLSCertificate(
                    chainFile: folder.path("bin.pem"), privateKeyFile: folder.path("key.pem"),
                    passphrase: .file(folder.path("pin"))))
        #expect(configuration.server?.announcement.count == 2)
    }

    @Test func withoutThemTheServiceCannotBeginAndIsToldWhyForEach() {
        let error = #expect(throws: ConfigurationErrors.self) { try read([:], .needed) }
        let unset = error?.problems.filter { $0.message == "the environment variable CREDENTIALS_DIRECTORY is not set" }
        #expect(unset?.map { $0.position?.line } == [5, 7, 8, 9, 10, 11, 13, 14, 18, 19, 24])
        #expect(
            unset?.allSatisfy { $0.mend == "systemd sets it for a unit that says LoadCredential=NAME:FILE" } == true)
    }

    @Test func whoeverChecksFromOutsideIsToldWhatWasNotLookedAt() throws {
        let (configuration, warnings) = try read([:], .checked)
        #expect(warnings.map(\.keyPath) == ["broker.password_file"])
        #expect(
            warnings.first?.message
                == "not looked at: /run/credentials/fieldpost.service/password is there only while the service runs")
        #expect(configuration.trustProblem() == nil)
        #expect(configuration.hiddenFiles.count == 5)
        let (problems, found) = try #require(configuration.server).check(secrets: .checked)
        #expect(problems.isEmpty)
        for name in ["passwords", "acl", "server.pem", "server-key.pem", "keys"] {
            #expect(found.contains { $0.contains("/\(name) is there only") && $0.hasSuffix("=\(name):FILE") })
        }
        #expect(try #require(configuration.server).check().problems.isEmpty == false)
    }

    @Test func whoHasNoUseForSecretsIsNotBotheredWithThem() throws {
        #expect(try read([:], .ignored).warnings.isEmpty)
    }

    @Test func `An uplink's own connection is looked at as well`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            """
            [broker]
            servers = ["mqtt://broker.example"]
            [[uplink]]
            [[uplink]]
            profile = "sparkplug"
            group = "Plant 1"
            broker = { servers = ["mqtts://scada.example"], tls = { ca_file = "ca.pem" } }
            """, to: "bins.toml")
        let (configuration, _) = try AgentConfiguration.load(path: file, environment: [:])
        #expect(
            configuration.trustProblem()?.hasPrefix("uplink \"sparkplug\": broker.tls: \(directory.path)/ca.pem ")
                == true,
            "\(configuration.trustProblem() ?? "")")
    }

    @Test func `Sensors that a platform's keys name have to be there`() throws {
        for keys in [
            "profile = \"sparkplug\"\ngroup = \"a\"\ndevices = { pump = [\"flwo\"] }",
            "profile = \"onenet\"\nproduct = \"1\"\nkey = \"MDEy\"\noutputs = { Flow = \"flwo\" }",
        ] {
            let text = """
                broker = { servers = ["mqtt://broker.example"] }
                [[sensor]]
                name = "flow"
                driver = "simulated"
                kind = "sine"
                [uplink]
                \(keys)
                """
            let error = #expect(throws: ConfigurationErrors.self) {
                try AgentConfiguration.read(text.utf8, path: "bins.toml")
            }
            #expect(
                "\(try #require(error))".contains(
                    "names the sensor \"flwo\", which is not there: did you mean \"flow\"?"))
        }
    }
}

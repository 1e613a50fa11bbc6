import Glibc
import NIOCore
import TestSupport
import Testing

@testable import OpenSSLTransport

/// Keys that stay in a token, here SoftHSM's.
struct TokenTests {
    static let engine = ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/engines-3/pkcs11.so" }
        .contains { (path: String) in access(path, R_OK) == 0 }
    static let module = "/usr/lib/softhsm/libsofthsm2.so"
    static let isThere = engine && access(module, R_OK) == 0

    @Test(
        "A client's key in a token signs the handshake",
        .enabled(
            if: isThere, "SoftHSM or OpenSSL's engine is missing: apt-get install softhsm2 libengine-pkcs11-openssl"))
    func token() async {
        // SoftHSM finds its tokens through the environment, which is not to be changed under other tests.
        await #expect(processExitsWith: .success) {
            try await withTemporaryDirectory { folder in
                let authority = try await Authority.get()
                let leaf = try await authority.leaf("bin-0427", extensions: "extendedKeyUsage=clientAuth")
                let configuration = try folder.write(
                    "directories.tokendir = \(try folder.makeDirectory("tokens"))\nlog.level = ERROR\n",
                    to: "softhsm2.conf")
                setenv("SOFTHSM2_CONF", configuration, 1)
                let tool = try systemProgram("softhsm2-util")
                for arguments in [
                    ["--init-token", "--free", "--label", "board", "--pin", "2468", "--so-pin", "1357"],
                    [
                        "--import", leaf.key, "--token", "board", "--label", "mqtt", "--id", "01", "--pin", "2468",
                    ],
                ] {
                    let result = try await runProgram(tool, arguments)
                    guard result.ending == .exited(0) else {
                        throw ProgramError.failed("softhsm2-util", result.ending, output: result.errors)
                    }
                }
                let pin = try folder.write("2468\n", to: "pin")
                var (client, server) = try await HandshakeTests.pair()
                server.clientCertificates = .required(.file(authority.root))
                func key(_ object: String, _ pin: Passphrase?) -> TLSCertificate {
                    TLSCertificate(
                        chain: .file(leaf.chain),
                        privateKey: .pkcs11(
                            uri: "pkcs11:token=board;object=\(object);type=private", module: TokenTests.module, pin: pin
                        ))
                }
                // The bad ones first: an engine stays logged in.
                for certificate in [key("mqtt", .bytes(Array("0000".utf8))), key("another", .file(pin))] {
                    client.certificate = certificate
                    do throws(TLSError) {
                        _ = try TLSClientContext(client)
                        exit(certificate == key("another", .file(pin)) ? 6 : 4)
                    } catch {
                        print(error)
                        let text = "\(certificate.privateKey): the token does not give this key: "
                        guard error.code == .token, error.description.hasPrefix(text) else { exit(5) }
                    }
                }
                client.certificate = key("mqtt", .file(pin))
                for _ in 1...3 {
                    let wire = try Wire(client: client, server: server).connect()
                    guard wire.atServer.handshake?.peerCertificate?.commonName == "bin-0427" else {
                        print(wire.atClient.story, wire.atClient.errors, wire.atServer.errors)
                        exit(3)
                    }
                }
            }
        }
    }

    @Test("Without provider and engine the error says what to install")
    func noEngine() async {
        await #expect(processExitsWith: .success) {
            setenv("OPENSSL_ENGINES", "/nowhere", 1)
            let leaf = try await Authority.get().leaf("good")
            var client = TLSClientConfiguration(trustRoots: .file(leaf.chain))
            client.certificate = TLSCertificate(
                chain: .file(leaf.chain), privateKey: .pkcs11(uri: "pkcs11:token=board;object=mqtt?pin-value=2468"))
            do throws(TLSError) {
                _ = try TLSClientContext(client)
                exit(3)
            } catch {
                print(error)
                guard
                    error.description
                        == "pkcs11:token=board;object=mqtt: OpenSSL has neither a provider nor an engine “pkcs11” here; install libengine-pkcs11-openssl or pkcs11-provider (a static binary can load neither)"
                else { exit(4) }
            }
        }
    }
}

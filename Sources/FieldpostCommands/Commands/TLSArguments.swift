import Arguments
import FieldpostAgent

/// How `pub`, `sub` and `request` secure their connection, with mosquitto_pub's options.
struct TLSArguments: ParsableArguments {
    @Option(
        name: .customLong("cafile"), parsing: .unconditional,
        help: ArgumentHelp("Whom to trust, in the place of the system's store.", valueName: "file"),
        completion: .file())
    var caFile: String?

    @Option(
        name: .customLong("capath"), parsing: .unconditional,
        help: ArgumentHelp("The same as a folder.", valueName: "folder"), completion: .directory)
    var caFolder: String?

    @Flag(name: .customLong("tls-use-os-certs"), help: "TLS, trusting the system's store.")
    var trustsSystem = false

    @Option(
        name: .customLong("cert"), parsing: .unconditional,
        help: ArgumentHelp("A certificate of our own.", valueName: "file"), completion: .file())
    var certificateFile: String?

    @Option(
        name: .customLong("key"), parsing: .unconditional,
        help: ArgumentHelp("Its key, or the pkcs11: URI of a key in a token.", valueName: "file"),
        completion: .file())
    var key: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The file whose first line opens an encrypted key or a token.", valueName: "file"),
        completion: .file())
    var keyPassphraseFile: String?

    @Option(name: .customLong("keyform"), parsing: .unconditional, help: "pem, or engine for a key in a token.")
    var keyForm: String?

    @Option(name: .customLong("tls-engine"), parsing: .unconditional, help: "pkcs11 for a key in a token.")
    var engine: String?

    @Flag(help: "The broker's certificate may be another host's.")
    var insecure = false

    @Option(
        name: .customLong("tls-version"), parsing: .unconditional,
        help: ArgumentHelp("The lowest version: tlsv1.2 or tlsv1.3. (default: tlsv1.2)", valueName: "version"))
    var version: String?

    @Option(
        name: .customLong("tls-alpn"), parsing: .unconditional,
        help: ArgumentHelp("The application protocol to ask for.", valueName: "name"))
    var applicationProtocol: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The name of a pre-shared key, in the place of certificates.", valueName: "name"))
    var pskIdentity: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The key in hexadecimal; other users of this machine can read it while the command runs.",
            valueName: "key"))
    var psk: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The file whose first line is that key.", valueName: "file"), completion: .file())
    var pskFile: String?

    var options: TLSOptions {
        var options = TLSOptions()
        options.caFile = caFile
        options.caFolder = caFolder
        options.trustsSystem = trustsSystem
        options.certificateFile = certificateFile
        options.key = key
        options.keyForm = keyForm
        options.engine = engine
        options.passphraseFile = keyPassphraseFile
        options.version = version
        options.applicationProtocol = applicationProtocol
        options.pskIdentity = pskIdentity
        options.psk = psk
        options.pskFile = pskFile
        options.isInsecure = insecure
        return options
    }
}

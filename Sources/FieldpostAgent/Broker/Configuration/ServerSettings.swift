internal import MQTTServer
internal import MQTTWire
internal import Settings
internal import Units

/// `[server]`: what holds for the broker as a whole. All of it may be left out.
///
/// - `password_file`: who may come in, as `mosquitto_passwd` writes it. Default: nobody has a password.
/// - `acl_file`: who may publish and receive what, as Mosquitto has it. Default: whoever is let in may do everything.
/// - `allow_anonymous`: whether clients may come without a name. Default: only on addresses of this machine itself,
///   and not where there is a password file. A name that nobody asked a password for counts in the `acl_file`, as with
///   Mosquitto, only if no listener has a password file or takes names from certificates.
/// - `store = { path = "broker.db", durability = "strict", max_size = "256MiB" }`: keeps sessions, queues and retained
///   messages in this file, relative to the state directory. "strict" survives a power cut, "relaxed" may lose the last
///   moments with the power, though not with the process. Default: nothing is kept. While the file cannot be written, the
///   broker goes on in memory.
/// - `system_topics`: how often `$SYS/broker/#` is brought up to date; "0s": there is none. Default: "10s".
/// - `response_information`: what clients are told that ask for a place for their responses (5.0), with `%c` for the
///   client identifier. Default: nothing.
/// - `client_id_prefix`: what client identifiers must begin with. Default: anything.
/// - `limits = { … }`, see ``LimitSettings``.
enum ServerSettings {
    static func read(_ settings: SettingsReader, stateDirectory: String, into broker: inout BrokerConfiguration) {
        broker.access = AccessFiles(
            passwordPath: settings.path("password_file"), accessControlPath: settings.path("acl_file"))
        if let store = settings.table("store") {
            let path = store.string("path") ?? "broker.db"
            if path.isEmpty || path.last == "/" {
                store.problem(
                    at: "path", message: "\"\(path)\" is no file's name", mend: #"write one like "broker.db""#)
            }
            var persistence = ServerConfiguration.Persistence(
                path: path.hasPrefix("/") ? path : "\(stateDirectory)/\(path)")
            persistence.survivesPowerLoss =
                store.choice("durability", of: ["strict": true, "relaxed": false]) ?? persistence.survivesPowerLoss
            if let size = store.byteCount("max_size", in: ByteCount(bytes: 1_000_000)...) {
                persistence.maximumSize = Int(clamping: size.bytes)
            }
            broker.server.persistence = persistence
        }
        broker.server.systemInterval =
            settings.duration("system_topics", in: .zero ... .seconds(86_400)) ?? broker.server.systemInterval
        broker.server.responseInformation = settings.string("response_information")
        broker.clientPrefix = settings.string("client_id_prefix")
        if let limits = settings.table("limits") {
            LimitSettings.read(limits, into: &broker.server.limits)
            broker.maximumPayload = limits.size("max_payload_size", in: 1...LimitSettings.largestPacket)
        }
    }
}

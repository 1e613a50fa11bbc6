public import Logging

/// What an ``MQTTServer`` is to be.
public struct ServerConfiguration: Sendable {
    public var listeners: [Listener]
    public var limits = ServerLimits()
    /// Who may do what, unless a listener has its own.
    public var access = AccessRules()
    public var hooks = ServerHooks()
    /// Where sessions, retained messages and queues are kept; nil: in memory only.
    public var persistence: Persistence?
    /// How often `$SYS/broker/#` is brought up to date; zero: there is none.
    public var systemInterval: Duration = .seconds(10)
    /// What `$SYS/broker/version` says.
    public var version = "fieldpost"
    /// Client identifiers that are for ``MQTTServer/connectLocal`` only: whoever comes with one over a listener is refused.
    public var reservedIdentifiers: Set<String> = []
    /// What CONNACK says to clients that ask for Response Information (5.0 §3.2.2.3.15); `%c` stands for the client
    /// identifier. Nil: nothing.
    public var responseInformation: String?
    public var logger = Logger(label: "fieldpost.broker") { _ in SwiftLogNoOpLogHandler() }

    public struct Persistence: Sendable {
        /// The database's file; its folder must exist.
        public var path: String
        /// Whether each commit is synchronized with the disk, so that it also survives a power cut. Otherwise the
        /// last moments may be lost with the power, though not with the process.
        public var survivesPowerLoss = true
        /// Bytes that the database may take.
        public var maximumSize = 256 << 20

        public init(path: String) { self.path = path }
    }

    public init(listeners: [Listener] = []) { self.listeners = listeners }
}

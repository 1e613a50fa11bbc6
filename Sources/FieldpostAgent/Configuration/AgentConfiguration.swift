public import Logging
public import MQTT
public import MQTTWire
public import OpenSSLTransport
public import Pipeline
public import Settings
public import StoreForward
public import Units
public import Uplink

/// What an agent is told in its configuration file; each property names its key and says what stands there otherwise.
///
/// Strings may hold `${NAME}` for an environment variable. Durations and sizes have units ("30s", "64MB"). Unknown keys
/// are refused. Names of files are relative to the configuration's directory, but for the queue's.
public struct AgentConfiguration: Sendable {
    public var device: Device
    public var broker: Broker
    public var queue: Queue
    public var status: Status
    /// `[uplink]`, or several as `[[uplink]]`, in the file's order; one that says nothing if there is none.
    public var uplinks: [Uplink]
    public var log: Log
    /// `[server]` and `[[listener]]`: a broker inside the agent, for the devices around it. Without `[broker]` the agent's
    /// own messages go to it too. Default: there is none.
    public var server: BrokerConfiguration?
    /// `[[bridge]]`, in the file's order: what is carried between the broker inside and the other one.
    public var bridges: [BridgeRule]
    /// `[[sensor]]`, in the file's order.
    public var sensors: [Sensor]
    /// `[[alarm]]`, in the file's order.
    public var alarms: [AlarmRule]
    /// `[commands]`. Default: there are none.
    public var commands: CommandSettings?

    /// `[device]`
    public struct Device: Sendable, Hashable {
        /// `id`: the board's name in topics, 1 to 128 bytes without `/`, `+`, `#` and control characters.
        /// Default: the host name.
        public var id: String
        /// `position = { latitude = 31.7, longitude = 119.9 }`: where it stands, in degrees north and east (WGS 84).
        /// Default: not told.
        public var position: Position?
        /// `clock_wait`: how long readings wait for a clock that is not set, while there is a connection over which they could
        /// be told; up to a day. "0s": not at all, and a clock is believed that systemd-timesyncd is still about to set.
        public var clockWait: Duration = .seconds(30)
    }

    /// `[broker]`, the only table that must be there, unless the agent has a broker of its own.
    public struct Broker: Sendable {
        /// `servers = ["mqtts://host:8883"]`: where the broker is; at least one, none if it is the agent's own. `mqtt://` goes in the clear, and its port
        /// is 1883 if none is given; that of `mqtts://`, with TLS, is 8883. `ws://host/path` and `wss://host/path` are
        /// WebSocket, at "/mqtt" if no path is given. After each failure the next one is tried.
        public var servers: [Endpoint] = []
        /// `order`: "listed", in which the first server is the preferred one, or "shuffled", in which each board draws an
        /// order of its own when it starts, so that a fleet spreads over a cluster.
        public var order = EndpointOrder.listed
        /// `return_after`: how long a connection to another server than the first must have stood before the first is
        /// looked for, and gone back to; "0s" is never. Not for "shuffled".
        public var returnAfter: Duration? = .seconds(300)
        /// `shared_sessions`: whether the servers are one cluster that has its sessions in common, as EMQX, NATS and
        /// RabbitMQ can. Else QoS 2 is exact at each server for itself: what was under way when one is left for another
        /// may arrive twice. Where it is true without being so, messages can be lost.
        public var sharesSessions = false
        /// `follow_redirects`: whether to go where a server sends the board (version 5), with user name and password.
        public var followsRedirects = true
        /// `tls = { … }`, see ``TLSSettings``.
        public var tls = TLSClientConfiguration()
        /// `version`: "5", "3.1.1", or "auto", which is nil here: 5, and 3.1.1 where a server does not speak 5.
        public var version: ProtocolVersion?
        /// `client_id`: under which the broker keeps the session. Default: the device's id.
        public var clientID: String
        /// `username`. Default: none.
        public var username: String?
        /// `password`, or `password_file`, the file that it stands in. Default: none.
        ///
        /// A systemd unit that says `LoadCredential=password:/etc/fieldpost/password` shows it to the service alone, under
        /// `password_file = "${CREDENTIALS_DIRECTORY}/password"`; so it is with every other key that names a file. A
        /// relative name is not looked for there: which file is meant should not depend on who reads.
        public var password: Secret?
        /// `keep_alive`: how long the connection may be silent; whole seconds, 1 s to 65,535 s. The broker tells the
        /// fleet of the board's death after one and a half times as much.
        public var keepAlive = Duration.seconds(60)
        /// `connect_timeout`: for reaching the server and for its CONNACK together; 100 ms to 5 min.
        public var connectTimeout = Duration.seconds(10)
        /// `response_timeout`: for the answer to a PINGREQ; 100 ms to 5 min.
        public var responseTimeout = Duration.seconds(10)
        /// `session_expiry`: how long the broker is to keep the session of a board that is away, and with it what makes
        /// QoS 2 exact; whole seconds, up to 4,294,967,294 s. Under version 3.1.1 only whether it is more than zero: the
        /// broker's own limits end the session.
        public var sessionExpiry = Duration.seconds(24 * 3600)
        /// `maximum_in_flight`: how many messages may await their acknowledgement; 1 to 32,768. A broker may ask for
        /// fewer under version 5; under 3.1.1 it cannot, and Mosquitto bears no more than its `max_inflight_messages`.
        public var maximumInFlight = 20
        /// `maximum_qos`: messages of a higher QoS are sent at this one, 0, 1 or 2: for brokers that have no QoS 2 and do
        /// not say so, as NATS.
        public var maximumQoS = QoS.exactlyOnce
        /// `reconnect`
        public var reconnect = Reconnect()

        /// `reconnect = { base = "1s", cap = "2m", stable_after = "1m" }`: random waits between attempts, up to `base`
        /// at first, twice as much after each failure, `cap` at most.
        public struct Reconnect: Sendable, Hashable {
            /// `base`: 10 ms or more.
            public var base = Duration.seconds(1)
            /// `cap`: no less than `base`.
            public var cap = Duration.seconds(120)
            /// `stable_after`: how long a connection must have stood for the next wait to begin at `base` again.
            public var stableAfter = Duration.seconds(60)
        }
    }

    /// `[queue]`: what waits for the broker, on disk.
    public struct Queue: Sendable, Hashable {
        /// `path`. A relative one is relative to the state directory: the one that systemd made
        /// (`StateDirectory=`), else `/var/lib/fieldpost` for a configuration under `/etc`, else the configuration's own.
        /// Default: "queue.db".
        public var path: String
        /// `max_size`: how large the file may become; 1 MB or more.
        public var maximumSize = ByteCount(bytes: 64_000_000)
        /// `max_rows`: how many messages may wait. Default: as many as `max_size` holds.
        public var maximumRows: Int?
        /// `max_age`: after which a message is given up; 1 s or more.
        public var maximumAge = Duration.seconds(30 * 86_400)
        /// `durability`: "strict", every message is on disk before it is sent, or "relaxed", the last ones may be lost
        /// when the power fails.
        public var durability = Durability.strict
        /// `commit_interval`: how long a message may wait for others, to go to disk with them; 0 s to 10 s.
        public var commitInterval = Duration.milliseconds(50)
        /// `commit_count`: how many go to disk together at most; 1 to 10,000.
        public var commitCount = 256

        /// `backlog`
        public var backlog = Backlog()

        public enum Durability: String, Sendable, Hashable, CaseIterable { case strict, relaxed }

        /// `backlog = { order = "first", rate = 50, mark = "property" }`: what becomes, once there is a connection, of
        /// the messages that waited for it.
        public struct Backlog: Sendable, Hashable {
            /// `order`: "first", so that each topic's messages come in order, or "last": what is new goes ahead of what
            /// waited, each of the two in order. Messages of a higher priority go ahead in any case.
            public var order = OutboxOptions.BacklogOrder.first
            /// `rate`: at most so many messages a second of the priorities normal and low; above 0. Default: as fast as
            /// the broker takes them.
            public var rate: Double?
            /// `mark`: how they are told from others: "none", "property" (a user property `backlog`, version 5 only),
            /// "payload" (`"backlog":true` in it) or "both".
            public var mark = BacklogMark.none
        }
    }

    /// `[status]`: the retained message that tells whether the board lives.
    public struct Status: Sendable, Hashable {
        /// `topic`: with `{device}` to be filled in. Default: "fieldpost/{device}/status".
        public var topic: TopicName
        /// `every`: how often it is repeated while the board is online; 1 s or more.
        public var every = Duration.seconds(300)
        /// `will_delay`: how long the broker waits, whether a board that was lost comes back, before it publishes the
        /// will; whole seconds, up to 4,294,967,295 s, but no longer than `session_expiry`. Only under version 5.
        public var willDelay = Duration.zero
    }

    /// `[log]`
    public struct Log: Sendable, Hashable {
        /// `level`: "trace", "debug", "info", "notice", "warning", "error" or "critical".
        public var level = Logger.Level.info
    }
}

public import MQTT
public import MQTTWire
internal import NIOCore

/// `[[bridge]]`: which topics are carried between the broker inside the agent and the one it talks to.
///
///     [[bridge]]
///     topics = ["sensors/#"]
///     remote_prefix = "site/{device}/"
///
/// What goes out is in the agent's queue, on disk, before the broker inside forgets it: a device's message reaches the
/// far broker as one of the agent's own readings does (D1), in order within its topic (D4), and with the time at which
/// it was accepted here. Strings may hold `{device}` for the device's id.
public struct BridgeRule: Sendable, Hashable {
    public enum Direction: String, Sendable, Hashable, CaseIterable { case out, `in`, both }

    public enum Stamp: String, Sendable, Hashable, CaseIterable {
        case property, payload, none
    }

    /// `topics`: what is carried, as filters with `+` and `#`, without the prefixes; "" with a prefix on both sides is
    /// the one topic that the prefix names.
    public var topics: [String]
    /// `direction`: "out", from the broker inside to the far one; "in", from there; or "both".
    public var direction = Direction.out
    /// `local_prefix`: stands before the topics at the broker inside. Default: nothing.
    public var localPrefix = ""
    /// `remote_prefix`: stands before the topics at the far broker. Default: nothing.
    public var remotePrefix = ""
    /// `qos`: 0, 1 or 2; messages of a higher one are carried at this.
    public var qos = QoS.atLeastOnce
    /// `retain`: whether retained messages stay so on the other side, those from before the rule among them. From a far
    /// broker that speaks 3.1.1 only what is retained already shows itself as such.
    public var retain = true
    /// `priority` of what goes out: "low", "normal", "high" or "urgent".
    public var priority = Priority.normal
    /// `expiry`: after which a message is not worth carrying; 1 s or more. What a message says itself, under 5.0, counts
    /// if it is less. Default: never.
    public var expiry: Duration?
    /// `stamp`: how what goes out tells when it was accepted here: by the user property `time`, which version 3.1.1 does
    /// not carry; in the payload, which becomes `{"time":"…","value":…}`; or "none". A device that speaks 5.0 and gives
    /// the property itself is believed.
    public var stamp = Stamp.property

    public init(topics: [String]) { self.topics = topics }

    var goesOut: Bool { direction != .in }
    var comesIn: Bool { direction != .out }
}

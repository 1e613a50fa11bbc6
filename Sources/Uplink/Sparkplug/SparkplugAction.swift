public import MQTT

/// What a message that came for a ``SparkplugStore`` asks of its owner.
public enum SparkplugAction: Sendable, Hashable {
    /// A host sets an output; Sparkplug has no answer to it but the output's new reading.
    case command(RemoteCommand)
    /// A host wanted something that is not to be had; for the log.
    case refused(CommandError)
    /// To be published at once, past the store: the node's death, because its primary host is gone.
    case publish(Message)
    /// The primary host is offline, and the store gives nothing out until it is back. With further servers, leave this
    /// one for the next (Sparkplug 3.0 §5.4); with one only, staying does as well, and notices earlier when it is back.
    case hostOffline
}

/// What a ``SparkplugStore`` has done since it was made.
public struct SparkplugStatistics: Sendable, Hashable {
    /// NBIRTHs, each with its DBIRTHs.
    public var births = 0
    /// Commands that asked for them.
    public var rebirthsAsked = 0
    /// Births and deaths that the client could not send.
    public var unsent = 0
    /// NDEATHs of earlier connections of ours that came late, or that were nobody's.
    public var lateDeaths = 0
    /// NDEATHs of the present connection while it stood.
    public var falseDeaths = 0
    /// Commands and STATEs that were malformed, too old, or of something that cannot be set.
    public var ignored = 0
    /// Messages that were sent again because their connection ended before it had shown that they had arrived.
    public var repeated = 0
    /// Messages of the queue that could not be told: foreign ones, or of more metrics than there may be.
    public var dropped = 0
}

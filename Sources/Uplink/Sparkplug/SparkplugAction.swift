public import MQTT

/// What a message that came for a ``SparkplugStore`` asks of its owner.
public enum SparkplugAction: Sendable, Hashable {
    /// A host sets an output; Sparkplug has no answer to it but the output's new reading.
    case command(RemoteCommand)
    /// A host wanted something that is not to be had; for the log.
    case refused(CommandError)
    /// The primary host is offline, and the store gives nothing out until it is back.
    ///
    /// If the node was born, its death is to be published at once, past the store, and then this connection is to be left
    /// for another one, on which it waits for the host (Sparkplug 3.0 §5.4, §6.4.28). A node without a birth stays, unless
    /// there is a further server where the host may be.
    case hostOffline(death: Message?)

    var isHostOffline: Bool { if case .hostOffline = self { true } else { false } }
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

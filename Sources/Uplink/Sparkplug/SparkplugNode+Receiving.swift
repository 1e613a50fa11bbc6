internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Sensing
internal import Units

/// What a node knows of its primary host on one connection.
struct HostState: Sendable {
    var isOnline: Bool?
    /// When the host said so, by its own clock.
    var time: Double?
}

extension SparkplugNode {
    /// More values than this in one command are not looked at.
    private static let maximumCommands = 256

    /// - Returns: nil when it is nothing that the node has subscribed to.
    mutating func receive(_ topic: String, _ payload: ByteBuffer) throws(TopicError) -> [SparkplugAction]? {
        if topic == settings.stateTopic { return try receiveState(payload) }
        if topic == (try settings.topic(.death)).string { return receiveDeath(payload) }
        let command = try settings.topic(.command).string
        if topic == command { return receiveCommand(payload, device: nil) }
        let device = "\(SparkplugSettings.namespace)\(settings.group)/DCMD/\(settings.node)/"
        guard topic.hasPrefix(device) else { return nil }
        return receiveCommand(payload, device: String(topic.dropFirst(device.count)))
    }

    /// `{"online":true,"timestamp":1763672400123}` (§4.5, §6.4.28). One that is older than what is known already is late:
    /// a will, mostly, of a connection that the host has replaced.
    private mutating func receiveState(_ payload: ByteBuffer) throws(TopicError) -> [SparkplugAction] {
        guard payload.readableBytes <= 4096,
            let state = try? JSONReader.value(Array(payload.readableBytesView)[...]),
            let isOnline = state["online"]?.boolean, let time = state["timestamp"]?.number
        else {
            statistics.ignored += 1
            return []
        }
        if let last = host.time, time < last {
            statistics.ignored += 1
            return []
        }
        let wasOnline = host.isOnline
        host = HostState(isOnline: isOnline, time: time)
        if isOnline {
            if wasOnline != true { wantBirth() }
            return []
        }
        guard wasOnline != false else { return [] }
        let wasBorn = isBorn
        fallSilent()
        return [.hostOffline(death: wasBorn ? try death(bdSeq: bdSeq) : nil)]
    }

    /// Somebody says that the node is dead: the server, of a connection of ours that has ended, and late. Hosts know by
    /// the number that another connection is meant (§5.4); if it is this one, they must be told that it is not true.
    private mutating func receiveDeath(_ payload: ByteBuffer) -> [SparkplugAction] {
        let death = try? SparkplugPayload(decoding: payload)
        let metric = death?.metrics.first { $0.name == Self.bdSeqName }
        guard isBorn, case .number(let number)? = metric?.value?.reading(as: .int64), number == Double(bdSeq) else {
            statistics.lateDeaths += 1
            return []
        }
        statistics.falseDeaths += 1
        wantBirth()
        return []
    }

    private mutating func receiveCommand(_ payload: ByteBuffer, device: String?) -> [SparkplugAction] {
        guard let command = try? SparkplugPayload(decoding: payload) else {
            statistics.ignored += 1
            return [.refused(CommandError(.malformed, "a command that is no Sparkplug payload"))]
        }
        return command.metrics.prefix(Self.maximumCommands).compactMap { metric in
            guard let name = metric.name else {
                statistics.ignored += 1
                return .refused(
                    CommandError(.malformed, "a command without a metric's name; aliases are not used here"))
            }
            if device == nil, name == Self.rebirthName {
                // Also when the births are under way: whoever asks may have begun to listen behind them.
                if metric.value == .boolean(true) {
                    statistics.rebirthsAsked += 1
                    if isBorn { wantBirth() }
                }
                return nil
            }
            return set(name, metric, device)
        }
    }

    private mutating func set(_ name: String, _ metric: SparkplugMetric, _ device: String?) -> SparkplugAction {
        func refused(_ kind: CommandError.Kind, _ why: String) -> SparkplugAction {
            statistics.ignored += 1
            return .refused(CommandError(kind, "the metric \"\(name.prefix(200))\" \(why)"))
        }
        guard let sensor = output(name), settings.device(of: sensor) == device else {
            return refused(.forbidden, "is no output")
        }
        let known = knownType(of: name, in: device)
        guard var value = metric.value?.reading(as: metric.type ?? known) else {
            return refused(.malformed, "was given no number, boolean or text")
        }
        if known == .boolean, case .number(let number) = value, number == 0 || number == 1 {
            value = .boolean(number == 1)
        }
        let channel = name == sensor ? nil : String(name.dropFirst(sensor.count + 1))
        return .command(.set(sensor: sensor, channel: channel, value: value))
    }

    /// The output that a metric is of.
    private func output(_ name: String) -> String? {
        var sensor = name[...]
        while !outputs.contains(String(sensor)) {
            guard let slash = sensor.lastIndex(of: "/") else { return nil }
            sensor = sensor[..<slash]
        }
        return String(sensor)
    }
}

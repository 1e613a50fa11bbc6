internal import MQTT
internal import MQTTWire
internal import Units

/// An Edge Node (Sparkplug 3.0 §5.4 to §5.8) as a value: what it knows, what it has told on the present connection,
/// and what it has to tell before it may tell more. It knows no socket, queue or clock.
///
/// What it tells has two sides. The *picture* is the newest that is known of each metric, and becomes the births. What was
/// *told* is the hosts' view: which metrics were born, and with which types. A metric that was not born is not told
/// before all is born again.
///
/// A device is dead when all of its sensors that ever said anything have failed. It is told so (DDEATH) once all that
/// waits has been told, and is born again (DBIRTH) before the next thing that is to be told of it.
struct SparkplugNode: Sendable {
    /// The node itself, or one of its devices.
    private struct Part {
        /// The newest that is known, by name.
        var metrics: [String: SparkplugMetric] = [:]
        /// Sensors that have said something, if only that they fail.
        var sensors: Set<String> = []
        var failed: Set<String> = []
        var isDead: Bool { !sensors.isEmpty && sensors == failed }
    }

    /// What hosts know of the node or a device on this connection.
    struct Told {
        struct Metric {
            var type: SparkplugType?
            var unit: String?
            var quality: SparkplugQuality
        }

        var metrics: [String: Metric]
        /// The newest message that its birth knew of.
        var bornBehind: Int64
    }

    let settings: SparkplugSettings
    /// Sensors that can be set.
    let outputs: Set<String>

    /// By device; the node itself is nil.
    private var parts: [String?: Part] = [:]
    private var metricCount = 0
    /// The queue's newest message that was learned.
    private var lastLearned: Int64 = 0

    // Of the present connection.
    private(set) var bdSeq: UInt8 = 0
    private(set) var isSubscribed = false
    var host = HostState()
    private var seq: UInt8 = 0
    private(set) var told: [String?: Told] = [:]
    private(set) var isBirthDue = false
    private var lastBirth: ContinuousClock.Instant?

    var statistics = SparkplugStatistics()

    init(_ settings: SparkplugSettings, outputs: Set<String> = []) {
        self.settings = settings
        self.outputs = outputs
    }

    // MARK: The connection

    mutating func connectionBegan(bdSeq: UInt8) {
        connectionEnded()
        self.bdSeq = bdSeq
    }

    mutating func connectionEnded() {
        isSubscribed = false
        // Another server may have another word of the host, and an older one.
        host = HostState()
        told = [:]
        isBirthDue = false
        lastBirth = nil
    }

    /// What the node must hear is heard from now on.
    mutating func subscribed() {
        guard !isSubscribed else { return }
        isSubscribed = true
        isBirthDue = true
    }

    /// Nothing is told any more, until it is born again.
    mutating func fallSilent() { told = [:] }

    /// The node goes, before its connection does.
    mutating func close() {
        fallSilent()
        isSubscribed = false
    }

    /// Whether it may publish: it would hear commands, and its primary host listens (§5.4).
    var maySpeak: Bool { isSubscribed && (settings.primaryHost == nil || host.isOnline == true) }

    var isBorn: Bool { told[nil] != nil }

    /// The NDEATH that goes with this number: the connection's will, and the last word of a clean end (§5.5, §6.4.25).
    func death(bdSeq: UInt8) throws(TopicError) -> Message {
        let metric = SparkplugMetric(Self.bdSeqName, .long(UInt64(bdSeq)), type: .int64)
        return Message(
            topic: try settings.topic(.death), payload: SparkplugPayload(metrics: [metric]).encoded, qos: .atLeastOnce)
    }

    // MARK: Learning

    /// All that stands in the queue up to this message was learned.
    mutating func didLearn(upTo message: Int64) { lastLearned = max(lastLearned, message) }

    /// Takes note of what is reported, before it is told.
    ///
    /// - Parameter areNewest: whether the values are the newest, too, and not only names and types.
    mutating func learn(_ metrics: [SparkplugMetric], areNewest: Bool) {
        for metric in metrics {
            guard let name = metric.name, !Self.isReserved(name) else { continue }
            let (sensor, device) = settings.owner(ofMetric: name)
            if metric.type == nil {
                if areNewest { learnFailure(of: name, device, metric, ofAll: name == sensor) }
                continue
            }
            if parts[device]?.metrics[name] != nil {
                if areNewest { parts[device]?.metrics[name] = metric }
            } else if metricCount < settings.maximumMetrics {
                var known = metric
                if !areNewest {
                    known.value = nil
                    known.time = nil
                    known.quality = .stale
                }
                metricCount += 1
                parts[device, default: Part()].metrics[name] = known
            } else {
                continue
            }
            if areNewest {
                parts[device]?.sensors.insert(sensor)
                parts[device]?.failed.remove(sensor)
            }
        }
    }

    private mutating func learnFailure(
        of sensor: String, _ device: String?, _ failure: SparkplugMetric, ofAll: Bool
    ) {
        var part = parts[device] ?? Part()
        for name in part.metrics.keys where Self.isOf(sensor, name) {
            part.metrics[name]?.value = nil
            part.metrics[name]?.time = failure.time
            part.metrics[name]?.quality = .bad
        }
        if ofAll {
            part.sensors.insert(sensor)
            part.failed.insert(sensor)
        }
        parts[device] = part
    }

    /// `metric` is `sensor`, or one of its channels.
    private static func isOf(_ sensor: String, _ metric: String) -> Bool {
        metric == sensor || metric.hasPrefix("\(sensor)/")
    }

    /// The type that a metric has at present.
    func knownType(of name: String, in device: String?) -> SparkplugType? { parts[device]?.metrics[name]?.type }

    // MARK: Births

    static let bdSeqName = "bdSeq"
    static let rebirthName = "Node Control/Rebirth"

    /// Names that the specification has given away.
    private static func isReserved(_ name: String) -> Bool { name == bdSeqName || name.hasPrefix("Node Control/") }

    mutating func wantBirth() { isBirthDue = true }

    /// How long births have to wait, not to be a flood; nil: they may be told at once.
    func birthWait(at now: ContinuousClock.Instant) -> Duration? {
        guard let lastBirth else { return nil }
        let wait = now.duration(to: lastBirth + settings.rebirthWait)
        return wait > .zero ? wait : nil
    }

    /// NBIRTH and, for each device that is alive, DBIRTH (§6.4.19, §6.4.21).
    mutating func births(at now: ContinuousClock.Instant, _ time: Timestamp) throws(TopicError) -> [Message] {
        isBirthDue = false
        lastBirth = now
        told = [:]
        seq = 0
        statistics.births += 1
        var messages = [try birth(of: nil, at: time)]
        for (device, part) in parts.sorted(by: { $0.key ?? "" < $1.key ?? "" }) where device != nil && !part.isDead {
            messages.append(try birth(of: device, at: time))
        }
        return messages
    }

    private mutating func birth(of device: String?, at time: Timestamp) throws(TopicError) -> Message {
        let part = parts[device] ?? Part()
        var metrics = part.metrics.values.map { known in
            var metric = known
            metric.time = metric.time ?? time
            metric.quality = metric.quality ?? .good
            return metric
        }
        // Within a payload values are in the order of their times (§5.12).
        metrics.sort { ($0.time ?? time, $0.name ?? "") < ($1.time ?? time, $1.name ?? "") }
        if device == nil {
            metrics.insert(SparkplugMetric(Self.rebirthName, .boolean(false), type: .boolean, time: time), at: 0)
            metrics.insert(SparkplugMetric(Self.bdSeqName, .long(UInt64(bdSeq)), type: .int64, time: time), at: 0)
        }
        told[device] = Told(
            metrics: part.metrics.mapValues {
                Told.Metric(type: $0.type, unit: $0.unit, quality: $0.quality ?? .good)
            }, bornBehind: lastLearned)
        return try message(.birth, device, metrics, at: time)
    }

    private mutating func message(
        _ verb: SparkplugSettings.Verb, _ device: String?, _ metrics: [SparkplugMetric], at time: Timestamp
    ) throws(TopicError) -> Message {
        let topic = try settings.topic(verb, device: device)
        defer { seq &+= 1 }
        return Message(
            topic: topic, payload: SparkplugPayload(time: time, seq: seq, metrics: metrics).encoded, qos: .atMostOnce,
            priority: .high)
    }

    // MARK: Telling

    enum Telling {
        /// In this order; the last one is the message itself.
        case now([Message])
        /// It holds what was not born.
        case birthFirst
        /// There is nothing to be told.
        case nothing
        /// It is no message of ours, or all that it holds was dropped.
        case never
    }

    /// A message of the queue, as it is to be published.
    ///
    /// It is history when it waited for the connection, or for a birth, which has told something newer.
    mutating func tell(_ stored: StoredMessage, at time: Timestamp) throws(TopicError) -> Telling {
        let message = stored.message
        guard let payload = try? SparkplugPayload(decoding: message.payload), let name = payload.metrics.first?.name
        else { return .never }
        guard isBorn else {
            isBirthDue = true
            return .birthFirst
        }
        learn(payload.metrics, areNewest: false)
        let (sensor, device) = settings.owner(ofMetric: name)
        let metrics = payload.metrics.flatMap { expanded($0, device) }.filter { known($0, device) != nil }
        guard !metrics.isEmpty else {
            // A sensor that has failed from the first has no metrics yet.
            return payload.metrics.allSatisfy { $0.type == nil && Self.isOf(sensor, $0.name ?? "") } ? .nothing : .never
        }
        var messages: [Message] = []
        if device != nil, told[device] == nil { messages.append(try birth(of: device, at: time)) }
        guard metrics.allSatisfy({ isTold($0, device) }) else {
            // A device's birth that was just made would be told twice, so it is not told at all.
            isBirthDue = true
            return .birthFirst
        }
        let isHistorical = stored.isBacklog || stored.id.sequence <= told[device]?.bornBehind ?? 0
        var ready = try self.message(.data, device, metrics.map { rewritten($0, device, isHistorical) }, at: time)
        ready.priority = message.priority
        ready.expiry = message.expiry
        ready.properties = message.properties
        return .now(messages + [ready])
    }

    /// A failure is one of each of the sensor's metrics.
    private func expanded(_ metric: SparkplugMetric, _ device: String?) -> [SparkplugMetric] {
        guard metric.type == nil, let sensor = metric.name else { return [metric] }
        let names = (parts[device]?.metrics.keys.filter { Self.isOf(sensor, $0) } ?? []).sorted()
        return names.map { name in
            var metric = metric
            metric.name = name
            metric.type = told[device]?.metrics[name]?.type
            return metric
        }
    }

    private func known(_ metric: SparkplugMetric, _ device: String?) -> SparkplugMetric? {
        metric.name.flatMap { parts[device]?.metrics[$0] }
    }

    /// Whether the metric was born, and with its type, unless it is the type that it has no longer.
    private func isTold(_ metric: SparkplugMetric, _ device: String?) -> Bool {
        guard let name = metric.name, let told = told[device]?.metrics[name] else { return false }
        return metric.type == nil || metric.type == told.type || metric.type != known(metric, device)?.type
    }

    /// Without what the birth has said already.
    private mutating func rewritten(
        _ metric: SparkplugMetric, _ device: String?, _ isHistorical: Bool
    ) -> SparkplugMetric {
        guard let name = metric.name, var told = told[device]?.metrics[name] else { return metric }
        var metric = metric
        // What has a type that the metric has no longer has been replaced already, by something behind it.
        metric.isHistorical = isHistorical || metric.type != told.type
        if metric.type == told.type { metric.type = nil }
        if metric.unit == told.unit { metric.unit = nil }
        if !metric.isHistorical {
            let quality = metric.quality ?? .good
            // Only what changes is told of, this too.
            metric.quality = quality == told.quality ? nil : quality
            told.quality = quality
            self.told[device]?.metrics[name] = told
        }
        return metric
    }

    /// Whether a device has died that hosts believe to be alive.
    var hasDeaths: Bool { parts.contains { told[$0.key] != nil && $0.key != nil && $0.value.isDead } }

    /// DDEATH for each such device (§6.4.26). To be told when nothing more is to be told of it.
    mutating func deaths(at time: Timestamp) throws(TopicError) -> [Message] {
        var messages: [Message] = []
        for (device, part) in parts.sorted(by: { $0.key ?? "" < $1.key ?? "" })
        where device != nil && part.isDead && told[device] != nil {
            messages.append(try message(.death, device, [], at: time))
            told[device] = nil
        }
        return messages
    }
}

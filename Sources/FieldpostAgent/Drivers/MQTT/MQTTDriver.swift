internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import OpenSSLTransport
public import Sensing
public import Settings
public import Units

/// `driver = "mqtt"`: what small devices around the board say over MQTT becomes readings of the board, with its time,
/// its queue and its topics.
///
///     [[sensor]]
///     name = "garden"
///     driver = "mqtt"
///     subscribe = "garden/+/moisture"      # channels "bed", "lawn", …
///     unit = "%"
///     every = "1m"
///     stale_after = "30m"
///
///     [[sensor]]
///     name = "weather"
///     driver = "mqtt"
///     subscribe = "weather/state"
///     from = "mqtts://house.example"
///     username = "reader"
///     password_file = "/etc/fieldpost/house.password"
///     format = "json"
///     channels = { temperature = "outside.temp", wind = "wind.speed" }
///     units = { temperature = "°C", wind = "m/s" }
///
/// Options:
/// - `subscribe`: a topic filter, or several. What a wildcard stands for is the channel, of several wildcards joined by
///   "."; channels that the payload gives follow behind another ".".
/// - `from`: "inside", the broker in the agent; "upstream", the one that the agent publishes to; or the URL of another.
///   Default: the one inside, if there is one.
/// - `username`, `password` or `password_file`, `ca_file`: for a URL.
/// - `format`, `pattern`, `path`, `channels`, `precision`, `unit`, `units`: what a payload holds, see ``TextFormat``.
///   Default: a number.
/// - `stale_after`: on the grid that `every` gives, the last values are given once more, and are stale when they are
///   older than that; a device that has said nothing for so long since the start fails the sensor. Wants `every`.
///
/// Messages arrive at QoS 1. A stop first leaves to the broker what comes, and then puts what has come into the queue;
/// what waits at the one inside, or the agent's own, comes with the next start. What a broker had retained before it was
/// asked is given as stale: nobody knows when it was measured, and alarms leave it alone. Up to 1,000 messages or 1 MB wait
/// for the sensor; what is beyond is given up, counted, and told.
///
/// A filter that takes in what the agent itself publishes is refused, unless a broker elsewhere is named.
///
/// Failure modes: the broker is not connected, or does not permit the subscription; a payload that is not of the format
/// (the good ones among several messages are given).
public struct MQTTDriver: EventDriver {
    public static let name = "mqtt"

    /// Where the messages come from.
    enum Source: Sendable, Hashable {
        case inside
        case upstream
        case broker(Broker)
    }

    struct Broker: Sendable, Hashable {
        var endpoint: Endpoint
        var username: String?
        var password: Secret?
        /// Absolute; nil: the system's trust store.
        var caFile: String?
    }

    let filters: [TopicFilter]
    /// Nil: wherever the agent thinks best.
    let source: Source?
    let inlet = MQTTInlet()

    private let format: TextFormat
    private let staleAfter: Duration?
    private var start: Timestamp?
    private var last: [(channel: String?, measurement: Measurement, time: Timestamp)] = []

    /// How many channels are remembered for repetition.
    private static let channelLimit = 1_000
    /// How many messages are taken at once.
    private static let batch = 100

    public init?(_ settings: SettingsReader, context: DriverContext) {
        settings.require("subscribe", mend: #"name a topic: subscribe = "garden/+/moisture""#)
        let parse = { (text: String) throws(InvalidText) -> TopicFilter in
            do {
                return try TopicFilter(text)
            } catch {
                throw InvalidText("\"\(text)\" is no topic filter", mend: #"write one like "garden/+/moisture""#)
            }
        }
        let filters =
            settings.isPlural("subscribe")
            ? settings.parsedAll("subscribe", parse) : settings.parsed("subscribe", parse).map { [$0] }
        source = Self.source(settings)
        format = TextFormat(settings)
        staleAfter = settings.duration("stale_after", in: .milliseconds(10)...)
        if staleAfter != nil, !settings.has("every") {
            settings.problem(
                at: "stale_after", message: "is looked at when the sensor is read, which it never is",
                mend: #"add every = "1m""#)
        }
        guard let filters else { return nil }
        self.filters = filters
    }

    private static func source(_ settings: SettingsReader) -> Source? {
        let username = settings.string("username")
        let password = settings.secret("password")
        let caFile = settings.path("ca_file")
        let text = settings.string("from")
        switch text {
        case nil, "inside", "upstream":
            for key in ["username", "password", "password_file", "ca_file"] where settings.has(key) {
                settings.problem(
                    at: key, message: "is for another broker", mend: #"name it: from = "mqtts://HOST""#)
            }
            return text == nil ? nil : text == "inside" ? .inside : .upstream
        default:
            return settings.parsed("from", Endpoint.init(parsing:)).map {
                .broker(Broker(endpoint: $0, username: username, password: password, caFile: caFile))
            }
        }
    }

    /// Whether the agent's own messages go through the same broker, or may.
    /// - Parameter ports: those of the broker inside the agent.
    func mayHear(portsOfThisMachine ports: [Int]) -> Bool {
        guard case .broker(let broker) = source else { return true }
        let host = broker.endpoint.host
        let isThisMachine = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        return isThisMachine && ports.contains(broker.endpoint.port)
    }

    public var listens: Bool { true }

    public mutating func open(at now: Timestamp) throws(SensorError) -> Int32 {
        guard inlet.descriptor >= 0 else {
            throw SensorError(
                .unavailable, "the sensor", "got no eventfd from the system", mend: "too many files are open")
        }
        return inlet.descriptor
    }

    public mutating func receive(at now: Timestamp) throws(SensorError) -> [Measurement] {
        let content = inlet.take(Self.batch)
        var measured: [Measurement] = []
        var failure: SensorError?
        var failures = 0
        var failing: [String: String] = [:]
        for message in content.messages {
            let good: [Measurement]
            do {
                good = try measurements(of: message)
            } catch {
                failures += 1
                failure = failure ?? error
                failing.merge(error.failing) { _, last in last }
                good = error.measured
            }
            for channel in good.compactMap(\.channel) { failing[channel] = nil }
            measured += good
        }
        if content.dropped > 0 {
            failure = SensorError(
                .lost, "the sensor", "gave up \(content.dropped) messages: more came than it could take",
                mend: "the agent's queue or disk is too slow for them")
        } else if failures > 1 {
            failure?.problem += " (and \(failures - 1) more messages)"
        }
        guard var error = failure ?? content.trouble else { return measured }
        error.measured = measured
        error.failing = failing
        throw error
    }

    /// What was said last, once more.
    public mutating func read(at now: Timestamp) throws(SensorError) -> [Measurement] {
        if let trouble = inlet.trouble { throw trouble }
        let start = self.start ?? now
        self.start = start
        guard let staleAfter else { return [] }
        if last.isEmpty, now - start >= staleAfter {
            throw SensorError(
                .unavailable, filters.map(\.string).joined(separator: ", "),
                "has brought nothing since the start, \((now - start).compact) ago", mend: "does the device live?")
        }
        return last.map { entry in
            var measurement = entry.measurement
            let age = now - entry.time
            if age > staleAfter { measurement.quality = .stale("said \(age.compact) ago") }
            return measurement
        }
    }

    private mutating func measurements(of message: MQTTInlet.Message) throws(SensorError) -> [Measurement] {
        let prefix = channel(of: message.topic)
        let measured: [Measurement]
        var failure: SensorError?
        do {
            measured = try format.measurements(of: Array(message.payload.readableBytesView), from: message.topic.string)
        } catch {
            measured = error.measured
            failure = error
        }
        let named = measured.map { measurement in
            var measurement = measurement
            measurement.channel = [prefix, measurement.channel].compactMap { $0 }.joined(separator: ".")
            if measurement.channel == "" { measurement.channel = nil }
            // Its own, if the payload has one.
            measurement.time = measurement.time ?? message.time
            if message.isRetained, case .good = measurement.quality {
                measurement.quality = .undated("retained by the broker: nobody knows since when")
            }
            return measurement
        }
        for measurement in named { remember(measurement, at: message.time) }
        guard var failure else { return named }
        failure.measured = named
        if let prefix {
            let named = failure.failing.map { ("\(prefix).\($0.key)", $0.value) }
            failure.failing = Dictionary(named) { first, _ in first }
            // Otherwise there is no channel of that name, and nothing would ever end its failure.
            if failure.failing.isEmpty, failure.measured.isEmpty, format.isPlain {
                failure.failing = [prefix: "\(failure)"]
            }
        }
        throw failure
    }

    private mutating func remember(_ measurement: Measurement, at time: Timestamp) {
        guard staleAfter != nil else { return }
        if let index = last.firstIndex(where: { $0.channel == measurement.channel }) {
            last[index] = (measurement.channel, measurement, time)
        } else if last.count < Self.channelLimit {
            last.append((measurement.channel, measurement, time))
        }
    }

    /// What the wildcards of the first filter that fits stand for.
    private func channel(of topic: TopicName) -> String? {
        guard let filter = filters.first(where: { $0.matches(topic) }) else { return nil }
        return Self.wildcards(of: filter.string, in: topic.string)
    }

    static func wildcards(of filter: String, in topic: String) -> String? {
        var wanted = filter.split(separator: "/", omittingEmptySubsequences: false)[...]
        // $share/group/filter
        if wanted.first == "$share" { wanted = wanted.dropFirst(2) }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        var found: [Substring] = []
        for (offset, level) in wanted.enumerated() {
            if level == "#" {
                found += levels.dropFirst(offset)
            } else if level == "+", offset < levels.count {
                found.append(levels[offset])
            }
        }
        return found.isEmpty ? nil : found.joined(separator: ".")
    }
}

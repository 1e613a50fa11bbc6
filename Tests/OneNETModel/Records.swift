public import Units

extension OneNETPlatform {
    /// A value as it arrived.
    public struct Point: Sendable, Hashable {
        public var value: JSON
        /// Milliseconds since 1970; data points have whole seconds. Nil: the platform's own time.
        public var time: Int64?
        /// It came by `history/post`.
        public var isHistory: Bool
    }

    /// What posts have said: by device (`product/name`), then by identifier or stream.
    public struct Records: Sendable, Hashable {
        public init() {}

        public private(set) var properties: [String: [String: [Point]]] = [:]
        public private(set) var events: [String: [String: [Point]]] = [:]
        public private(set) var streams: [String: [String: [Point]]] = [:]

        mutating func take(_ arrival: Arrival) {
            let params = arrival.payload["params"]
            switch arrival.suffix {
            case "thing/property/post": record(params, in: \.properties, arrival.device)
            case "thing/event/post": record(params, in: \.events, arrival.device)
            case "thing/pack/post", "thing/history/post":
                let isHistory = arrival.suffix == "thing/history/post"
                for pack in params?.array ?? [] {
                    guard let device = OneNETPlatform.device(pack["identity"]) else { continue }
                    record(pack["properties"], in: \.properties, device, isHistory: isHistory)
                    record(pack["events"], in: \.events, device, isHistory: isHistory)
                }
            default:
                for stream in arrival.payload["dp"]?.object ?? [] {
                    for point in stream.value.array ?? [] {
                        let time = point["t"]?.number.flatMap { Int64(exactly: $0) }.map { $0 * 1000 }
                        streams[arrival.device, default: [:]][stream.name, default: []].append(
                            Point(value: point["v"] ?? .null, time: time, isHistory: false))
                    }
                }
            }
        }

        private mutating func record(
            _ values: JSON?, in table: WritableKeyPath<Records, [String: [String: [Point]]]>, _ device: String,
            isHistory: Bool = false
        ) {
            for member in values?.object ?? [] {
                for point in member.value.array ?? [member.value] {
                    self[keyPath: table][device, default: [:]][member.name, default: []].append(
                        Point(
                            value: point["value"] ?? .null, time: point["time"]?.number.flatMap { Int64(exactly: $0) },
                            isHistory: isHistory))
                }
            }
        }
    }
}

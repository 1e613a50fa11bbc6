public import MQTT
internal import MQTTWire
internal import NIOCore
internal import Units

/// A post that has waited for its connection is history by the time it leaves: it would otherwise be shown as the
/// present value. The data-point model needs no such thing, its points carry their times.
public enum OneNETHistory {
    /// The same post under `thing/history/post`, with the same id:
    ///
    ///     {"id":"42","version":"1.0","params":[{"identity":{"productID":"123456","deviceName":"bin-0427"},
    ///       "properties":{"fill":[{"value":83.2,"time":1763672400123}]}}]}
    ///
    /// A message that is no post of properties, events or a pack comes back as it is, and so does one in which a value
    /// has no time, since history is nothing without it.
    public static func rewritten(_ message: Message) -> Message {
        guard let topics = OneNETTopics(of: message.topic.string),
            let suffix = topics.suffix(of: message.topic.string),
            let payload = try? JSONReader.value(Array(message.payload.readableBytesView)[...]),
            let id = OneNETRequest.id(payload), let params = payload["params"],
            let topic = try? topics.topic(OneNETTopics.historyPost)
        else { return message }
        let identity = OneNETRequest.identity(topics.product, topics.device)
        let packs: [JSON?]
        switch suffix {
        case OneNETTopics.propertyPost: packs = [pack(identity, [JSON.Member("properties", params)])]
        case OneNETTopics.eventPost: packs = [pack(identity, [JSON.Member("events", params)])]
        case OneNETTopics.packPost:
            packs = (params.array ?? []).map { entry in
                entry["identity"].flatMap { identity in
                    pack(identity, (entry.object ?? []).filter { $0.name == "properties" || $0.name == "events" })
                }
            }
        default: return message
        }
        let complete = packs.compactMap { $0 }
        guard complete.count == packs.count, !packs.isEmpty else { return message }
        var history = message
        history.topic = topic
        history.payload = ByteBuffer(string: OneNETRequest.json(id: id, .array(complete)).text)
        return history
    }

    /// Nil when a value has no time.
    private static func pack(_ identity: JSON, _ parts: [JSON.Member]) -> JSON? {
        var members = [JSON.Member("identity", identity)]
        for part in parts {
            var series: [JSON.Member] = []
            for entry in part.value.object ?? [] {
                guard entry.value["time"]?.number != nil else { return nil }
                series.append(JSON.Member(entry.name, .array([entry.value])))
            }
            members.append(JSON.Member(part.name, .object(series)))
        }
        return .object(members)
    }
}

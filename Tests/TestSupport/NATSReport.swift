/// What a node of a NATS cluster says of its part in JetStream: the answer of its monitoring port to `/jsz`.
struct JetStreamReport: CustomStringConvertible {
    /// A Raft group as this node sees it. What it says of the others counts only if it leads them.
    struct Group {
        var leader: String?
        /// Members that are not this node.
        var others = 0
        /// Those of them that are away or behind.
        var lagging = 0

        /// Two others are up to date.
        var isComplete: Bool { others == 2 && lagging == 0 }
    }

    /// A stream, as far as this node has it.
    struct Stream {
        let name: String
        var group = Group()
        var messages = 0
        var lastSequence = 0
        var consumers = 0
    }

    let node: String
    /// The group that decides which streams and consumers there are.
    var meta = Group()
    var streams: [Stream] = []

    /// Reads an answer. NATS writes one key and value a line, so no JSON parser is needed for these few.
    init(node: String, _ answer: String) {
        self.node = node
        for line in answer.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: "\"", omittingEmptySubsequences: false)
            guard parts.count >= 3 else { continue }
            let text = parts.count == 5 ? String(parts[3]) : parts[2].filter { !": ,".contains($0) }
            if parts[1] == "name", text.hasPrefix("$MQTT_") { streams.append(Stream(name: text)) }
            note(String(parts[1]), text)
        }
    }

    private mutating func note(_ key: String, _ value: String) {
        if streams.isEmpty {
            meta.note(key, value)
        } else {
            streams[streams.count - 1].note(key, value)
        }
    }

    var description: String {
        ([("meta", meta, "")]
            + streams.map {
                ($0.name, $0.group, ", \($0.messages) messages up to \($0.lastSequence), \($0.consumers) consumers")
            })
            .map { name, group, rest in
                let leader = group.leader ?? "nobody"
                return "\(node): \(name) led by \(leader), \(group.others) others, \(group.lagging) lagging\(rest)"
            }
            .joined(separator: "\n")
    }
}

extension JetStreamReport.Group {
    fileprivate mutating func note(_ key: String, _ value: String) {
        switch key {
        case "leader": leader = value
        case "current":
            others += 1
            if value == "false" { lagging += 1 }
        case "offline" where value == "true": lagging += 1
        default: break
        }
    }
}

extension JetStreamReport.Stream {
    fileprivate mutating func note(_ key: String, _ value: String) {
        switch key {
        case "messages": messages = Int(value) ?? 0
        case "last_seq": lastSequence = Int(value) ?? 0
        case "consumer_count": consumers = Int(value) ?? 0
        default: group.note(key, value)
        }
    }
}

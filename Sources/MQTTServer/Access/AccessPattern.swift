internal import MQTTWire

/// A `pattern` line of an ACL file: a filter in which `%c` stands for the client identifier and `%u` for the user name.
struct AccessPattern: Sendable {
    private enum Part: Sendable {
        case text(String)
        case clientIdentifier
        case username
    }

    let access: Access
    private var parts: [Part] = []

    /// - Parameter filter: valid as it stands. As with Mosquitto 2.0.11 `%c` and `%u` need not fill their level.
    init(_ filter: String, _ access: Access) {
        self.access = access
        var text = ""
        var scalars = filter.unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            guard scalar == "%", let next = scalars.first, next == "c" || next == "u" else {
                text.unicodeScalars.append(scalar)
                continue
            }
            scalars.removeFirst()
            if !text.isEmpty { parts.append(.text(text)) }
            text = ""
            parts.append(next == "c" ? .clientIdentifier : .username)
        }
        if !text.isEmpty { parts.append(.text(text)) }
    }

    /// It has neither `%c` nor `%u`.
    var isSameForAll: Bool {
        parts.allSatisfy { if case .text = $0 { true } else { false } }
    }

    /// Which topics it is about, for one client.
    ///
    /// The names are to have no wildcards.
    /// - Returns: nil if no topic is like that: it has `%u` and the client no user name, is empty, or begins with
    ///   `$share/`.
    /// - Throws: ``TopicError`` if the filter is too long.
    func filter(clientIdentifier: String, username: String?) throws(TopicError) -> TopicFilter? {
        var filter = ""
        for part in parts {
            switch part {
            case .text(let text): filter += text
            case .clientIdentifier: filter += clientIdentifier
            case .username:
                guard let username else { return nil }
                filter += username
            }
        }
        if filter.isEmpty || filter.utf8.starts(with: "$share".utf8) { return nil }
        return try TopicFilter(filter)
    }
}

internal import Settings
internal import Units

/// What a line of text means: the pattern that picks it apart, and a channel for each of the pattern's groups.
struct SerialLine: Sendable {
    private enum Kind: String, CaseIterable { case number, text }
    private enum Checksum: String, CaseIterable { case none, nmea }
    private enum Unmatched: String, CaseIterable { case report, ignore }

    private struct Channel {
        var name: String?
        var kind: Kind
        var unit: String?
        var scale: LinearScale

        init(_ settings: SettingsReader, name: String?) {
            self.name = name
            kind = settings.choice("kind", of: Kind.self) ?? .number
            unit = settings.string("unit")
            let factor = settings.number("scale")
            let offset = settings.number("offset")
            if factor == 0 { settings.problem(at: "scale", message: "0 would make every value the same") }
            if kind == .text, factor != nil || offset != nil {
                settings.problem(
                    at: factor == nil ? "offset" : "scale", message: "is for numbers only",
                    mend: "remove it, or write kind = \"number\"")
            }
            scale = LinearScale(factor: factor ?? 1, offset: offset ?? 0)
        }
    }

    private let pattern: ExtendedExpression?
    private let channels: [Channel]
    private let checksum: Checksum
    private let unmatched: Unmatched

    /// Reads `pattern`, `channel` (or `kind`, `unit`, `scale`, `offset` of the only one), `checksum` and `unmatched`.
    init(_ settings: SettingsReader) {
        pattern = settings.parsed("pattern", ExtendedExpression.init)
        checksum = settings.choice("checksum", of: Checksum.self) ?? .none
        unmatched = settings.choice("unmatched", of: Unmatched.self) ?? .report

        let tables = settings.tables("channel")
        guard !tables.isEmpty else {
            channels = [Channel(settings, name: nil)]
            if let pattern, pattern.groupCount > 1 {
                settings.problem(
                    at: "pattern", message: "has \(pattern.groupCount) groups, and one channel",
                    mend: "name them: channel = [{ name = \"weight\", unit = \"kg\" }, …], one for each group")
            }
            return
        }
        channels = tables.map { Channel($0, name: $0.requiredString("name")) }
        if Set(channels.map(\.name)).count != channels.count {
            settings.problem(at: "channel", message: "has the same name twice")
        }
        let groups = pattern.map { max($0.groupCount, 1) } ?? 1
        if settings.has("pattern") ? pattern != nil && groups != channels.count : channels.count > 1 {
            settings.problem(
                at: "channel", message: "names \(channels.count), but the pattern has \(groups)",
                mend: "give the pattern a group ( … ) for each channel")
        }
    }

    /// - Returns: nil for a line that is to be ignored.
    func measurements(of line: String, from place: String, at time: Timestamp) throws(SensorError) -> [Measurement]? {
        if checksum == .nmea, !Self.hasRightChecksum(line) {
            throw SensorError(
                .malformed, place, "said \(KernelFile.quoted(line)), whose checksum is wrong",
                mend: "check speed, parity and the cable")
        }
        let texts: [String?]
        if let pattern {
            guard let groups = pattern.groups(in: line) else {
                if unmatched == .ignore { return nil }
                throw SensorError(
                    .malformed, place, "said \(KernelFile.quoted(line)), which the pattern does not match",
                    mend: "check pattern and speed; unmatched = \"ignore\" lets other lines pass")
            }
            texts = groups.isEmpty ? [pattern.firstMatch(in: line)] : groups
        } else {
            texts = [line]
        }
        return try SensorError.collect(
            zip(channels, texts).compactMap { channel, text in
                // A group that took no part in the match has nothing to say.
                text.map { text in
                    Result { () throws(SensorError) in try measurement(text, channel, from: place, at: time) }.of(
                        channel.name)
                }
            })
    }

    private func measurement(
        _ text: String, _ channel: Channel, from place: String, at time: Timestamp
    ) throws(SensorError) -> Measurement {
        let value: Reading.Value
        switch channel.kind {
        case .text: value = .text(text)
        case .number:
            // Scales write "-  1.5".
            let number = channel.scale(try KernelFile.number(text.filter { $0 != " " && $0 != "\t" }, from: place))
            guard number.isFinite else {
                throw SensorError(.malformed, place, "said \(text), which scaled is not a finite number")
            }
            value = .number(number)
        }
        return Measurement(channel: channel.name, value, unit: channel.unit, time: time)
    }

    /// `$…*HH` or `!…*HH`: the exclusive or of what is between the marks (NMEA 0183).
    static func hasRightChecksum(_ line: String) -> Bool {
        let bytes = Array(line.utf8)
        guard let start = bytes.firstIndex(where: { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "!") }),
            let star = bytes.lastIndex(of: UInt8(ascii: "*")), start < star, bytes.count - star >= 3,
            let sum = UInt8(String(decoding: bytes[(star + 1)...(star + 2)], as: UTF8.self), radix: 16)
        else { return false }
        return bytes[(start + 1)..<star].reduce(0, ^) == sum
    }
}

internal import Sensing
public import Units

extension Alarm {
    /// What is to be kept over a restart. What it holds is this type's own affair.
    public var state: JSON {
        let kept = tracks.filter { !$0.isIdle }.map(\.state)
        let known = isKnown
        return .members([
            "of": .string(rule.fingerprint),
            "state": known ? .string(phase.rawValue) : nil,
            "active": known ? .boolean(isActive) : nil,
            "changed": known ? JSON(changedAt) : nil,
            "raised": known ? raisedAt.map { JSON($0) } : nil,
            "repeated": known && phase == .raised ? JSON(repeatedAt) : nil,
            "by": known ? acknowledgedBy.map(JSON.string) : nil,
            "of_channel": known ? channel.map(JSON.string) : nil,
            "value": known ? value?.stored : nil,
            "unit": known ? unit.map(JSON.string) : nil,
            "channels": kept.isEmpty ? nil : .array(kept),
        ]) ?? .object([])
    }

    mutating func restore(_ state: JSON) {
        // Files from before conditions had names are taken at their word.
        if let of = state["of"]?.string, of != rule.fingerprint { return }
        let isActive = state["active"]?.boolean ?? false
        if let channels = state["channels"]?.array {
            tracks = channels.prefix(Self.maximumChannels).compactMap(AlarmTrack.init)
        } else if let since = state["since"]?.time?.bounded {
            // As it was kept before each channel had its own.
            tracks = [AlarmTrack(nil, isStandIn: true, isActive: isActive, since: since)]
        }
        let phase = state["state"]?.string.flatMap(AlarmState.init)
        let isSound =
            switch phase {
            case .cleared: !isActive
            case .raised: isActive || rule.isLatched
            case .acknowledged: isActive
            case nil: !isActive
            }
        guard isSound, let phase, let changedAt = state["changed"]?.time?.bounded, state["active"]?.boolean != nil
        else {
            // The rule is not the one that it was: the first value tells what the state is.
            tracks.removeAll { $0.isActive }
            return
        }
        if !isActive { tracks.removeAll { $0.isActive } }
        if isActive, !tracks.contains(where: \.isActive) { tracks = [AlarmTrack(nil, isStandIn: true, isActive: true)] }
        self.phase = phase
        self.isActive = isActive
        self.changedAt = changedAt
        isKnown = true
        channel = state["of_channel"]?.string
        value = state["value"].flatMap { Reading.Value($0) }
        unit = state["unit"]?.string
        raisedAt = phase == .cleared ? nil : state["raised"]?.time?.bounded ?? changedAt
        acknowledgedBy = state["by"]?.string
        repeatedAt = state["repeated"]?.time?.bounded ?? changedAt
    }
}

extension AlarmRule {
    /// What the alarm is about: kept state of another one is of no use. Not a hash of the standard library's, which is
    /// another one in each process.
    fileprivate var fingerprint: String {
        func text(_ threshold: AlarmCondition.Threshold?) -> JSON {
            threshold.map { [.number($0.raise), .number($0.clear)] } ?? .null
        }
        let test: JSON =
            switch condition.test {
            case .outside(let upper, let lower)?: [text(upper), text(lower)]
            case .equal(let value)?: value.stored ?? .null
            case nil: .null
            }
        return JSON.array([
            .string(sensor), channel.map(JSON.string) ?? .null, test, .boolean(condition.includesFailure),
        ]).text
    }
}

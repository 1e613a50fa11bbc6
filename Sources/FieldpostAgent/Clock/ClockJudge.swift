internal import Pipeline
internal import Sensing
internal import Units

/// Which wall-clock times can be believed, on a board that comes up without knowing the time; and what those that cannot
/// be believed are worth once it is known (T2). Time is a parameter: it knows no clock.
///
/// A time that was taken before the clock was set says how long after the start of the board that was, if one knows by how
/// much the clock was ahead of the time since then. So it is put right as soon as the clock is.
struct ClockJudge {
    /// What the clocks say at one moment.
    struct Moment {
        var wall: Timestamp
        /// Milliseconds since the board's start, time asleep included (CLOCK_BOOTTIME).
        var sinceBoot: Int64

        /// By how much the wall clock is ahead of the time since the start.
        fileprivate var lead: Int64 { wall.milliseconds &- sinceBoot }
    }

    private(set) var isSet: Bool
    /// Leads of the wall clock before it was set, the latest last; clocks are set in several steps now and then.
    private var formerLeads: [Int64] = []
    private var lead: Int64
    private var sinceBoot: Int64
    private static let remembered = 8
    /// A clock that moves by more was set; by less, it drifts, or is disciplined.
    private static let step: Int64 = 2000
    /// How far a time may seem to lie outside the board's life for all that.
    private static let slack: Int64 = 60_000

    /// - Parameter isKnown: whether there is reason to believe the wall clock.
    init(_ moment: Moment, isKnown: Bool) {
        isSet = isKnown
        lead = moment.lead
        sinceBoot = moment.sinceBoot
    }

    mutating func observe(_ moment: Moment, isKnown: @autoclosure () -> Bool) {
        defer { (lead, sinceBoot) = (moment.lead, moment.sinceBoot) }
        guard !isSet else { return }
        let isStepped = (moment.lead &- lead).magnitude >= UInt64(Self.step)
        if isStepped {
            formerLeads.append(lead)
            if formerLeads.count > Self.remembered { formerLeads.removeFirst() }
        }
        // Somebody who sets it by hand is as good as a time service.
        isSet = isKnown() || (isStepped && moment.wall.isPlausible)
    }

    /// No time was ever in doubt.
    var isTrivial: Bool { isSet && formerLeads.isEmpty }

    /// How long after the board's start it was, as a time since 1970: what is to be kept of a time until the clock is set,
    /// and what is told where that never comes to pass, since nobody takes it for a true one. A time that this board's
    /// clocks cannot have told, such as one of a device with a clock of its own, is as it is.
    func mark(_ time: Timestamp) -> Timestamp { age(time) ?? time }

    private func age(_ time: Timestamp) -> Timestamp? {
        for lead in [lead] + formerLeads.reversed() where isOfThisLife(time, lead) {
            return Timestamp(milliseconds: min(max(time.milliseconds &- lead, 0), max(sinceBoot, 0)))
        }
        return nil
    }

    private func isOfThisLife(_ time: Timestamp, _ lead: Int64) -> Bool {
        let (mark, isBeyond) = time.milliseconds.subtractingReportingOverflow(lead)
        return !isBeyond && mark >= -Self.slack && mark <= sinceBoot &+ Self.slack
    }

    /// The wall-clock time of a mark of this life of the board, once the clock is set.
    func wall(_ mark: Timestamp) -> Timestamp {
        isSet && !mark.isPlausible ? Timestamp(milliseconds: mark.milliseconds &+ lead) : mark
    }

    /// A time as it should have been taken, if that is known, or else its mark.
    func corrected(_ time: Timestamp) -> Timestamp {
        if isSet, formerLeads.isEmpty || isOfThisLife(time, lead) { return time }
        return age(time).map(wall) ?? time
    }
}

extension Report {
    /// With its times changed.
    func timed(_ change: (Timestamp) -> Timestamp) -> Report {
        switch self {
        case .readings(var readings):
            for index in readings.indices { readings[index].time = change(readings[index].time) }
            return .readings(readings)
        case .failure(let sensor, let channel, let reason, let time):
            return .failure(sensor: sensor, channel: channel, reason: reason, time: change(time))
        case .alarm(var alarm):
            alarm.time = change(alarm.time)
            alarm.raisedAt = alarm.raisedAt.map(change)
            return .alarm(alarm)
        }
    }
}

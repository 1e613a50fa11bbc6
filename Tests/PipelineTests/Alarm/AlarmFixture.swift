import Pipeline
import Sensing
import Settings
import Units

/// So many seconds behind a noon.
func noon(_ seconds: Int) -> Timestamp { Timestamp(milliseconds: 1_767_268_800_000 + Int64(seconds) * 1000) }

func fill(_ value: Double, _ seconds: Int, quality: Quality = .good) -> Reading {
    Reading(sensor: "fill", value: .number(value), unit: "%", time: noon(seconds), quality: quality)
}

/// What a report says, briefly: "raised 90% serious", with "over" where the condition no longer holds.
func brief(_ report: AlarmReport?) -> String? {
    guard let report else { return nil }
    var text = report.state.rawValue
    if report.state != .cleared, !report.isActive { text += " over" }
    if report.state == .cleared, report.isActive { text += " active" }
    switch report.value {
    case .number(let number)?: text += " \(JSON.text(of: number))\(report.unit ?? "")"
    case .boolean(let boolean)?: text += " \(boolean)"
    case .text(let word)?: text += " \(word)"
    case nil: break
    }
    return text + (report.acknowledgedBy.map { " by \($0)" } ?? "")
}

/// As it comes back from a file.
func kept(_ state: JSON) throws -> JSON { try JSONReader.value(Array(state.text.utf8)[...]) }

/// An `[[alarm]]` of these lines, and the problems that it has.
func alarmRule(_ lines: [(String, Value.Kind)]) -> (rule: AlarmRule?, problems: [String]) {
    let entries = lines.enumerated().map { index, line in
        let place = SourcePosition(line: index + 1, column: 1)
        return Table.Entry(key: line.0, keyPosition: place, value: Value(line.1, at: place))
    }
    let settings = SettingsReader(
        Table(entries), keyPath: "alarm[1]", position: SourcePosition(line: 1, column: 1), problems: Problems())
    let rule = AlarmRule(settings)
    settings.finish()
    return (rule, settings.problems.all.map(\.description))
}

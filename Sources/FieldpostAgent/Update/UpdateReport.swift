internal import Units
internal import Uplink

/// What `fieldpost check --for-update` has found: whether this program can take over where another one stops.
public struct UpdateReport: Sendable {
    enum Severity: String, Sendable {
        case good
        /// To be known; the update works all the same.
        case warning
        /// The update would not work.
        case problem
    }

    struct Finding: Sendable, Hashable {
        var severity: Severity
        /// "configuration", "queue", "store", "listener".
        var subject: String
        var text: String
    }

    let file: String
    private(set) var findings: [Finding] = []
    /// By "queue" and "store".
    private(set) var databases: [(subject: String, outlook: DatabaseOutlook)] = []

    /// No problem was found.
    public var isGood: Bool { !findings.contains { $0.severity == .problem } }

    init(file: String) { self.file = file }

    mutating func add(_ severity: Severity, _ subject: String, _ text: String) {
        findings.append(Finding(severity: severity, subject: subject, text: text))
    }

    mutating func add(_ outlook: DatabaseOutlook, as subject: String) {
        databases.append((subject, outlook))
        for (severity, text) in outlook.findings { add(severity, subject, text) }
    }

    public func lines(asJSON: Bool) -> [String] {
        if asJSON { return [json.text] }
        let width = findings.map(\.subject.count).max() ?? 0
        let lines = findings.map { finding in
            let mark = finding.severity == .good ? "" : "\(finding.severity.rawValue): "
            return finding.subject + String(repeating: " ", count: width - finding.subject.count + 2) + mark
                + finding.text
        }
        let verdict = "fieldpost \(FieldpostVersion.string)"
        return lines + [isGood ? "\(verdict) can take over" : "\(verdict) cannot take over"]
    }

    private var json: JSON {
        var members = [
            JSON.Member("good", .boolean(isGood)), JSON.Member("version", .string(FieldpostVersion.string)),
            JSON.Member("file", .string(file)),
        ]
        members += databases.map { JSON.Member($0.subject, $0.outlook.json) }
        members.append(
            JSON.Member(
                "findings",
                .array(
                    findings.map {
                        [
                            "severity": .string($0.severity.rawValue), "subject": .string($0.subject),
                            "text": .string($0.text),
                        ]
                    })))
        return .object(members)
    }
}

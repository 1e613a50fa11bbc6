public import StoreForward
public import Units

extension OutboxStatus {
    /// As in the board's status and in `fieldpost queue status --json`. Causes that have lost nothing are left out.
    public var json: JSON {
        var members = [
            JSON.Member("messages", .integer(Int64(queued))),
            JSON.Member("bytes", .integer(Int64(bytesUsed))),
            JSON.Member("next", .integer(nextSequence)),
        ]
        if let oldest { members.append(JSON.Member("oldest", .string(oldest.iso8601))) }
        switch state {
        case .durable, .observed: break
        case .memory(let reason):
            members.append(JSON.Member("disk", .string(reason)))
            members.append(JSON.Member("unsaved", .integer(Int64(unsaved))))
        }
        let lost = losses.byCause.filter { $0.count > 0 }
        if !lost.isEmpty {
            members.append(JSON.Member("lost", .object(lost.map { JSON.Member($0.cause, .integer($0.count)) })))
        }
        if let damage {
            members.append(
                JSON.Member(
                    "damaged",
                    [
                        "file": .string(damage.movedTo), "reason": .string(damage.reason),
                        "salvaged": .integer(Int64(damage.salvaged)),
                    ]))
        }
        if let newer {
            members.append(
                JSON.Member(
                    "newer",
                    [
                        "file": .string(newer.path), "format": .integer(newer.format), "known": .integer(newer.known),
                        "instead": .string(newer.instead),
                    ]))
        }
        return .object(members)
    }
}

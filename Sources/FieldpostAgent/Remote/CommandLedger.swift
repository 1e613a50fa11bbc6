internal import Units

/// Which commands came, by who asked and under which id, so that none is done twice; and what was answered, so that who has
/// not heard the answer can ask again.
struct CommandLedger: Sendable {
    enum Admission: Sendable, Hashable {
        case new
        case underWay
        /// It came before, and was answered so; nil: by an earlier process, of which no answer is known.
        case done(JSON?)
    }

    /// The last so many are known.
    static let limit = 256
    /// Longer answers are not kept.
    private static let answerLimit = 4096

    private enum Entry: Sendable {
        case underWay
        case done(JSON?)

        var isDone: Bool { if case .done = self { true } else { false } }
    }

    private var entries: [String: Entry] = [:]
    /// Ids in the order in which they came.
    private var order: [String] = []

    /// - Parameter state: what an earlier process has left; what was under way then may have been done.
    init(state: JSON? = nil) {
        for element in (state?.array ?? []).suffix(Self.limit) {
            guard let id = element["id"]?.string, entries[id] == nil else { continue }
            entries[id] = .done(element["answer"])
            order.append(id)
        }
    }

    mutating func admit(_ id: String) -> Admission {
        switch entries[id] {
        case .underWay: return .underWay
        case .done(let answer): return .done(answer)
        case nil: break
        }
        entries[id] = .underWay
        order.append(id)
        if order.count > Self.limit, let index = order.firstIndex(where: { entries[$0]?.isDone == true }) {
            entries[order.remove(at: index)] = nil
        }
        return .new
    }

    mutating func finish(_ id: String, _ answer: JSON) {
        guard entries[id] != nil else { return }
        entries[id] = .done(answer.text.utf8.count <= Self.answerLimit ? answer : nil)
    }

    /// To be kept over a restart.
    var state: JSON {
        .array(
            order.map { id in
                var members = [JSON.Member("id", .string(id))]
                if case .done(.some(let answer)) = entries[id] { members.append(JSON.Member("answer", answer)) }
                return .object(members)
            })
    }
}

internal import Units
internal import Uplink

/// Which commands came, by who asked and under which id, so that none is done twice; and what was answered, so that who has
/// not heard the answer can ask again.
struct CommandLedger: Sendable {
    enum Admission: Sendable, Hashable {
        case new
        case underWay
        /// It came before, and was answered so; nil: by an earlier process, of which no answer is known.
        case done(JSON?)
        /// The id came before, with another command.
        case taken
    }

    /// The last so many are known.
    static let limit = 256
    /// Longer answers are not kept.
    private static let answerLimit = 4096

    private struct Entry: Sendable {
        /// Tells commands apart.
        var mark: String?
        var isDone = false
        var answer: JSON?
    }

    private var entries: [String: Entry] = [:]
    /// Ids in the order in which they came.
    private var order: [String] = []

    /// - Parameter state: what an earlier process has left; what was under way then may have been done.
    init(state: JSON? = nil) {
        for element in (state?.array ?? []).suffix(Self.limit) {
            guard let id = element["id"]?.string, entries[id] == nil else { continue }
            entries[id] = Entry(mark: element["of"]?.string, isDone: true, answer: element["answer"])
            order.append(id)
        }
    }

    mutating func admit(_ id: String, of command: RemoteCommand) -> Admission {
        let mark = Self.mark(of: command)
        if let entry = entries[id] {
            guard entry.mark ?? mark == mark else { return .taken }
            return entry.isDone ? .done(entry.answer) : .underWay
        }
        entries[id] = Entry(mark: mark)
        order.append(id)
        if order.count > Self.limit, let index = order.firstIndex(where: { entries[$0]?.isDone == true }) {
            entries[order.remove(at: index)] = nil
        }
        return .new
    }

    mutating func finish(_ id: String, _ answer: JSON) {
        entries[id]?.isDone = true
        entries[id]?.answer = answer.text.utf8.count <= Self.answerLimit ? answer : nil
    }

    /// It was not begun: who asks again is a newcomer.
    mutating func forget(_ id: String) {
        guard entries.removeValue(forKey: id) != nil else { return }
        order.removeAll { $0 == id }
    }

    /// To be kept over a restart.
    var state: JSON {
        .array(
            order.map { id in
                var members = [JSON.Member("id", .string(id))]
                if let mark = entries[id]?.mark { members.append(JSON.Member("of", .string(mark))) }
                if let answer = entries[id]?.answer { members.append(JSON.Member("answer", answer)) }
                return .object(members)
            })
    }

    /// FNV-1a (draft-eastlake-fnv) of the command with all that it says.
    private static func mark(of command: RemoteCommand) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in "\(command)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}

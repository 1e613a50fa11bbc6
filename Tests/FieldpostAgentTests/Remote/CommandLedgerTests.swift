import Sensing
import TestSupport
import Testing
import Units
import Uplink

@testable import FieldpostAgent

@Suite struct CommandLedgerTests {
    static let open = RemoteCommand.set(sensor: "gate", channel: nil, value: .boolean(true))
    static let close = RemoteCommand.set(sensor: "gate", channel: nil, value: .boolean(false))

    @Test func `An id is new once`() {
        var ledger = CommandLedger()
        #expect(ledger.admit("17", of: Self.open) == .new)
        #expect(ledger.admit("17", of: Self.open) == .underWay)
        ledger.finish("17", ["ok": true])
        #expect(ledger.admit("17", of: Self.open) == .done(["ok": true]))
    }

    @Test func `An id stands for one command`() {
        var ledger = CommandLedger()
        #expect(ledger.admit("17", of: Self.open) == .new)
        #expect(ledger.admit("17", of: Self.close) == .taken)
        ledger.finish("17", ["ok": true])
        #expect(ledger.admit("17", of: Self.close) == .taken)
        var later = CommandLedger(state: ledger.state)
        #expect(later.admit("17", of: Self.close) == .taken)
    }

    @Test func `What was not begun may come again`() {
        var ledger = CommandLedger()
        #expect(ledger.admit("17", of: Self.open) == .new)
        ledger.forget("17")
        #expect(ledger.state == .array([]))
        #expect(ledger.admit("17", of: Self.open) == .new)
    }

    @Test func `After a restart, what was under way counts as done without an answer`() {
        var ledger = CommandLedger()
        #expect(ledger.admit("1", of: Self.open) == .new)
        #expect(ledger.admit("2", of: Self.open) == .new)
        ledger.finish("2", ["ok": false])
        var later = CommandLedger(state: ledger.state)
        #expect(later.admit("1", of: Self.open) == .done(nil))
        #expect(later.admit("2", of: Self.open) == .done(["ok": false]))
        #expect(later.admit("3", of: Self.open) == .new)
    }

    @Test func `A long answer is not kept, and the id is`() {
        var ledger = CommandLedger()
        #expect(ledger.admit("1", of: Self.open) == .new)
        ledger.finish("1", .string(String(repeating: "x", count: 5000)))
        #expect(ledger.admit("1", of: Self.open) == .done(nil))
    }

    @Test(
        arguments: [
            JSON.null, "x", ["a": 1], [1, "x", ["id": 7], ["answer": 1]], [["id": "1", "of": 7, "answer": "x"]],
        ] as [JSON])
    func `A state that is none does no harm`(_ state: JSON) {
        var ledger = CommandLedger(state: state)
        #expect(ledger.admit("new", of: Self.open) == .new)
    }

    @Test func `None is done twice among the last 256, and no more are known`() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix64(seed: seed)
        var ledger = CommandLedger()
        var done: [String] = []
        var underWay: Set<String> = []
        for _ in 0..<5000 {
            let id = "\(Int.random(in: 0..<600, using: &generator))"
            switch ledger.admit(id, of: Self.open) {
            case .new:
                #expect(!done.suffix(100).contains(id), "seed \(seed)")
                underWay.insert(id)
            case .underWay: #expect(underWay.contains(id), "seed \(seed)")
            case .done: #expect(done.contains(id), "seed \(seed)")
            case .taken: Issue.record("seed \(seed)")
            }
            if underWay.count > 8, let one = underWay.randomElement(using: &generator) {
                underWay.remove(one)
                ledger.finish(one, ["ok": true])
                done.append(one)
            }
            if Int.random(in: 0..<50, using: &generator) == 0 {
                ledger = CommandLedger(state: ledger.state)
                done += underWay
                underWay = []
            }
            #expect(ledger.state.array?.count ?? 0 <= CommandLedger.limit + 10, "seed \(seed)")
        }
    }
}

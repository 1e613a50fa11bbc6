import Glibc
import TestSupport
import Testing

/// `fieldpost demo`, which anybody runs first.
@Suite(.timeLimit(.minutes(5))) struct DemonstrationTests {
    @Test func theDemonstrationKeepsItsPromises() async throws {
        let demo = try await Program.start(Program.built("fieldpost"), ["demo"])
        let ending = try await demo.wait(timeout: .seconds(240))
        let lines = await demo.output.lines
        let told = (lines + (await demo.errors.lines)).joined(separator: "\n")
        #expect(ending == .exited(0), "\(told)")
        #expect(lines.last == "Nothing was lost, and every alarm was seen to.")
        // Workers and the board come in any order.
        #expect(lines.prefix { !$0.contains("asked: anna") }.contains { $0.contains("anna is on duty") }, "\(told)")
        var rest = lines[...]
        for part in Self.story {
            let place = rest.firstIndex { $0.contains(part) }
            #expect(place != nil, "\(part) does not come where it should in\n\(told)")
            if let place { rest = rest[(place + 1)...] }
        }
        #expect(lines.contains { $0.contains("bin-2 was emptied: ") })
        #expect(lines.contains { $0.contains("alarms         2 raised, 2 acknowledged by whoever went, 2 cleared") })
    }

    /// What follows from each other, in its order. On a slow machine other lines stand between: workers who are asked again.
    private static let story = [
        "online (boot 1, connection 1)", "alarm     bin-2 is ", "asked: anna, 240 m away",
        "anna does not answer", "asked: bo, 610 m away", "bo goes", "alarm acknowledged by bo",
        "alarm cleared: bin-2", "bo's task withdrawn", "cut: nothing passes", "messages wait in queue.db", "mended",
        "by its own time", "anna goes", "alarm acknowledged by anna", "alarm cleared: bin-3",
        "anna's task withdrawn", "offline: stopped", "missing        0",
    ]

    /// Also while the cable is cut, and when the connection is lost over it.
    @Test("Ctrl-C ends it cleanly", arguments: ["values", "dispatch  asked", "CABLE     cut", "messages wait"])
    func interrupted(behind line: String) async throws {
        let demo = try await Program.start(Program.built("fieldpost"), ["demo", "--keep-running"])
        try await demo.output.line(containing: line, timeout: .seconds(120))
        demo.send(SIGINT)
        #expect(try await demo.wait(timeout: .seconds(30)) == .exited(0))
        #expect(await demo.output.lines.contains { $0.contains("offline: stopped") })
        #expect(await demo.errors.lines == [])
    }
}

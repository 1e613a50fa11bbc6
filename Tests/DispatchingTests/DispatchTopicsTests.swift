import Dispatching
import Pipeline
import TestSupport
import Testing
import Units

@Suite struct DispatchTopicsTests {
    private let topics = DispatchTopics()

    private func input(_ topic: String, _ payload: String) throws -> DispatchInput? {
        try topics.input(topic: topic, payload: Array(payload.utf8)[...])
    }

    @Test func anAlarmIsReadAsItIsTold() throws {
        let payload = #"""
            {"state":"raised","active":true,"severity":"serious","sensor":"fill","value":91.2,"unit":"%",
             "time":"2026-11-20T21:00:00.123Z","raised":"2026-11-20T20:00:00Z",
             "position":{"latitude":31.7,"longitude":119.9}}
            """#
        #expect(
            try input("fieldpost/bin-7/alarm/full", payload)
                == .alarm(
                    AlarmNotice(
                        device: "bin-7", alarm: "full", state: .raised, isActive: true, severity: .serious, value: 91.2,
                        unit: "%", time: Timestamp(iso8601: "2026-11-20T21:00:00.123Z"),
                        position: Position(latitude: 31.7, longitude: 119.9))))
    }

    @Test(
        arguments: [
            (#"{"state":"raised"}"#, AlarmNotice(device: "d", alarm: "a", state: .raised)),
            (#"{"state":"cleared"}"#, AlarmNotice(device: "d", alarm: "a", state: .cleared, isActive: false)),
            ("", AlarmNotice(device: "d", alarm: "a", state: .cleared)),
            (
                #"{"state":"raised","active":false,"severity":"dreadful","value":[1],"time":"noon","position":{"latitude":91,"longitude":0}}"#,
                AlarmNotice(device: "d", alarm: "a", state: .raised, isActive: false)
            ),
        ])
    func anAlarmIsReadLiberally(payload: String, notice: AlarmNotice) throws {
        #expect(try input("fieldpost/d/alarm/a", payload) == .alarm(notice))
    }

    @Test func workersAndTheirAnswersAreRead() throws {
        let payload =
            #"{"position":{"latitude":1,"longitude":2},"load":2,"on_duty":true,"time":"2026-11-20T21:00:00Z"}"#
        #expect(
            try input("fieldpost/dispatch/worker/anna", payload)
                == .worker(
                    WorkerNotice(
                        worker: "anna", position: Position(latitude: 1, longitude: 2), load: 2,
                        time: Timestamp(iso8601: "2026-11-20T21:00:00Z"))))
        #expect(
            try input("fieldpost/dispatch/worker/anna", "") == .worker(WorkerNotice(worker: "anna", isOnDuty: false)))
        #expect(
            try input("fieldpost/dispatch/worker/anna", #"{"load":1e300,"on_duty":true}"#)
                == .worker(WorkerNotice(worker: "anna", load: 1000)))
        #expect(
            try input("fieldpost/dispatch/worker/anna/answer/t-1", #"{"answer":"declined"}"#)
                == .answer(task: "t-1", worker: "anna", .declined))
    }

    @Test(
        arguments: [
            "fieldpost/d/fill", "fieldpost/d/alarm", "fieldpost/dispatch/alarm/d/a", "other/d/alarm/a", "fieldpost",
            "fieldpost/dispatch/worker/anna/task/t-1", "fieldpost/a/\u{301}b/alarm/c", "fieldpost/\u{301}d/e/alarm/c",
            "", "/", "fieldpostd/d/alarm/a",
        ])
    func otherTopicsDoNotMatter(topic: String) throws { #expect(try input(topic, "garbage") == nil) }

    @Test(
        arguments: [
            ("fieldpost/d/alarm/a", "{", "is no JSON"),
            ("fieldpost/d/alarm/a", "[]", "is an array: expected is an object"),
            ("fieldpost/d/alarm/a", "{}", "has no state"),
            ("fieldpost/d/alarm/a", #"{"state":"up"}"#, "state \"up\" is not known: possible are cleared, raised and"),
            ("fieldpost/d/alarm/a", #"{"state":7}"#, "state is a number: expected is a string"),
            ("fieldpost//alarm/a", #"{"state":"raised"}"#, "the topic has a name that is empty"),
            ("fieldpost/dispatch/worker/w", "{}", "does not say whether he is on duty"),
            ("fieldpost/dispatch/worker/w/answer/t", "{}", "has no answer"),
            ("fieldpost/dispatch/worker/w/answer/t", #"{"answer":"maybe"}"#, "answer \"maybe\" is not known"),
            (
                "fieldpost/d/alarm/a", #"{"state":"raised","unit":""# + String(repeating: "x", count: 300) + #""}"#,
                "unit is longer than 256 bytes"
            ),
            ("fieldpost/d/alarm/a", String(repeating: " ", count: 16_385), "has 16385 bytes"),
        ])
    func whatIsWrongIsTold(topic: String, payload: String, message: String) {
        var dispatcher = Dispatcher(DispatchSettings(), at: noon(0))
        let error = #expect(throws: InvalidText.self) {
            try dispatcher.receive(topic: topic, payload: Array(payload.utf8)[...], at: noon(0))
        }
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
        #expect(dispatcher.counters.malformed == 1)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func garbageDoesNoHarm(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        var dispatcher = Dispatcher(DispatchSettings(), at: noon(0))
        let topics = ["fieldpost/d/alarm/a", "fieldpost/dispatch/worker/w", "fieldpost/dispatch/worker/w/answer/t"]
        let payloads = [
            #"{"state":"raised","value":1e308,"time":"9999-12-31T23:59:59Z","position":{"latitude":90,"longitude":-180}}"#,
            #"{"on_duty":true,"load":-1e9,"time":"0000-01-01T00:00:00Z","position":{"latitude":-90,"longitude":180}}"#,
            #"{"answer":"accepted"}"#,
        ]
        for _ in 0..<500 {
            var payload = Array((payloads.randomElement(using: &generator) ?? "").utf8)
            for _ in 0..<Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<payload.count, using: &generator)
                payload[index] = UInt8(truncatingIfNeeded: generator.next())
            }
            let topic = topics.randomElement(using: &generator) ?? ""
            let now = noon(Int.random(in: 0...10_000, using: &generator))
            let actions = (try? dispatcher.receive(topic: topic, payload: payload[...], at: now)) ?? []
            for action in actions { _ = settingsMessage(action, now) }
        }
        #expect(dispatcher.counters.malformed > 0)
        #expect(dispatcher.tasks.count <= 1)
    }

    private func settingsMessage(_ action: DispatchAction, _ now: Timestamp) -> String? {
        topics.message(for: action, at: now)?.payload?.text
    }

    @Test func prefixesAreChecked() throws {
        #expect(try DispatchTopics(prefix: "park/north").filters.first == "park/north/+/alarm/+")
        for prefix in ["", "/a", "a/", "a//b", "a/+/b", "#", "a\0"] {
            #expect(throws: InvalidText.self) { try DispatchTopics(prefix: prefix) }
        }
    }

    /// The whole story in what goes over the wire.
    @Test func theStoryOfABin() throws {
        var dispatcher = Dispatcher(DispatchSettings(), at: noon(0))
        var seen: [String] = []
        func tell(_ topic: String, _ payload: String, at seconds: Int) throws {
            for action in try dispatcher.receive(topic: topic, payload: Array(payload.utf8)[...], at: noon(seconds)) {
                guard let message = topics.message(for: action, at: noon(seconds)) else { continue }
                seen.append("\(message.topic) \(message.payload?.text ?? "-")\(message.isRetained ? "" : " (once)")")
            }
        }
        try tell(
            "fieldpost/dispatch/worker/anna", #"{"position":{"latitude":31.71,"longitude":119.9},"on_duty":true}"#,
            at: 0)
        try tell(
            "fieldpost/bin-7/alarm/full",
            #"{"state":"raised","value":91.2,"unit":"%","position":{"latitude":31.7,"longitude":119.9}}"#, at: 1)
        let task = try #require(dispatcher.tasks.values.first?.id)
        try tell("fieldpost/dispatch/worker/anna/answer/\(task)", #"{"answer":"accepted"}"#, at: 2)
        try tell("fieldpost/bin-7/alarm/full", #"{"state":"cleared"}"#, at: 3)
        let offered =
            #""device":"bin-7","alarm":"full","severity":"warning","time":"2026-01-01T12:00:01.000Z","value":91.2,"unit":"%","position":{"latitude":31.7,"longitude":119.9}"#
        let to = "fieldpost/dispatch/worker/anna/task/\(task)"
        let summary = "fieldpost/dispatch/alarm/bin-7/full"
        #expect(
            seen == [
                #"\#(to) {"state":"offered",\#(offered),"distance":1112,"answer_by":"2026-01-01T12:05:01.000Z"}"#,
                #"\#(summary) {"state":"offered","task":"\#(task)","workers":["anna"],"severity":"warning","time":"2026-01-01T12:00:01.000Z"}"#,
                #"\#(to) {"state":"accepted",\#(offered)}"#,
                #"fieldpost/bin-7/command/acknowledge {"alarm":"full","by":"anna","id":"\#(task)-1"} (once)"#,
                #"\#(summary) {"state":"accepted","task":"\#(task)","worker":"anna","since":"2026-01-01T12:00:02.000Z","severity":"warning","time":"2026-01-01T12:00:01.000Z"}"#,
                #"\#(to) {"state":"withdrawn",\#(offered),"reason":"cleared","withdrawn":"2026-01-01T12:00:03.000Z"}"#,
                "\(summary) -",
            ])
    }
}

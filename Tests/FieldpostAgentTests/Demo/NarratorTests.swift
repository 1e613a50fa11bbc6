import Testing
import Units

@testable import FieldpostAgent

@Suite struct NarratorTests {
    private static let noon = "2026-11-20T12:00:00.000Z"
    private var narrator = Narrator()

    /// - Parameter seconds: when it comes, since noon.
    private mutating func told(_ topic: String, _ payload: String, at seconds: Double = 0) throws -> [String] {
        let noon = try #require(Timestamp(iso8601: Self.noon))
        return narrator.take(
            topic, try JSONReader.value(Array(payload.utf8)[...]), at: noon + .milliseconds(Int(seconds * 1000))
        ).map { "\($0.who): \($0.what)" }
    }

    private mutating func alarm(_ state: String, _ value: Double, by: String = "", at time: Double) throws -> [String] {
        try told(
            "fieldpost/demo/alarm/bin-2-full",
            """
            {"state":"\(state)","severity":"warning","sensor":"bin-2","value":\(value),"by":"\(by)","time":"\(Self.noon)"}
            """, at: time)
    }

    private mutating func task(_ worker: String, _ members: String) throws -> [String] {
        try told("fieldpost/dispatch/worker/\(worker)/task/1", #"{"alarm":"bin-2-full",\#(members)}"#)
    }

    @Test mutating func anAlarmIsToldFromItsBeginningToItsEnd() throws {
        #expect(try alarm("cleared", 50, at: 0) == [], "that there is none is no news")
        #expect(try alarm("raised", 86.6, at: 0) == ["alarm: bin-2 is 87 % full: alarm raised (warning)"])
        let asked = #""state":"offered","distance":240"#
        #expect(try task("anna", asked) == ["dispatch: asked: anna, 240 m away"])
        #expect(
            try task("anna", #""state":"withdrawn","reason":"no answer""#) == ["dispatch: anna does not answer"])
        #expect(
            try task("bo", #""state":"offered","escalated":true"#) == ["dispatch: asked: bo, as everybody who is there"]
        )
        #expect(try task("bo", #""state":"accepted""#) == ["dispatch: bo goes"])
        #expect(try alarm("acknowledged", 0, by: "bo", at: 0) == ["alarm: alarm acknowledged by bo"])
        #expect(try alarm("cleared", 4.2, at: 0) == ["alarm: alarm cleared: bin-2 is 4 % full"])
        #expect(
            try task("bo", #""state":"withdrawn","reason":"cleared""#) == [
                "dispatch: bo's task withdrawn: nothing left to do"
            ])
        #expect(
            narrator.events == [
                .raised(alarm: "bin-2-full"): 1, .asked(alarm: "bin-2-full", worker: "anna"): 1,
                .unanswered(alarm: "bin-2-full", worker: "anna"): 1, .asked(alarm: "bin-2-full", worker: "bo"): 1,
                .goes(alarm: "bin-2-full", worker: "bo"): 1, .acknowledged(alarm: "bin-2-full", by: "bo"): 1,
                .cleared(alarm: "bin-2-full"): 1, .withdrawn(alarm: "bin-2-full", worker: "bo"): 1,
            ])
    }

    @Test mutating func whatComesLateSaysHowLate() throws {
        #expect(try alarm("raised", 90, at: 5.2)[0].hasSuffix("alarm raised (warning), 5.2 s ago, by its own time"))
        let times = try #require(narrator.alarms["bin-2-full"])
        #expect(times.heard - times.raised == .milliseconds(5200))
    }

    @Test mutating func onlyABigDropMeansThatABinWasEmptied() throws {
        let reading = { (value: Double) in #"{"value":\#(value),"unit":"%","seq":1}"# }
        #expect(try told("fieldpost/demo/bin-2", reading(88)) == [])
        #expect(try told("fieldpost/demo/bin-2", reading(40)) == [])
        #expect(try told("fieldpost/demo/bin-2", reading(90)) == [])
        #expect(try told("fieldpost/demo/bin-2", reading(4.4)) == ["bins: bin-2 was emptied: 4 %"])
        #expect(try told("fieldpost/demo/memory", #"{"value":900,"unit":"MB"}"#) == [])
        #expect(try told("fieldpost/demo/memory", #"{"value":100,"unit":"MB"}"#) == [])
    }

    @Test mutating func theWillIsToldAsSuch() throws {
        #expect(
            try told("fieldpost/demo/status", #"{"state":"online","boot":1,"connection":2}"#) == [
                "status: online (boot 1, connection 2)"
            ])
        #expect(
            try told(
                "fieldpost/demo/status", #"{"state":"offline","reason":"connection lost","boot":1,"connection":2}"#)
                == [
                    "status: offline: connection lost (boot 1, connection 2)   <- the will, published by the broker"
                ])
    }

    @Test mutating func workersSayWhatTheyHaveToDo() throws {
        let topic = "fieldpost/dispatch/worker/"
        #expect(
            try told(topic + "anna", #"{"on_duty":true,"load":0}"#) == ["worker: anna is on duty and has nothing to do"]
        )
        #expect(try told(topic + "bo", #"{"on_duty":true,"load":1}"#) == ["worker: bo is on duty and has one task"])
        #expect(try told(topic + "chen", #"{"on_duty":false}"#) == ["worker: chen is off duty"])
        #expect(narrator.workers == ["anna", "bo", "chen"])
    }

    @Test(
        "What is none of the story is passed over",
        arguments: [
            ("fieldpost/demo/status", "null"), ("fieldpost/demo/alarm/bin-2-full", "[]"),
            ("fieldpost/dispatch/worker/anna", "1"), ("fieldpost/dispatch/worker/anna/task/1", "null"),
            ("fieldpost/dispatch/alarm/demo/bin-2-full", #"{"state":"offered"}"#),
            ("fieldpost/demo/command/acknowledge", "{}"), ("fieldpost", "1"), ("", "1"),
        ])
    mutating func others(topic: String, payload: String) throws {
        #expect(try told(topic, payload) == [])
        #expect(narrator.events.isEmpty)
    }
}

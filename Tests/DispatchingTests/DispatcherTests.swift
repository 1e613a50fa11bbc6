import Dispatching
import Pipeline
import Testing
import Units

/// A dispatcher that is talked to at seconds; answers are to the one task that there is, or was last.
private final class Day {
    private var dispatcher: Dispatcher
    private var task = ""

    init(_ settings: DispatchSettings) { dispatcher = Dispatcher(settings, at: noon(0)) }

    func hear(
        _ second: Int, _ input: DispatchInput, _ expected: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(brief(dispatcher.accept(input, at: noon(second))) == expected, sourceLocation: sourceLocation)
        task = dispatcher.tasks.values.first?.id ?? task
    }

    func answer(
        _ second: Int, _ worker: String, _ answer: DispatchInput.Answer, _ expected: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        hear(second, .answer(task: task, worker: worker, answer), expected, sourceLocation: sourceLocation)
    }

    func advance(_ second: Int, _ expected: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(brief(dispatcher.advance(to: noon(second))) == expected, sourceLocation: sourceLocation)
    }
}

@Suite struct DispatcherTests {
    private var settings: DispatchSettings {
        var settings = DispatchSettings()
        settings.answerWithin = .seconds(100)
        settings.retryAfter = .seconds(600)
        return settings
    }

    @Test func theBestPlacedOneIsAskedGoesAndTheBinIsEmptied() {
        let day = Day(settings)
        day.hear(0, .worker("anna", 900))
        day.hear(0, .worker("bo", 300))
        day.hear(1, .alarm(.raised), ["offer bo"])
        day.answer(2, "bo", .accepted, ["confirm bo", "acknowledge bin/full by bo"])
        day.hear(3, .alarm(.acknowledged))
        day.answer(4, "bo", .accepted)
        day.answer(5, "bo", .done, ["withdraw bo: done"])
        day.hear(6, .alarm(.cleared))
        day.advance(3605, ["forget bo"])
    }

    @Test func whoDoesNotAnswerMakesWayForTheNext() {
        let day = Day(settings)
        day.hear(0, .worker("anna", 900))
        day.hear(0, .worker("bo", 300))
        day.hear(1, .alarm(.raised), ["offer bo"])
        day.advance(100)
        day.advance(101, ["withdraw bo: no answer", "offer anna"])
        day.answer(102, "anna", .declined, ["withdraw anna: declined", "offer bo"])
        day.answer(103, "bo", .declined, ["withdraw bo: declined", "unassigned"])
        day.advance(702)
        day.advance(703, ["offer bo"])
    }

    @Test func alarmsThatMatterMoreWaitShorter() {
        for (severity, seconds) in [(AlarmSeverity.info, 100), (.warning, 100), (.serious, 50), (.critical, 25)] {
            var dispatcher = Dispatcher(settings, at: noon(0))
            _ = dispatcher.accept(.worker("anna"), at: noon(0))
            _ = dispatcher.accept(.alarm(.raised, severity: severity), at: noon(0))
            #expect(dispatcher.due == noon(seconds))
        }
    }

    @Test func thenTheSupervisorsAreAskedAndThenEverybody() {
        var settings = settings
        settings.escalateAfter = 2
        settings.supervisors = ["chief", "head"]
        let day = Day(settings)
        day.hear(0, .worker("chief", 1))
        day.hear(0, .worker("head", 2))
        day.hear(0, .worker("a", 10))
        day.hear(0, .worker("b", 20))
        day.hear(0, .worker("c", 30))
        day.hear(0, .alarm(.raised), ["offer a"])
        day.advance(100, ["withdraw a: no answer", "offer b"])
        day.answer(101, "b", .declined, ["withdraw b: declined", "offer chief", "offer head"])
        day.answer(102, "head", .declined, ["withdraw head: declined"])
        day.advance(201, ["withdraw chief: no answer", "offer chief", "offer a", "offer c"])
        day.answer(
            202, "c", .accepted,
            ["withdraw chief: taken", "withdraw a: taken", "confirm c", "acknowledge bin/full by c"])
        day.answer(203, "a", .accepted, ["withdraw a: taken"])
    }

    @Test func whoComesLateMayHaveItWhileNobodyElseDoes() {
        let day = Day(settings)
        day.hear(0, .worker("anna", 900))
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.raised), ["offer bo"])
        day.advance(100, ["withdraw bo: no answer", "offer anna"])
        day.answer(101, "bo", .accepted, ["withdraw anna: taken", "confirm bo", "acknowledge bin/full by bo"])
        day.answer(102, "anna", .accepted, ["withdraw anna: taken"])
        day.answer(103, "eve", .accepted)
    }

    @Test func whatIsOverIsWithdrawnFromWhoeverHasIt() {
        let ways: [(DispatchInput, String)] = [
            (.alarm(.cleared), "cleared"), (.alarm(.raised, active: false), "cleared"),
            (.alarm(.acknowledged, active: false), "cleared"),
        ]
        for (input, reason) in ways {
            let day = Day(settings)
            day.hear(0, .worker("bo", 300))
            day.hear(0, .alarm(.raised), ["offer bo"])
            day.hear(1, input, ["withdraw bo: \(reason)"])
            day.answer(2, "bo", .accepted)
            let later = Day(settings)
            later.hear(0, .worker("bo", 300))
            later.hear(0, .alarm(.raised), ["offer bo"])
            later.answer(1, "bo", .accepted, ["confirm bo", "acknowledge bin/full by bo"])
            later.hear(2, input, ["withdraw bo: \(reason)"])
            later.hear(3, .alarm(.raised), ["offer bo"])
        }
    }

    @Test func whoAcknowledgesWithoutBeingAskedHasIt() {
        let day = Day(settings)
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.acknowledged))
        day.hear(1, .alarm(.raised), ["offer bo"])
        day.hear(2, .alarm(.acknowledged), ["withdraw bo: acknowledged"])
        day.hear(3, .alarm(.acknowledged))
    }

    @Test func whatIsToldAgainChangesNothing() {
        let day = Day(settings)
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.raised, time: noon(0)), ["offer bo"])
        day.hear(1, .alarm(.raised, time: noon(0)))
        day.hear(2, .alarm(.raised, time: noon(2)))
        day.answer(3, "bo", .accepted, ["confirm bo", "acknowledge bin/full by bo"])
        day.hear(4, .alarm(.raised, time: noon(2)))
        // It is told again an hour later, so it has not heard of the acknowledgement.
        day.hear(5, .alarm(.raised, time: noon(3602)), ["acknowledge bin/full by bo"])
        day.hear(6, .alarm(.acknowledged, time: noon(3603)))
        day.hear(7, .worker("bo", 300))
    }

    @Test func whoLeavesIsReplaced() {
        let day = Day(settings)
        day.hear(0, .worker("anna", 900))
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.raised), ["offer bo"])
        day.hear(1, .worker("bo", onDuty: false), ["withdraw bo: off duty", "offer anna"])
        day.answer(2, "anna", .accepted, ["confirm anna", "acknowledge bin/full by anna"])
        day.hear(3, .worker("bo", 300))
        day.hear(4, .worker("anna", onDuty: false), ["withdraw anna: off duty", "offer bo"])
        day.hear(5, .alarm(.acknowledged))
        day.answer(6, "bo", .accepted, ["confirm bo"])
        day.answer(7, "bo", .declined, ["withdraw bo: declined", "unassigned"])
    }

    @Test func whoHasLeftCannotTakeIt() {
        let day = Day(settings)
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.raised), ["offer bo"])
        day.hear(1, .worker("bo", onDuty: false), ["withdraw bo: off duty", "unassigned"])
        day.answer(2, "bo", .accepted)
        day.hear(3, .worker("bo", 300), ["offer bo"])
        day.answer(4, "bo", .accepted, ["confirm bo", "acknowledge bin/full by bo"])
    }

    @Test func nobodyIsHeardOfFromTheFuture() {
        let day = Day(settings)
        day.hear(0, .worker("early", 1, time: noon(100_000)))
        day.hear(901, .worker("bo", 4000))
        day.hear(901, .alarm(.raised), ["offer bo"])
        day.advance(1001, ["withdraw bo: no answer", "offer early"])
    }

    @Test func whoSaysThatHeIsFromTheFutureIsSilentFromNowOn() {
        let day = Day(settings)
        day.hear(0, .worker("early", 1, time: noon(100_000)))
        day.hear(7201, .alarm(.raised), ["unassigned"])
    }

    @Test func aNewConnectionTellsWhatIsSo() {
        var dispatcher = Dispatcher(settings, at: noon(0))
        _ = dispatcher.accept(.worker("anna", 900), at: noon(0))
        _ = dispatcher.accept(.worker("bo", 300), at: noon(0))
        _ = dispatcher.accept(.alarm(.raised), at: noon(0))
        #expect(brief(dispatcher.resume(at: noon(99))) == ["offer bo"])
        #expect(brief(dispatcher.resume(at: noon(100))) == ["withdraw bo: no answer", "offer anna"])
        #expect(brief(dispatcher.resume(at: noon(101))) == ["forget bo", "offer anna"])
    }

    @Test func afterAConnectionAllWorkersAreHeardBeforeOneIsAsked() {
        var dispatcher = Dispatcher(settings, at: noon(0))
        _ = dispatcher.resume(at: noon(0), listening: .seconds(2))
        #expect(brief(dispatcher.accept(.alarm(.raised), at: noon(0))) == [])
        #expect(brief(dispatcher.accept(.worker("anna", 900), at: noon(1))) == [])
        #expect(brief(dispatcher.accept(.worker("bo", 300), at: noon(1))) == [])
        #expect(dispatcher.due == noon(2))
        #expect(brief(dispatcher.advance(to: noon(2))) == ["offer bo"])
        // A clock that is set back ends it too.
        _ = dispatcher.resume(at: noon(90), listening: .seconds(2))
        #expect(brief(dispatcher.accept(.alarm(.cleared), at: noon(10))) == ["withdraw bo: cleared"])
        #expect(brief(dispatcher.accept(.alarm(.raised), at: noon(11))) == ["offer bo"])
    }

    @Test func whoIsSilentForLongIsReplaced() {
        let day = Day(settings)
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.raised), ["offer bo"])
        day.answer(1, "bo", .accepted, ["confirm bo", "acknowledge bin/full by bo"])
        day.hear(7000, .worker("anna", 900))
        day.advance(7201)
        day.advance(7202, ["withdraw bo: silent", "offer anna"])
    }

    @Test func whatWaitsIsOfferedToWhoeverComes() {
        let day = Day(settings)
        day.hear(0, .alarm(.raised), ["unassigned"])
        day.hear(1, .alarm(.raised))
        day.advance(600)
        day.hear(1300, .worker("far", nil), ["offer far"])
        day.answer(1301, "far", .declined, ["withdraw far: declined", "unassigned"])
        day.hear(1302, .worker("far", 1))
        day.hear(1303, .worker("bo", 1), ["offer bo"])
    }

    @Test func whatIsSaidToBeDoneAndIsNotIsOfferedAnew() {
        let day = Day(settings)
        day.hear(0, .worker("bo", 300))
        day.hear(0, .alarm(.raised), ["offer bo"])
        day.answer(1, "bo", .done, ["confirm bo", "acknowledge bin/full by bo", "withdraw bo: done"])
        day.advance(1800)
        day.advance(1801, ["offer bo"])
    }

    @Test func theTasksAreSpreadAndTheGravestComesFirst() {
        var settings = settings
        settings.rule.capacity = 2
        var dispatcher = Dispatcher(settings, at: noon(0))
        for (index, severity) in [AlarmSeverity.info, .warning, .serious].enumerated() {
            let actions = dispatcher.accept(
                .alarm(.raised, severity.rawValue, severity: severity, time: noon(index)), at: noon(index))
            #expect(brief(actions) == ["unassigned"])
        }
        let actions = dispatcher.accept(.worker("bo", 1), at: noon(9))
        let names = actions.compactMap { if case .offer(let task, _, _, _) = $0 { task.key.alarm } else { nil } }
        #expect(names == ["serious", "warning"])
        #expect(
            brief(dispatcher.accept(.alarm(.cleared, "serious"), at: noon(10)))
                == ["withdraw bo: cleared", "offer bo"])
    }

    @Test func aPlaceMayComeFromTheConfiguration() throws {
        var settings = settings
        settings.places = ["bin": north(1000)]
        var dispatcher = Dispatcher(settings, at: noon(0))
        _ = dispatcher.accept(.worker("south", 0), at: noon(0))
        _ = dispatcher.accept(.worker("north", 1200), at: noon(0))
        let actions = dispatcher.accept(.alarm(.raised, at: nil), at: noon(0))
        guard case .offer(let task, "north", let distance, _)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(task.position == north(1000))
        #expect(abs(try #require(distance) - 200) < 1)
    }

    @Test func thereIsALimitToAll() {
        var settings = settings
        settings.maximumTasks = 1
        settings.maximumWorkers = 1
        var dispatcher = Dispatcher(settings, at: noon(0))
        _ = dispatcher.accept(.worker("anna"), at: noon(0))
        _ = dispatcher.accept(.worker("bo"), at: noon(0))
        _ = dispatcher.accept(.alarm(.raised, "a"), at: noon(0))
        #expect(dispatcher.accept(.alarm(.raised, "b"), at: noon(0)) == [])
        _ = dispatcher.accept(.answer(task: "x", worker: "anna", .accepted), at: noon(0))
        #expect(dispatcher.workers.keys.sorted() == ["anna"])
        #expect(dispatcher.tasks.count == 1)
        #expect(
            [dispatcher.counters.refusedWorkers, dispatcher.counters.refusedAlarms, dispatcher.counters.strayAnswers]
                == [1, 1, 1])
        // Five tasks end; of four at most it is remembered what was told.
        var forgotten = 0
        for second in 1...6 {
            for input in [DispatchInput.alarm(.cleared, "a"), .alarm(.raised, "a")] {
                forgotten += brief(dispatcher.accept(input, at: noon(second))).count { $0.hasPrefix("forget") }
            }
        }
        #expect(forgotten == 2)
        // Who was not heard of for long makes room.
        _ = dispatcher.accept(.worker("bo"), at: noon(10_000))
        #expect(dispatcher.workers.keys.sorted() == ["bo"])
    }

    @Test func aRestartGoesOnWithWhatWas() throws {
        var records: [String: JSON] = [:]
        var dispatcher = Dispatcher(settings, at: noon(0))
        _ = dispatcher.accept(.worker("anna", 900), at: noon(0))
        _ = dispatcher.accept(.worker("bo", 300), at: noon(0))
        _ = dispatcher.accept(.alarm(.raised, "a", time: noon(1)), at: noon(1))
        _ = dispatcher.accept(.alarm(.raised, "b", time: noon(1)), at: noon(1))
        let task = try #require(dispatcher.tasks[AlarmKey(device: "bin", alarm: "a")])
        _ = dispatcher.accept(.answer(task: task.id, worker: "bo", .accepted), at: noon(2))
        _ = dispatcher.accept(.alarm(.raised, "c"), at: noon(3))
        _ = dispatcher.accept(.alarm(.cleared, "c"), at: noon(3))
        try records.keep(dispatcher.takeChanges())
        #expect(dispatcher.takeChanges().isEmpty)
        #expect(records.count == 6, "two tasks, a farewell, two workers and the number")

        var next = Dispatcher(settings, records: records, at: noon(50))
        #expect(next.tasks == dispatcher.tasks)
        #expect(next.takeChanges().isEmpty)
        // "c" was asked of Anna, who is to forget it; "a" is confirmed and acknowledged once more; "b" is asked for.
        #expect(
            brief(next.resume(at: noon(50)))
                == ["forget anna", "confirm bo", "acknowledge bin/a by bo", "offer bo"])
        for input in [
            DispatchInput.worker("bo", 300), .worker("anna", 900), .alarm(.raised, "a", time: noon(1)),
            .alarm(.raised, "b", time: noon(1)),
        ] { #expect(next.accept(input, at: noon(51)) == [], "what is retained is known") }
        #expect(next.tasks == dispatcher.tasks)
        _ = next.accept(.alarm(.raised, "c"), at: noon(3))
        #expect(Set(next.tasks.values.map(\.id)).count == 3)
    }

    @Test func whoWasToGoBeforeARestartAndIsNotHeardOfIsReplaced() throws {
        var records: [String: JSON] = [:]
        var dispatcher = Dispatcher(settings, at: noon(0))
        _ = dispatcher.accept(.worker("bo", 300), at: noon(0))
        _ = dispatcher.accept(.alarm(.raised), at: noon(1))
        let task = try #require(dispatcher.tasks.values.first)
        _ = dispatcher.accept(.answer(task: task.id, worker: "bo", .accepted), at: noon(2))
        try records.keep(dispatcher.takeChanges())
        var next = Dispatcher(settings, records: records, at: noon(9000))
        #expect(next.advance(to: noon(16_200)) == [])
        #expect(next.due == Timestamp(milliseconds: noon(16_200).milliseconds + 1))
        #expect(brief(next.advance(to: noon(16_201))) == ["withdraw bo: silent", "unassigned"])
    }

    /// README's example has no time; a broker repeats it to everybody who subscribes.
    @Test func whatABrokerHasRetainedIsNoSignOfLife() throws {
        var settings = DispatchSettings()
        settings.rule.maximumSilence = .seconds(100)
        var records: [String: JSON] = [:]
        var dispatcher = Dispatcher(settings, at: noon(0))
        let topic = "fieldpost/dispatch/worker/anna"
        func hear(at seconds: Int, retained: Bool) throws {
            _ = try dispatcher.receive(
                topic: topic, payload: Array(#"{"on_duty":true}"#.utf8)[...], isRetained: retained, at: noon(seconds))
            try records.keep(dispatcher.takeChanges())
        }
        func ask(at seconds: Int) -> [String] {
            defer { _ = dispatcher.accept(.alarm(.cleared), at: noon(seconds)) }
            return brief(dispatcher.accept(.alarm(.raised), at: noon(seconds)))
        }
        func restart(at seconds: Int) {
            dispatcher = Dispatcher(settings, records: records, at: noon(seconds))
            _ = dispatcher.resume(at: noon(seconds))
        }
        // Of whom nobody has ever heard, he counts as heard of now.
        try hear(at: 0, retained: true)
        #expect(ask(at: 90) == ["offer anna"])
        // Connected anew, or started anew, all the same.
        try hear(at: 99, retained: true)
        #expect(ask(at: 101) == ["unassigned"])
        restart(at: 102)
        try hear(at: 103, retained: true)
        #expect(ask(at: 104) == ["unassigned"])
        try hear(at: 110, retained: false)
        #expect(ask(at: 200) == ["offer anna"])
        restart(at: 205)
        try hear(at: 205, retained: true)
        #expect(ask(at: 209) == ["offer anna"])
        #expect(ask(at: 211) == ["unassigned"])
        // Who goes home is forgotten.
        _ = try dispatcher.receive(topic: topic, payload: [][...], at: noon(220))
        try records.keep(dispatcher.takeChanges())
        #expect(records.isEmpty || !records.keys.contains { $0.hasPrefix("worker/") })
    }

    @Test func recordsThatAreNoneCountAsNone() throws {
        let texts = [
            "null", "7", "{}", #"{"id":"x","device":"d","alarm":"a","severity":"warning","raised":1,"status":{}}"#,
            #"{"id":"x","device":"d","alarm":"a","severity":"warning","raised":1e300,"status":{"retry":1}}"#,
            #"{"id":"x","device":"d","alarm":"a","severity":"warning","raised":1,"status":{"offers":[]}}"#,
            #"{"worker":"w","task":"t","until":9e18}"#,
        ]
        for text in texts {
            let json = try JSONReader.value(Array(text.utf8)[...])
            var dispatcher = Dispatcher(
                settings, records: ["task/d/a": json, "farewell/w/t": json, "number": json, "x": json], at: noon(0))
            #expect(dispatcher.tasks.isEmpty)
            #expect(dispatcher.resume(at: noon(0)) == [])
        }
    }
}

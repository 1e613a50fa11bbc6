import Glibc
import TestSupport
import Testing

/// Bins fill up, tell it, and are emptied by whoever is best placed.
@Suite(.timeLimit(.minutes(3))) struct GarbageBinStoryTests {
    private static let alarm = "fieldpost/bin-2/alarm/full"
    private static let summary = "fieldpost/dispatch/alarm/bin-2/full"

    /// Anna is next to bin 2, but off duty; Bo is near; Chen is farther off.
    private func workersTellWhereTheyAre(_ park: Park) async throws {
        try await park.worker("anna", latitude: 31.7201, onDuty: false)
        try await park.worker("chen", latitude: 31.7400)
        try await park.worker("bo", latitude: 31.7220)
    }

    @Test(arguments: StoryBroker.allCases) func theWholeStory(broker: StoryBroker) async throws {
        try await Park.open(on: broker, answerWithin: "4s") { park in
            // Three bins stand in the park, all of them empty. Three workers carry phones.
            let bins = try [park.bin(1), park.bin(2), park.bin(3)]
            var agents: [Program] = []
            for bin in bins { agents.append(try await bin.run()) }
            try await workersTellWhereTheyAre(park)
            let dispatcher = try await park.dispatcher()
            try await park.hears("an empty bin", on: "fieldpost/bin-2/fill") { ($0["value"] ?? "").hasPrefix("2.17") }

            // The second one fills up, and says so to whoever listens, now or later.
            try bins[1].put("0.05", into: "distance")
            let alarm = try await park.hears("the alarm", on: Self.alarm) { $0["state"] == "raised" }
            #expect(alarm.qos == "1")
            #expect(alarm["severity"] == "warning" && (alarm["value"] ?? "").hasPrefix("94.5"), "\(alarm)")
            #expect(try await retained(port: park.port, Self.alarm, seconds: 5) == alarm.payload)

            // Bo is asked, and nobody else: he is nearer than Chen, and Anna is off duty.
            let task = try await park.task("offered", of: "bin-2", for: "bo")
            #expect(task.message["distance"] == "222", "\(task)")

            // Bo does not answer in time. Then Chen is asked, for the same task, and goes.
            let withdrawal = try await park.task("withdrawn", of: "bin-2", for: "bo")
            #expect(withdrawal.message["reason"] == "no answer")
            #expect(await park.offers(before: withdrawal.message).map(\.worker) == ["bo"])
            #expect(try await park.task("offered", of: "bin-2", for: "chen").name == task.name)
            try await park.answers("chen", "accepted", to: task.name)
            try await park.task("accepted", of: "bin-2", for: "chen")

            // The bin knows that somebody comes, and everybody knows who.
            let acknowledged = try await park.hears("the acknowledgement", on: Self.alarm) {
                $0["state"] == "acknowledged"
            }
            #expect(acknowledged["by"] == "chen" && acknowledged["raised"] == alarm["raised"], "\(acknowledged)")
            try await park.hears("who has it", on: Self.summary) {
                $0["state"] == "accepted" && $0["worker"] == "chen" && $0["task"] == task.name
            }

            // Chen empties it: the alarm is over, and so is his task.
            try bins[1].put("0.91", into: "distance")
            let cleared = try await park.hears(
                "the end of the alarm", on: Self.alarm,
                where: {
                    $0["state"] == "cleared" && $0["value"] != nil
                })
            #expect(cleared.qos == "1")
            #expect(try await park.task("withdrawn", of: "bin-2", for: "chen").message["reason"] == "cleared")
            try await park.hears("the end of the summary", on: Self.summary) { $0.payload.isEmpty }

            // Nobody else was asked, of no other task; no other bin has raised its voice.
            #expect(await park.offers.map(\.worker) == ["bo", "chen"])
            #expect(await Set(park.heard.filter { $0["state"] == "raised" }.map(\.topic)) == [Self.alarm])
            for program in agents + [dispatcher] {
                program.send(SIGTERM)
                #expect(try await program.wait() == .exited(0))
            }
        }
    }

    @Test(arguments: StoryBroker.allCases) func theDispatcherIsKilledAndGoesOn(broker: StoryBroker) async throws {
        try await Park.open(on: broker, answerWithin: "1m") { park in
            let bin = try park.bin(2)
            let agent = try await bin.run()
            try await workersTellWhereTheyAre(park)
            var dispatcher = try await park.dispatcher()
            try bin.put("0.05", into: "distance")
            let task = try await park.task("offered", of: "bin-2", for: "bo").name

            // Killed while Bo thinks it over: he is told the same again, and nobody else is asked.
            await dispatcher.kill()
            var before = await park.heard.count
            dispatcher = try await park.dispatcher()
            #expect(try await park.task("offered", of: "bin-2", for: "bo", after: before).name == task)

            // Bo answers while nobody is in the office. It is heard all the same.
            await dispatcher.kill()
            try await park.answers("bo", "accepted", to: task)
            dispatcher = try await park.dispatcher()
            try await park.task("accepted", of: "bin-2", for: "bo")
            let acknowledged = try await park.hears("the acknowledgement", on: Self.alarm) {
                $0["state"] == "acknowledged"
            }
            #expect(acknowledged["by"] == "bo")

            // Once more, now that he has it.
            await dispatcher.kill()
            before = await park.heard.count
            dispatcher = try await park.dispatcher()
            #expect(try await park.task("accepted", of: "bin-2", for: "bo", after: before).name == task)

            // The bin is emptied while nobody is in the office.
            await dispatcher.kill()
            try bin.put("0.91", into: "distance")
            try await park.hears("the end of the alarm", on: Self.alarm) {
                $0["state"] == "cleared" && $0["value"] != nil
            }
            dispatcher = try await park.dispatcher()
            #expect(try await park.task("withdrawn", of: "bin-2", for: "bo").message["reason"] == "cleared")
            try await park.hears("the end of the summary", on: Self.summary) { $0.payload.isEmpty }

            #expect(await Set(park.offers.map { "\($0.worker) \($0.task)" }) == ["bo \(task)"])
            await agent.kill()
            await dispatcher.kill()
        }
    }

    @Test(arguments: StoryBroker.allCases)
    func aDispatcherThatComesLateAsksTheNearestWorkerFirst(broker: StoryBroker) async throws {
        try await Park.open(on: broker, answerWithin: "1m") { park in
            let bin = try park.bin(2)
            try bin.put("0.05", into: "distance")
            let agent = try await bin.run()
            try await park.hears("the alarm", on: Self.alarm) { $0["state"] == "raised" }
            try await workersTellWhereTheyAre(park)
            var dispatcher = try await park.dispatcher()
            // Who is asked is told everybody, and then him.
            try await park.hears("the offer", on: Self.summary) { $0["state"] == "offered" }
            try await park.task("offered", of: "bin-2", for: "bo")
            #expect(await park.offers.map(\.worker) == ["bo"])

            // And so does one that was there before: another bin has filled up meanwhile.
            await dispatcher.kill()
            let other = try park.bin(3)
            try other.put("0.05", into: "distance")
            let second = try await other.run()
            try await park.hears("the alarm", on: "fieldpost/bin-3/alarm/full") { $0["state"] == "raised" }
            dispatcher = try await park.dispatcher()
            try await park.hears("the offer", on: "fieldpost/dispatch/alarm/bin-3/full") { $0["state"] == "offered" }
            try await park.task("offered", of: "bin-3", for: "bo")
            let asked = await park.heard.filter { $0["state"] == "offered" && $0["device"] == "bin-3" }
            #expect(asked.count == 1 && asked[0].topic.hasPrefix("fieldpost/dispatch/worker/bo/"), "\(asked)")
            for program in [agent, second, dispatcher] { await program.kill() }
        }
    }

    @Test(arguments: StoryBroker.allCases) func aBoardThatIsKilledDoesNotRaiseItsAlarmAnew(broker: StoryBroker)
        async throws
    {
        try await Park.open(on: broker, answerWithin: "1m") { park in
            let bin = try park.bin(2)
            try await workersTellWhereTheyAre(park)
            let dispatcher = try await park.dispatcher()
            var agent = try await bin.run()
            try bin.put("0.05", into: "distance")
            let raised = try await park.hears("the alarm", on: Self.alarm) { $0["state"] == "raised" }
            let task = try await park.task("offered", of: "bin-2", for: "bo").name

            // What it says after a restart is what it said before.
            await agent.kill()
            var before = await park.heard.count
            agent = try await bin.run()
            let again = try await park.hears("the alarm again", on: Self.alarm, after: before)
            #expect(again.payload == raised.payload)

            try await park.answers("bo", "accepted", to: task)
            let acknowledged = try await park.hears("the acknowledgement", on: Self.alarm) {
                $0["state"] == "acknowledged"
            }
            await agent.kill()
            before = await park.heard.count
            agent = try await bin.run()
            // Behind what it may repeat because it was killed before it knew that it had arrived.
            try await park.hears("the alarm again", on: Self.alarm, after: before) {
                $0.payload == acknowledged.payload
            }
            try await park.hears("a reading", on: "fieldpost/bin-2/fill", after: before)

            // It goes on from there: what was full is emptied while the board is dead.
            await agent.kill()
            try bin.put("0.91", into: "distance")
            agent = try await bin.run()
            let cleared = try await park.hears("the end of the alarm", on: Self.alarm) {
                $0["state"] == "cleared" && $0["value"] != nil
            }
            #expect(cleared["by"] == nil)
            #expect(try await park.task("withdrawn", of: "bin-2", for: "bo").name == task)
            // Raised once, by its time; offered once.
            #expect(
                await Set(park.heard.filter { $0.topic == Self.alarm }.compactMap { $0["raised"] }) == [
                    raised["raised"] ?? ""
                ])
            #expect(await park.offers.map(\.task) == [task])
            await agent.kill()
            await dispatcher.kill()
        }
    }
}

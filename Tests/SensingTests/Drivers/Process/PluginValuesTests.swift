import TestSupport
import Testing
import Units

@testable import Sensing

/// What decides about plugins, without one.
@Suite struct PluginValuesTests {
    let start = ContinuousClock.now

    @Test("Starts are put off twice as long each time, up to five minutes")
    func backoff() {
        var backoff = Backoff()
        #expect(backoff.wait(at: start) == nil)
        var now = start
        var waits: [Duration] = []
        for _ in 0..<11 {
            backoff.started(at: now)
            #expect(backoff.wait(at: now) == nil)
            now += .milliseconds(300)
            backoff.failed(at: now)
            guard let wait = backoff.wait(at: now) else { break }
            waits.append(wait)
            #expect(backoff.wait(at: now + wait - .milliseconds(1)) == .milliseconds(1))
            now += wait
            #expect(backoff.wait(at: now) == nil)
        }
        #expect(waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map { .seconds($0) })
    }

    @Test("Who ran well for a minute begins anew; who ran nearly as long does not")
    func backoffResets() {
        var backoff = Backoff()
        var now = start
        func run(for time: Duration) -> Duration? {
            backoff.started(at: now)
            now += time
            backoff.failed(at: now)
            defer { now += .seconds(300) }
            return backoff.wait(at: now)
        }
        #expect(run(for: .zero) == .seconds(1))
        #expect(run(for: .milliseconds(59_999)) == .seconds(2))
        #expect(run(for: .zero) == .seconds(4))
        #expect(run(for: .seconds(60)) == .seconds(1))
        #expect(run(for: .seconds(86400)) == .seconds(1))
        #expect(run(for: .zero) == .seconds(2))
    }

    @Test("A second's share of messages and bytes is admitted, the rest counted")
    func flood() {
        var flood = FloodGuard()
        flood.note(bytes: 100, at: start)
        #expect((0..<1500).count { _ in flood.admits() } == 1000)
        #expect(flood.dropped == 500)
        // The next second has its own share, of bytes too.
        flood.note(bytes: 1024 * 1024, at: start + .seconds(1))
        let admitted = flood.admits()
        #expect(admitted)
        flood.note(bytes: 1, at: start + .milliseconds(1999))
        let refused = flood.admits()
        #expect(!refused)
        #expect(!flood.isHopeless)
    }

    @Test("Ten full seconds one after the other are a flood; with a pause they are none")
    func hopeless() {
        for (step, isHopeless) in [(Duration.milliseconds(1000), true), (.milliseconds(2000), false)] {
            var flood = FloodGuard()
            for second in 0...10 {
                flood.note(bytes: 10, at: start + step * second)
                for _ in 0..<1001 { _ = flood.admits() }
                if second < 10 { #expect(!flood.isHopeless) }
            }
            #expect(flood.isHopeless == isHopeless)
        }
        var flood = FloodGuard()
        for _ in 0..<1024 { flood.note(bytes: 16 * 1024, at: start) }
        #expect(!flood.isHopeless)
        flood.note(bytes: 1, at: start)
        #expect(flood.isHopeless)
    }

    @Test("Lines are the same in whatever pieces they come")
    func splitter() {
        let seed = UInt64.random(in: .min ... .max)
        var random = TestSupport.SplitMix64(seed: seed)
        let text = Array("one\n\ntwo\r\n\r\n12345678\n123456789\n\n1234567890123\nend\nrest".utf8)
        for round in 0..<500 {
            var splitter = LineSplitter(limit: 8)
            var lines: [String] = []
            var rest = text[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(Int.random(in: 1...12, using: &random)))
                rest = rest.dropFirst(piece.count)
                lines += piece.withUnsafeBytes { splitter.append($0) }.map { String(decoding: $0, as: UTF8.self) }
            }
            #expect(lines == ["one", "two", "12345678", "end"], "seed \(seed), round \(round)")
            #expect(splitter.overlong == 2, "seed \(seed), round \(round)")
            #expect(splitter.rest == Array("rest".utf8))
        }
    }

    @Test("So many lines a minute come into the log, and a word on the others")
    func log() {
        var limiter = LogLimiter()
        let first = (0..<40).flatMap { limiter.admit("line \($0)", at: start) }
        #expect(first.count == 30)
        #expect(limiter.admit("late", at: start + .seconds(59)) == [])
        #expect(limiter.admit("next", at: start + .seconds(60)) == ["11 lines were left out", "next"])
        #expect(LogLimiter.printable("a\tb\u{1B}[2J\u{7F}ä") == "a b\\u{1B}[2J\\u{7F}ä")
        #expect(LogLimiter.printable(String(repeating: "x", count: 400)).count == 301)
    }

    @Test(
        "Users are found with all of their groups",
        arguments: [
            ("fieldpost", UserAccount.Parts(user: 999, groups: [998, 20, 997])), ("root", .init(user: 0, groups: [0])),
            ("field", nil), ("broken", nil), ("large", nil), ("", nil),
        ])
    func users(name: String, parts: UserAccount.Parts?) {
        let account = UserAccount(
            named: name,
            passwords: """
                root:x:0:0:root:/root:/bin/bash
                broken:x:5
                large:x:99999999999:1::/:/bin/sh
                fieldpost:x:999:998::/var/lib/fieldpost:/usr/sbin/nologin
                """,
            groups: """
                root:x:0:
                dialout:x:20:pi,fieldpost
                gpio:x:997:fieldpost
                fieldpost:x:998:fieldpost
                other:x:996:fieldposts
                broken:x
                none:x:abc:fieldpost
                """)
        #expect(account.map { UserAccount.Parts(user: $0.user, groups: $0.groups) } == parts)
        #expect(account?.group == parts?.groups.first)
    }

    @Test("Questions are lines that begin with their type and identifier")
    func requests() {
        #expect(PluginRequest.describe.line(id: 1) == #"{"type":"describe","id":1,"protocol":1}"# + "\n")
        #expect(
            PluginRequest.configure(sensor: "a\nb", options: ["pin": 4]).line(id: 2)
                == #"{"type":"configure","id":2,"sensor":"a\nb","options":{"pin":4}}"# + "\n")
        #expect(PluginRequest.read.line(id: 3) == #"{"type":"read","id":3}"# + "\n")
        #expect(
            PluginRequest.set(channel: "x", value: .boolean(true)).line(id: 4)
                == #"{"type":"set","id":4,"channel":"x","value":true}"# + "\n")
        #expect(
            PluginRequest.set(channel: nil, value: .number(1.5)).line(id: 5)
                == #"{"type":"set","id":5,"value":1.5}"# + "\n")
    }

    @Test(
        "Of a reading, what is wrong is told",
        arguments: [
            (#"{}"#, "gave nothing as its value"), (#"{"value":[1]}"#, "gave an array as its value"),
            (#"{"value":{}}"#, "gave an object as its value"), (#"{"value":null}"#, "has no value: no reason given"),
            (#"{"value":1,"channel":5}"#, "gave a channel that is no text of 1 to 256 bytes"),
            (#"{"value":1,"channel":""}"#, "gave a channel that is no text of 1 to 256 bytes"),
            (#"{"value":1,"unit":true}"#, "gave a unit that is no text of 1 to 256 bytes"),
            (#"{"value":1,"time":"noon"}"#, "gave a time that is none"),
            (#"{"value":1,"time":1e300}"#, "gave a time that is none"), (#"{"value":1,"time":1e15}"#, "gave a time that is none"),
            (#"{"value":1,"quality":"fine"}"#, "gave an unknown quality"), (#"{"value":1,"quality":5}"#, "gave an unknown quality"),
            (#"5"#, "gave nothing as its value"),
        ])
    func malformedReadings(reading: String, problem: String) throws {
        let line = #"{"type":"event","readings":[\#(reading),{"value":7}]}"#
        guard case .event(let readings) = try PluginMessage(Array(line.utf8), place: "p") else {
            Issue.record("no event")
            return
        }
        #expect(readings.measured == [Measurement(.number(7))])
        #expect(readings.failure?.problem == problem)
    }

    @Test(
        "What is no message is told",
        arguments: [
            ("7", "is a number and no object"), (#"{"type":5}"#, "has no type"), (#"{"type":"x"}"#, "has an unknown type"),
            (#"{"type":"read","id":1.5}"#, "has no whole number as its id"),
            (#"{"type":"read","id":1e30}"#, "has no whole number as its id"),
            (#"{"type":"error","id":"1"}"#, "has no whole number as its id"),
            (#"{"type":"describe","id":1}"#, "tells no version of the protocol"),
        ])
    func noMessages(line: String, problem: String) {
        #expect(throws: InvalidText(problem)) { try PluginMessage(Array(line.utf8), place: "p") }
    }

    @Test("A thousand readings are taken of one message, and the loss of more is told")
    func manyReadings() throws {
        let readings = Array(repeating: #"{"value":1}"#, count: 1200).joined(separator: ",")
        let message = try PluginMessage(Array(#"{"type":"event","readings":[\#(readings)]}"#.utf8), place: "p")
        guard case .event(let event) = message else {
            Issue.record("no event")
            return
        }
        #expect(event.measured.count == 1000)
        #expect(event.failure?.problem == "gave 1200 readings at once, more than 1000")
    }
}

extension UserAccount {
    struct Parts: Sendable, Equatable {
        var user: UInt32
        var groups: [UInt32]
    }
}

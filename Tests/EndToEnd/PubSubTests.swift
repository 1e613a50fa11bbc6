import Glibc
import TestSupport
import Testing

/// `fieldpost pub` and `fieldpost sub` beside the programs whose options they have.
@Suite(.timeLimit(.minutes(2))) struct PubSubTests {
    private static let versions = ["311", "5"]

    /// Through a shell, which gives it standard input.
    private func shell(_ input: String, _ command: String, port: Int, _ arguments: String) async throws -> Outcome {
        let program = try Program.built("fieldpost")
        return try await runProgram(
            "/bin/sh", ["-c", "\(input) '\(program)' \(command) -h 127.0.0.1 -p \(port) \(arguments)"],
            timeout: .seconds(30))
    }

    // MARK: pub

    @Test(arguments: versions, 0...2)
    func pubReachesMosquittoSub(version: String, qos: Int) async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["room/#"])
            let result = try await fieldpost(
                "pub", port: broker.port, ["-V", version, "-q", "\(qos)", "-t", "room/1", "-m", "-5 °C", "-i", "me"])
            #expect(result.ending == .exited(0))
            #expect(result.output.isEmpty && result.errors.isEmpty)
            #expect(try await watcher.next() == "room/1 \(qos) 0 -5 °C")
            // The broker is told goodbye, not left.
            try await broker.log.line(containing: "Received DISCONNECT from me")
        }
    }

    @Test func aThousandLinesArriveInOrder() async throws {
        // Mosquitto 2.0.11 does not always keep the order of what waits for a slow subscriber.
        try await withMosquitto(lines: ["max_queued_messages 0", "max_inflight_messages 0"]) { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["lines"])
            let result = try await shell("seq 1000 |", "pub", port: broker.port, "-t lines -q 1 -l")
            #expect(result.ending == .exited(0))
            let lines = try await watcher.wait(for: "1000 lines") { $0.count == 1000 }
            #expect(lines == (1...1000).map { "lines 1 0 \($0)" })
        }
    }

    @Test func linesAreSentAsTheyCome() async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["lines"], format: "%p")
            let pipe = try Pipe()
            let pub = try await pipe.pub(port: broker.port, "-t lines -l")
            try pipe.write("one\n")
            #expect(try await watcher.next() == "one")
            try pipe.write("\ntwo")
            #expect(try await watcher.next() == "", "an empty line is an empty message")
            pipe.end()
            #expect(try await watcher.next() == "two", "the last line needs no line feed")
            #expect(try await pub.wait() == .exited(0))
        }
    }

    @Test func linesGoOnWhenTheBrokerComesBack() async throws {
        try await withMosquitto { broker in
            let pipe = try Pipe()
            let pub = try await pipe.pub(port: broker.port, "-t lines -q 1 -r -l")
            try pipe.write("before\n")
            try await broker.log.line(containing: "Sending PUBACK")
            await broker.kill()
            try await pub.errors.line(containing: "the connection was lost: closed by the peer; trying again in")
            try pipe.write("after\n")
            try await broker.restart()
            // Behind the first one, perhaps, once more: its acknowledgement may have died with the broker.
            try await eventually("the second line") { try await retained(port: broker.port, "lines") == "after" }
            pipe.end()
            #expect(try await pub.wait() == .exited(0))
        }
    }

    @Test func interruptedLinesEndWithAGoodbye() async throws {
        try await withMosquitto { broker in
            let pipe = try Pipe()
            // At QoS 1 the interruption could overtake the acknowledgement, and then it would say so.
            let pub = try await pipe.pub(port: broker.port, "-t a -q 0 -l -i it")
            try pipe.write("1\n")
            try await broker.log.line(containing: "Received PUBLISH from it")
            pub.send(SIGINT)
            #expect(try await pub.wait() == .exited(0))
            try await broker.log.line(containing: "Received DISCONNECT from it")
        }
    }

    @Test func anInterruptionSaysWhatIsNotAcknowledged() async throws {
        let server = try await ScriptedServer.start([.receive(1), .send([0x20, 2, 0, 0]), .receive(5)])
        let pipe = try Pipe()
        let pub = try await pipe.pub(port: server.port, "-V 311 -t a -q 1 -l -i it")
        try pipe.write("1\n2\n")
        try await eventually("the messages") { server.received.first.map { $0.count > 16 + 12 } ?? false }
        pub.send(SIGTERM)
        #expect(try await pub.wait() == .exited(1))
        #expect(await pub.errors.lines == ["interrupted; 2 of 2 messages are not acknowledged"])
    }

    @Test func filesStandardInputAndNothing() async throws {
        try await withMosquitto { broker in
            let directory = try TemporaryDirectory()
            let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
            let file = try directory.write(bytes, to: "photo")
            let watcher = try await MosquittoSub.start(port: broker.port, ["a"], format: "%l %x")
            #expect(try await fieldpost("pub", port: broker.port, ["-t", "a", "-f", file]).ending == .exited(0))
            let hex = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            #expect(try await watcher.next() == "300000 \(hex)")
            let whole = try await shell("printf 'x\\ny' |", "pub", port: broker.port, "-t a -s")
            #expect(whole.ending == .exited(0))
            #expect(try await watcher.next() == "3 780a79")
            #expect(try await fieldpost("pub", port: broker.port, ["-t", "a", "-n"]).ending == .exited(0))
            #expect(try await watcher.next() == "0 ")
            let missing = try await fieldpost("pub", port: broker.port, ["-t", "a", "-f", "/no/such/file"])
            #expect(missing.ending == .exited(74))
            #expect(missing.errors == ["/no/such/file: No such file or directory"])
        }
    }

    @Test func retainedMessagesAreKeptAndRemoved() async throws {
        try await withMosquitto { broker in
            _ = try await fieldpost("pub", port: broker.port, ["-t", "r", "-m", "kept", "-r", "-q", "1"])
            #expect(try await retained(port: broker.port, "r", seconds: 10) == "kept")
            _ = try await fieldpost("pub", port: broker.port, ["-t", "r", "-n", "-r", "-q", "1"])
            #expect(try await retained(port: broker.port, "r") == nil)
        }
    }

    @Test func aMessageIsRepeated() async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["a"], format: "%p")
            // Whoever receives them may be late with the first one: the time is that of who sends.
            let began = ContinuousClock.now
            let result = try await fieldpost(
                "pub", port: broker.port,
                ["-t", "a", "-m", "again", "--repeat", "3", "--repeat-delay", "0.5", "-q", "2"])
            #expect(result.ending == .exited(0))
            #expect(.now - began >= .seconds(1))
            #expect(try await watcher.wait { $0.count == 3 } == ["again", "again", "again"])
        }
    }

    @Test func propertiesOfAMessage() async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(
                port: broker.port, ["a"], version: .v5, format: "%C|%D|%E|%F|%P|%R|%p")
            let result = try await fieldpost(
                "pub", port: broker.port,
                [
                    "-t", "a", "-D", "publish", "user-property", "k", "-v", "-D", "publish", "content-type", "text",
                    "-D", "PUBLISH", "message-expiry-interval", "100", "-D", "publish", "response-topic", "answers",
                    "-D", "publish", "correlation-data", "c1", "-D", "publish", "payload-format-indicator", "1",
                    "-m", "x",
                ])
            #expect(result.ending == .exited(0))
            #expect(try await watcher.next() == "text|c1|100|1|k:-v|answers|x")
        }
    }

    @Test func propertiesOfAConnection() async throws {
        let server = try await ScriptedServer.start([.receive(1), .send([0x20, 3, 0, 0, 0])])
        let result = try await fieldpost(
            "pub", port: server.port,
            ["-t", "a", "-m", "x", "-i", "it", "-x", "258", "-D", "connect", "user-property", "who", "me"])
        #expect(result.ending == .exited(0))
        let sent = Array(server.received.joined())
        let property: [UInt8] = [0x26, 0, 3] + Array("who".utf8) + [0, 2] + Array("me".utf8)
        #expect(!sent.ranges(of: property).isEmpty, "the user property")
        #expect(!sent.ranges(of: [0x11, 0, 0, 1, 2]).isEmpty, "the session expiry interval")
    }

    @Test func everythingInAURL() async throws {
        let directory = try TemporaryDirectory()
        let passwords = directory.path("passwords")
        _ = try await runProgram(systemProgram("mosquitto_passwd"), ["-b", "-c", passwords, "me", "a b@c"])
        try await withMosquitto(lines: ["allow_anonymous false", "password_file \(passwords)"]) { broker in
            let place = "127.0.0.1:\(broker.port)"
            let program = try Program.built("fieldpost")
            let good = try await runProgram(
                program, ["pub", "-L", "mqtt://me:a%20b%40c@\(place)/room/1", "-m", "hello", "-r", "-q", "1"])
            #expect(good.ending == .exited(0))
            let back = try await fieldpost(
                "sub", port: broker.port, ["-u", "me", "-P", "a b@c", "-t", "room/1", "-C", "1"])
            #expect(back.output == ["hello"])
            for version in Self.versions {
                let bad = try await runProgram(
                    program, ["pub", "-V", version, "-L", "mqtt://me:wrong@\(place)/room/1", "-m", "x"])
                #expect(bad.ending == .exited(69))
                let error = try #require(bad.errors.first)
                #expect(error.hasPrefix("mqtt://\(place): refused: "))
                #expect(error.contains("check user name, password and the broker's access rules"))
                #expect(!error.contains("wrong"))
                let sub = try await fieldpost("sub", port: broker.port, ["-V", version, "-t", "a"])
                #expect(sub.ending == .exited(69) && sub.errors.first == error)
            }
        }
        withExtendedLifetime(directory) {}
    }

    @Test func aRefusedMessageIsAFailure() async throws {
        let directory = try TemporaryDirectory()
        let rules = try directory.write("topic read #\n", to: "rules")
        try await withMosquitto(lines: ["acl_file \(rules)"]) { broker in
            let one = try await fieldpost("pub", port: broker.port, ["-V", "5", "-q", "1", "-t", "a", "-m", "x"])
            #expect(one.ending == .exited(1))
            #expect(one.errors.first?.hasPrefix("a: refused by the broker: ") == true)
            let lines = try await shell("seq 3 |", "pub", port: broker.port, "-V 5 -q 1 -t a -l")
            #expect(lines.ending == .exited(1))
            #expect(
                lines.errors == ["not all of 3 messages were taken: 3 refused by the broker; --debug says more"])
        }
        withExtendedLifetime(directory) {}
    }

    @Test(arguments: [[], ["-V", "auto"]])
    func aBrokerThatSpeaksOnly311IsAskedInIt(arguments: [String]) async throws {
        // Its refusal of 5.0, in its own form.
        let server = try await ScriptedServer.start(
            [.receive(1), .send([0x20, 2, 0, 1]), .close], [.receive(1), .send([0x20, 2, 0, 0])])
        let result = try await fieldpost("pub", port: server.port, arguments + ["-t", "a", "-m", "x"])
        #expect(result.ending == .exited(0) && result.errors.isEmpty, "\(result.errors)")
        #expect(server.received.map { $0.count > 8 ? $0[8] : 0 } == [5, 4])
    }

    @Test func aBrokerThatSendsUsElsewhereIsFollowed() async throws {
        try await withMosquitto { broker in
            let place = Array("127.0.0.1:\(broker.port)".utf8)
            let properties = [0x1C, 0, UInt8(place.count)] + place
            let refusal = [0, 0x9C, UInt8(properties.count)] + properties
            let server = try await ScriptedServer.start(
                [.receive(1), .send([0x20, UInt8(refusal.count)] + refusal), .close])
            let result = try await fieldpost("pub", port: server.port, ["-t", "a", "-m", "moved", "-r", "-q", "1"])
            #expect(result.ending == .exited(0))
            #expect(result.errors.count == 1 && result.errors[0].hasSuffix("asking there"), "\(result.errors)")
            #expect(try await retained(port: broker.port, "a", seconds: 10) == "moved")
        }
    }

    // MARK: sub

    @Test(arguments: versions, 0...2)
    func subPrintsWhatMosquittoPubPublishes(version: String, qos: Int) async throws {
        try await withMosquitto { broker in
            let sub = try await startSub(
                broker, ["-V", version, "-q", "\(qos)", "-t", "a/+/c", "-t", "x/#", "-T", "x/no", "-v", "-C", "3"])
            for topic in ["a/b/c", "a/b/d", "x", "x/no", "x/y/z", "x/late"] {
                try await mosquittoPub(port: broker.port, topic, "to \(topic)", qos: 2)
            }
            #expect(try await sub.wait() == .exited(0))
            #expect(await sub.output.lines == ["a/b/c to a/b/c", "x to x", "x/y/z to x/y/z"])
            #expect(await sub.errors.lines.isEmpty)
        }
    }

    @Test(arguments: versions)
    func retainedMessagesArePrintedOrNot(version: String) async throws {
        try await withMosquitto { broker in
            for number in 1...2 { try await mosquittoPub(port: broker.port, "r/\(number)", "old", retain: true) }
            let fresh = try await startSub(broker, ["-V", version, "-t", "r/#", "-R", "-C", "1"])
            let stale = try await startSub(broker, ["-V", version, "-t", "r/#", "--retained-only", "-v"])
            try await mosquittoPub(port: broker.port, "r/3", "new")
            #expect(try await fresh.wait() == .exited(0))
            #expect(await fresh.output.lines == ["new"])
            #expect(try await stale.wait() == .exited(0))
            #expect(await stale.output.lines.sorted() == ["r/1 old", "r/2 old"])
        }
    }

    /// What both print of the same message, apart from the packet identifier, which we do not give.
    @Test(arguments: [
        "%t|%p|%q|%r|%l|%x|%X|%%", "%8l|%-8t|%08l|%.2t|%8.2t.", #"a\tb\\c @@ @Y-@m-@d"#, "%C|%D|%E|%F|%P|%R|%S|%A",
    ])
    func formatsAreThoseOfMosquittoSub(format: String) async throws {
        try await withMosquitto { broker in
            let theirs = try await MosquittoSub.start(port: broker.port, ["topic"], version: .v5, format: format)
            let ours = try await startSub(broker, ["-V", "5", "-q", "2", "-t", "topic", "-F", format, "-C", "2"])
            try await mosquittoPub(port: broker.port, "topic", "päyload")
            try await mosquittoPub(
                port: broker.port, "topic", "x", qos: 0, extra: ["-D", "publish", "user-property", "k", "v"])
            #expect(try await ours.wait() == .exited(0))
            #expect(await ours.output.lines == (try await theirs.wait { $0.count == 2 }))
        }
    }

    @Test func propertiesOfSubscriptions() async throws {
        try await withMosquitto { broker in
            let sub = try await startSub(
                broker,
                [
                    "-t", "a", "-F", "%S %p", "-C", "1", "-D", "subscribe", "subscription-identifier", "258", "-D",
                    "subscribe", "user-property", "-k", "-v",
                ])
            try await mosquittoPub(port: broker.port, "a", "x")
            #expect(try await sub.wait() == .exited(0))
            #expect(await sub.output.lines == ["258 x"])
        }
        // The filter is longer than CONNECT, so that the answer does not come too early.
        let server = try await ScriptedServer.start(
            [.receive(1), .send([0x20, 3, 0, 0, 0]), .receive(200), .send([0x90, 4, 0xC0, 1, 0, 0])])
        let sub = try await Program.start(
            Program.built("fieldpost"),
            [
                "sub", "-h", "127.0.0.1", "-p", "\(server.port)", "-i", "me", "-t",
                String(repeating: "a", count: 200), "-U", "b", "-D",
                "unsubscribe", "user-property", "-k", "-v",
            ])
        let property: [UInt8] = [0x26, 0, 2] + Array("-k".utf8) + [0, 2] + Array("-v".utf8)
        try await eventually("a user property") {
            !Array(server.received.joined()).ranges(of: property).isEmpty
        }
        await sub.kill()
    }

    @Test func messagesAsJSON() async throws {
        try await withMosquitto { broker in
            let sub = try await startSub(broker, ["-t", "a", "-F", "%j", "-C", "1"])
            try await mosquittoPub(port: broker.port, "a", #"say "x""#, qos: 0)
            #expect(try await sub.wait() == .exited(0))
            let line = try #require(await sub.output.lines.first)
            #expect(line.hasPrefix(#"{"tst":"20"#))
            #expect(line.hasSuffix(#","topic":"a","qos":0,"retain":0,"payloadlen":7,"payload":"say \"x\""}"#))
        }
    }

    @Test func withoutLineFeedsThePayloadsAreAsTheyCame() async throws {
        try await withMosquitto { broker in
            let sub = try await startSub(broker, ["-t", "a", "-N", "-C", "3"])
            for payload in ["one,", "two", "\n"] { try await mosquittoPub(port: broker.port, "a", payload) }
            #expect(try await sub.wait() == .exited(0))
            #expect(await sub.output.lines == ["one,two"])
        }
    }

    @Test func theTimeIsUp() async throws {
        try await withMosquitto { broker in
            let result = try await fieldpost("sub", port: broker.port, ["-t", "a", "-W", "1"])
            #expect(result.ending == .exited(27))
            #expect(result.errors == ["timed out after 1s"])
            let quiet = try await fieldpost("sub", port: broker.port, ["-t", "a", "-W", "1", "--quiet"])
            #expect(quiet.ending == .exited(27) && quiet.errors.isEmpty)
        }
    }

    @Test(arguments: versions)
    func aKeptSessionHoldsMessagesForTheNextRun(version: String) async throws {
        try await withMosquitto { broker in
            let session = ["-V", version, "-c", "-i", "keeper", "-q", "1", "-t", "a"]
            #expect(try await fieldpost("sub", port: broker.port, session + ["-E"]).ending == .exited(0))
            for number in 1...3 { try await mosquittoPub(port: broker.port, "a", "\(number)") }
            let result = try await fieldpost("sub", port: broker.port, session + ["-C", "3", "-W", "10"])
            #expect(result.ending == .exited(0))
            #expect(result.output == ["1", "2", "3"])
            let left = ["-V", version, "-c", "-i", "keeper", "-U", "a", "-W"]
            let leaving = try await Program.start(
                Program.built("fieldpost"), ["sub", "-h", "127.0.0.1", "-p", "\(broker.port)"] + left + ["30"])
            try await broker.log.line(containing: "Sending UNSUBACK to keeper")
            leaving.send(SIGINT)
            #expect(try await leaving.wait() == .exited(0))
            try await mosquittoPub(port: broker.port, "a", "unheard")
            let none = try await fieldpost("sub", port: broker.port, left + ["1"])
            #expect(none.ending == .exited(27) && none.output.isEmpty)
        }
    }

    @Test func aLostBrokerIsLookedFor() async throws {
        try await withMosquitto { broker in
            let sub = try await startSub(broker, ["-t", "a", "-q", "1", "-C", "1"])
            await broker.kill()
            try await sub.errors.line(containing: "the connection was lost: closed by the peer; trying again in")
            try await broker.restart()
            try await broker.log.wait(for: "the second SUBACK", timeout: .seconds(20)) {
                $0.count { $0.contains("Sending SUBACK") } >= 2
            }
            try await mosquittoPub(port: broker.port, "a", "back")
            #expect(try await sub.wait() == .exited(0))
            #expect(await sub.output.lines == ["back"])
        }
    }

    @Test(arguments: versions)
    func theWillOfAKilledSubscriber(version: String) async throws {
        try await withMosquitto { broker in
            let watcher = try await MosquittoSub.start(port: broker.port, ["will"])
            let will = [
                "-V", version, "-t", "a", "--will-topic", "will", "--will-payload", "gone", "--will-qos", "1",
                "--will-retain",
            ]
            let polite = try await startSub(broker, will + ["-i", "polite"])
            // The watcher's may have come into the log just before.
            try await broker.log.line(containing: "Sending SUBACK to polite")
            polite.send(SIGINT)
            #expect(try await polite.wait() == .exited(0))
            try await broker.log.line(containing: "Received DISCONNECT from polite")
            let killed = try await startSub(broker, will)
            #expect(await watcher.received.lines.isEmpty)
            await killed.kill()
            #expect(try await watcher.next() == "will 1 0 gone")
            #expect(try await retained(port: broker.port, "will", seconds: 10) == "gone")
        }
    }

    @Test func aReaderThatHasGoneEndsIt() async throws {
        try await withMosquitto { broker in
            let program = try Program.built("fieldpost")
            let pipeline = try await Program.start(
                "/bin/sh", ["-c", "'\(program)' sub -h 127.0.0.1 -p \(broker.port) -t a -W 60 -i it | head -n 1"])
            try await broker.log.line(containing: "Sending SUBACK to it")
            // It is the next message that finds nobody.
            try await eventually("a goodbye") {
                try await mosquittoPub(port: broker.port, "a", "x")
                return await broker.log.lines.contains { $0.contains("Received DISCONNECT from it") }
            }
            #expect(try await pipeline.wait() == .exited(0))
            #expect(await pipeline.output.lines == ["x"])
            #expect(await pipeline.errors.lines.isEmpty)
        }
    }

    @Test func aRefusedSubscriptionIsAFailure() async throws {
        let server = try await ScriptedServer.start(
            [.receive(15), .send([0x20, 2, 0, 0]), .receive(15), .send([0x90, 3, 0xC0, 1, 0x80])])
        let result = try await fieldpost("sub", port: server.port, ["-V", "311", "-t", "secret/#", "-i", "x"])
        #expect(result.ending == .exited(1))
        #expect(result.errors.first?.hasPrefix("secret/#: the broker refused the subscription: ") == true)
    }

    // MARK: Both

    @Test(arguments: ["pub", "sub"])
    func aBrokerThatIsNotThere(command: String) async throws {
        let rest = command == "pub" ? ["-t", "a", "-m", "x"] : ["-t", "a"]
        let port = try freePort()
        let result = try await fieldpost(command, port: port, rest)
        #expect(result.ending == .exited(69))
        #expect(
            result.errors == [
                "mqtt://127.0.0.1:\(port): not reachable: Connection refused; check --host and --port, and that a broker listens there"
            ])
        let quiet = try await fieldpost(command, port: port, rest + ["--quiet"])
        #expect(quiet.ending == .exited(69) && quiet.errors.isEmpty)
        let nowhere = try await runProgram(
            Program.built("fieldpost"), [command, "-h", "no.such.host.invalid"] + rest, timeout: .seconds(30))
        #expect(nowhere.ending == .exited(69))
        #expect(nowhere.errors.first?.contains("the name no.such.host.invalid is not resolved") == true)
    }

    @Test(arguments: [
        (["pub", "-t", "a"], "there is nothing to publish"),
        (["pub", "-t", "a", "-m", "x", "-n"], "more than one thing to publish"),
        (["pub", "-m", "x"], "add --topic"),
        (["pub", "-t", "a/+", "-m", "x"], "wildcards are for subscriptions only"),
        (["pub", "-t", "a", "-m", "x", "-q", "3"], "--qos 3: it is 0, 1 or 2"),
        (["pub", "-t", "a", "-m", "x", "-V", "31"], "MQTT 3.1 is not spoken"),
        (["pub", "-t", "a", "-m", "x", "-V", "311", "-x", "5"], "has no meaning in MQTT 3.1.1"),
        (["pub", "-t", "a", "-m", "x", "-P", "p"], "add --username"),
        (["pub", "-t", "a", "-m", "x", "-c"], "add --id"),
        (["pub", "-t", "a", "-m", "x", "-p", "0"], "a port is 1 to 65535"),
        (["pub", "-t", "a", "-m", "x", "--will-payload", "w"], "add --will-topic"),
        (["pub", "-t", "a", "-m", "x", "-D", "publish", "content-tipe", "y"], "content-tipe cannot be given"),
        (["pub", "-t", "a", "-m", "x", "-D", "publish", "user-property", "y"], "a name and a value"),
        (["pub", "-m", "x", "-L", "http://h/a"], "http://"),
        (["pub", "-t", "a", "-l", "--repeat-delay", "1"], "cannot be repeated"),
        (["pub", "-t", "a", "-m", "x", "-M", "99999"], "0 (as many as can be) to 32768"),
        (["pub", "-t", "a", "-m", "x", "-D", "publish", "topic-alias", "1"], "the client's own matter"),
        (["pub", "-t", "a", "-m", "x", "--unix", "/tmp/x"], "--unix: brokers are reached over TCP"),
        (["pub", "-t", "a", "-m", "x", "-S"], "SRV records are not asked for"),
        (["pub", "-t", "a", "-m", "x", "--tls-version", "tlsv1.1"], "use tlsv1.2"),
        (["pub", "-t", "a", "-m", "x", "--cert", "c.pem"], "--cert and --key go together"),
        (["sub"], "add --topic"),
        (["sub", "-t", "a#"], "wildcard in level 1 is misplaced"),
        (["sub", "-t", "a", "-V", "311", "--retain-as-published"], "has no meaning in MQTT 3.1.1"),
        (["sub", "-t", "a", "--random-filter", "101"], "0.1 to 100"),
        (["sub", "-t", "a", "-F", "%m"], "the packet identifier, is not known here"),
        (["sub", "-t", "a", "-F", "%z"], "the unknown parameter %z"),
        (["sub", "-t", "a", "-D", "publish", "content-type", "y"], "known are connect, subscribe, unsubscribe, will"),
        (["sub", "-t", "a", "-D", "disconnect", "user-property", "k", "v"], "the goodbye is the client's own matter"),
        (["sub", "-t", "a", "-D", "subscribe", "subscription-identifier", "0"], "it is 1 to 268435455"),
        (["request", "-t", "a"], "there is nothing to publish"),
        (["request", "-t", "a/#", "-m", "x"], "wildcards are for subscriptions only"),
        (["request", "-t", "a", "-n", "-e", "b", "--by-topics"], "exclude each other"),
        (["request", "-t", "a", "-n", "-W", "0"], "at least 1 second"),
        (["request", "-t", "a", "-n", "-D", "publish", "correlation-data", "c"], "add -e"),
    ])
    func senselessOptionsAreAMatterOfUsage(arguments: [String], message: String) async throws {
        let result = try await runProgram(Program.built("fieldpost"), arguments)
        #expect(result.ending == .exited(64))
        #expect(result.errors.joined(separator: " ").contains(message), "\(result.errors)")
    }

    @Test(arguments: ["pub", "sub"])
    func hIsTheHostAndHelpIsHelp(command: String) async throws {
        let result = try await runProgram(Program.built("fieldpost"), [command, "--help"])
        #expect(result.ending == .exited(0))
        #expect(result.output.contains { $0.contains("-h, --host <host>") })
    }
}

/// The standard input of a `fieldpost pub`, which the test writes.
private final class Pipe: Sendable {
    private let directory: TemporaryDirectory
    private let path: String
    private let descriptor: CInt

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("pipe")
        guard mkfifo(path, 0o600) == 0 else { throw Unexpected("no pipe can be made: \(path)") }
        // Also for reading, so that it is open before there is a reader.
        descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw Unexpected("the pipe cannot be opened: \(path)") }
    }

    func pub(port: Int, _ arguments: String) async throws -> Program {
        let program = try Program.built("fieldpost")
        return try await Program.start(
            "/bin/sh", ["-c", "exec '\(program)' pub -h 127.0.0.1 -p \(port) \(arguments) <'\(path)'"])
    }

    func write(_ text: String) throws {
        guard text.withCString({ Glibc.write(descriptor, $0, strlen($0)) }) == text.utf8.count else {
            throw Unexpected("the pipe takes nothing: \(path)")
        }
    }

    func end() { close(descriptor) }
}

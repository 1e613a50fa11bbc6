import MQTT
import MQTTWire
import NIOCore
import Pipeline
import Sensing
import Testing
import Units

@testable import Uplink

@Suite struct OneNETNodeTests {
    private let now = ContinuousClock.now

    private func node(_ change: (inout OneNETSettings) -> Void = { _ in }) -> OneNETNode {
        OneNETNode(
            oneNET {
                $0.outputs = [
                    "Lamp": OneNETSettings.Output(sensor: "lamp", channel: nil),
                    "Fan": OneNETSettings.Output(sensor: "fan", channel: "speed"),
                ]
                $0.services = ["Empty": "empty"]
                change(&$0)
            })
    }

    private func receive(
        _ node: inout OneNETNode, _ suffix: String, _ payload: String, after delay: Duration = .zero
    ) throws -> [OneNETNode.Action] {
        node.receive(
            try TopicName("$sys/123456/bin-01/\(suffix)"), ByteBuffer(string: payload), at: now + delay)
    }

    private func told(_ actions: [OneNETNode.Action]) -> [String] {
        actions.map { if case .publish(let message) = $0 { message.told } else { "\($0)" } }
    }

    private func request(_ actions: [OneNETNode.Action]) throws -> OneNETNode.Request {
        try #require(actions.compactMap { if case .execute(let request) = $0 { request } else { nil } }.first)
    }

    private func finish(
        _ node: inout OneNETNode, _ request: OneNETNode.Request, _ outcomes: [Result<JSON, CommandError>]
    ) -> [String] {
        node.finished(request, outcomes, at: now, time: noonOnOneNET).map(\.told)
    }

    // MARK: Replies

    @Test(arguments: ["property", "event", "pack", "history"])
    func repliesToPostsAreForTheStore(kind: String) throws {
        var node = node()
        #expect(
            try receive(&node, "thing/\(kind)/post/reply", #"{"id":"42","code":200,"msg":"success"}"#)
                == [.answered(OneNETAnswer(id: "42", code: 200, message: "success"))])
        #expect(
            try receive(
                &node, "thing/\(kind)/post/reply", #"{"id":"42","code":2409,"msg":"required value:identifier:x"}"#)
                == [.answered(OneNETAnswer(id: "42", code: 2409, message: "required value:identifier:x"))])
    }

    @Test func dataPointsAreAcceptedAndRejected() throws {
        var node = node { $0.model = .dataPoints }
        #expect(
            try receive(&node, "dp/post/json/accepted", #"{"id":123}"#)
                == [.answered(OneNETAnswer(id: "123", code: 200))])
        #expect(
            try receive(&node, "dp/post/json/rejected", #"{"id":123,"err_code":98,"err_msg":"illegal data"}"#)
                == [.answered(OneNETAnswer(id: "123", code: 98, message: "illegal data"))])
        #expect(node.subscriptions.map(\.filter.string).first == "$sys/123456/bin-01/dp/post/json/+")
    }

    @Test(arguments: [
        ("thing/property/post/reply", "no JSON"), ("thing/property/post/reply", "{}"), ("thing/property/post", "{}"),
        ("thing/property/post", #"{"id":"1","version":"1.0","params":{}}"#), ("thing/sub/login/reply", #"{"id":"7"}"#),
        ("cmd/response/1/accepted", ""), ("thing/unheard/of", #"{"id":"1"}"#), ("dp/post/json/accepted", "[]"),
    ])
    func whatMeansNothingDoesNothing(suffix: String, payload: String) throws {
        var node = node()
        #expect(try receive(&node, suffix, payload) == [])
    }

    @Test func whatIsForOthersDoesNothing() throws {
        var node = node()
        let payload = ByteBuffer(string: #"{"id":"1","code":200}"#)
        #expect(node.receive(try TopicName("$sys/123456/bin-02/thing/property/post/reply"), payload, at: now) == [])
    }

    // MARK: Properties

    @Test func aPropertyIsSetAndTheAnswerComesAfterIt() throws {
        var node = node()
        let actions = try receive(
            &node, "thing/property/set", #"{"id":"1","version":"1.0","params":{"Lamp":true,"Fan":50}}"#)
        let request = try request(actions)
        #expect(
            request.commands == [
                .set(sensor: "lamp", channel: nil, value: .boolean(true)),
                .set(sensor: "fan", channel: "speed", value: .number(50)),
            ])
        #expect(
            finish(&node, request, [.success(.null), .success(.null)]) == [
                #"thing/property/set_reply {"id":"1","code":200,"msg":"success"}"#
            ])
    }

    @Test func aSettingThatFailsIsSaidSo() throws {
        var node = node()
        let request = try request(
            receive(&node, "thing/property/set", #"{"id":"1","version":"1.0","params":{"Lamp":true,"Fan":50}}"#))
        #expect(
            finish(&node, request, [.success(.null), .failure(CommandError(.failed, "the line is taken"))]) == [
                #"thing/property/set_reply {"id":"1","code":500,"msg":"the line is taken"}"#
            ])
    }

    @Test(arguments: [
        (#"{"Lamp":1,"Door":2}"#, 403), (#"{"Lamp":null}"#, 400), (#"{"Lamp":{}}"#, 400), ("{}", 400), ("[1]", 400),
    ])
    func whatMayNotBeSetIsRefusedAndNothingIsDone(params: String, code: Int) throws {
        var node = node()
        let actions = try receive(&node, "thing/property/set", #"{"id":"1","version":"1.0","params":\#(params)}"#)
        #expect(actions.count == 1)
        #expect(told(actions).first?.hasPrefix(#"thing/property/set_reply {"id":"1","code":\#(code),"#) == true)
    }

    @Test func lastValuesAreTold() throws {
        var node = node()
        node.note(.readings([reading("temp", 20), reading("env", 5, channel: "rh")]))
        node.note(.readings([reading("temp", 23.6), reading("temp", 99, quality: .stale("old"))]))
        #expect(
            told(
                try receive(&node, "thing/property/get", #"{"id":"1","version":"1.0","params":["temp","env_rh","x"]}"#))
                == [#"thing/property/get_reply {"id":"1","code":200,"msg":"success","data":{"temp":23.6,"env_rh":5}}"#])
        #expect(
            told(try receive(&node, "thing/property/get", #"{"id":"2","version":"1.0","params":["x"]}"#))
                == [#"thing/property/get_reply {"id":"2","code":404,"msg":"there is no value of x yet"}"#])
    }

    // MARK: Services and commands

    @Test func aServiceRunsItsProgram() throws {
        var node = node()
        let request = try request(
            receive(
                &node, "thing/service/Empty/invoke", #"{"id":"9","version":"1.0","params":{"side":"left","speed":2}}"#))
        #expect(request.commands == [.run(program: "empty", arguments: ["side=left", "speed=2"])])
        #expect(
            finish(&node, request, [.success(["output": "done"])]) == [
                #"thing/service/Empty/invoke_reply {"id":"9","code":200,"msg":"success","data":{"output":"done"}}"#
            ])
    }

    @Test func ourOwnCommandsAreServicesToo() throws {
        var node = node()
        let first = try request(receive(&node, "thing/service/read/invoke", #"{"id":"1","params":{"sensor":"fill"}}"#))
        #expect(first.commands == [.read(sensor: "fill")])
        let unknown = try receive(&node, "thing/service/Fly/invoke", #"{"id":"2","params":{}}"#)
        #expect(told(unknown).first?.includes(#""code":404"#) == true)
    }

    @Test(
        arguments: [
            (
                #"{"command":"set","sensor":"lamp","value":"on"}"#,
                .set(sensor: "lamp", channel: nil, value: .text("on"))
            ),
            (#"{"command":"interval","sensor":"fill","every":"10s"}"#, .interval(sensor: "fill", every: .seconds(10))),
            (#"{"command":"calibrate","sensor":"fill","to":20}"#, .calibrate(sensor: "fill", channel: nil, to: 20)),
            (#"{"command":"acknowledge","alarm":"full","by":"Wang"}"#, .acknowledge(alarm: "full", by: "Wang")),
            (
                #"{"command":"run","program":"empty","arguments":["a","2"]}"#,
                .run(program: "empty", arguments: ["a", "2"])
            ),
            ("status", .status), ("read", .read(sensor: nil)), (#"{"command":"reload"}"#, .reload),
        ] as [(String, RemoteCommand)])
    func commandsOfTheOldStyle(text: String, command: RemoteCommand) throws {
        var node = node()
        let request = try request(receive(&node, "cmd/request/c-1", text))
        #expect(request.commands == [command])
        #expect(finish(&node, request, [.success(["a": 1])]) == [#"cmd/response/c-1 {"result":{"a":1}}"#])
    }

    @Test(arguments: [
        "fly", "{}", #"{"command":"calibrate","sensor":"fill","too":20}"#, #"{"command":"set","sensor":"lamp"}"#,
        #"{"command":"interval","sensor":"a","every":"10"}"#, "",
        #"{"command":"run"}"#, "[]",
    ])
    func whatIsNoCommandIsAnsweredSo(text: String) throws {
        var node = node()
        let actions = try receive(&node, "cmd/request/c-1", text)
        // What is no command, or one with wrong arguments; a key that no command has among them.
        let answer = told(actions).first ?? ""
        let kinds = ["malformed", "unknown"].map { #"cmd/response/c-1 {"error":{"kind":"\#($0)","# }
        #expect(kinds.contains(where: answer.hasPrefix), "\(answer)")
    }

    // MARK: Once

    @Test func aRequestThatComesAgainIsAnsweredAgainAndDoneOnce() throws {
        var node = node()
        let payload = #"{"id":"1","version":"1.0","params":{"Lamp":true}}"#
        let request = try request(receive(&node, "thing/property/set", payload))
        #expect(try receive(&node, "thing/property/set", payload) == [], "it is under way")
        let answer = finish(&node, request, [.success(.null)])
        #expect(told(try receive(&node, "thing/property/set", payload)) == answer)
        #expect(finish(&node, request, [.success(.null)]) == [])
        // The same id with something else, or long after, is another request.
        let other = try receive(&node, "thing/property/set", #"{"id":"1","version":"1.0","params":{"Lamp":false}}"#)
        #expect(throws: Never.self) { try self.request(other) }
        let later = try receive(&node, "thing/property/set", payload, after: .seconds(601))
        #expect(throws: Never.self) { try self.request(later) }
    }

    @Test func memoryOfRequestsIsBounded() throws {
        var node = node()
        for number in 0..<1000 {
            let request = try request(
                receive(&node, "thing/property/set", #"{"id":"\#(number)","version":"1.0","params":{"Lamp":true}}"#))
            #expect(finish(&node, request, [.success(.null)]).count == 1)
        }
        #expect(node.answers.count == OneNETNode.maximumAnswers)
        #expect(node.underWay.isEmpty)
        for number in 0..<OneNETNode.maximumUnderWay {
            _ = try request(
                receive(&node, "thing/property/set", #"{"id":"b\#(number)","version":"1.0","params":{"Lamp":true}}"#))
        }
        let busy = try receive(&node, "thing/property/set", #"{"id":"c","version":"1.0","params":{"Lamp":true}}"#)
        #expect(told(busy).first?.includes(#""code":429"#) == true)
        #expect(node.underWay.count == OneNETNode.maximumUnderWay)
    }

    @Test func memoryOfValuesIsBounded() {
        var node = node()
        for number in 0..<5000 { node.note(.readings([reading("s\(number)", 1)])) }
        #expect(node.values[""]?.count == OneNETNode.maximumValues)
        node.note(.readings([reading("s0", 2)]))
        #expect(node.values[""]?["s0"] == .number(2))
    }

    // MARK: Sub-devices

    private func gateway() -> OneNETNode {
        node {
            $0.addsSubDevices = true
            $0.subDevices = [
                subDevice(
                    "lid-1", sensors: ["lid1"], outputs: ["Lock": OneNETSettings.Output(sensor: "lock1", channel: nil)]),
                subDevice("lid-2", sensors: ["lid2"]),
            ]
        }
    }

    @Test func subDevicesAreBoundAndLoggedIn() throws {
        var node = gateway()
        let messages = try node.connected(at: noonOnOneNET)
        #expect(
            messages.map { String($0.told.prefix { $0 != " " }) } == [
                "thing/sub/topo/add", "thing/sub/topo/add", "thing/sub/login", "thing/sub/login",
            ])
        #expect(messages[0].told.includes(#""params":{"productID":"654321","deviceName":"lid-1","sasToken":"version="#))
        #expect(messages[2].told.hasSuffix(#""params":{"productID":"654321","deviceName":"lid-1"}}"#))
        let ids = try messages.map { message in
            try #require(JSONReader.value(Array(message.payload.readableBytesView)[...])["id"]?.string)
        }
        #expect(ids.allSatisfy { $0.utf8.count == 13 && $0.hasPrefix("9") })
        #expect(Set(ids).count == 4)
        #expect(try receive(&node, "thing/sub/topo/add/reply", #"{"id":"\#(ids[0])","code":200}"#) == [])
        #expect(try receive(&node, "thing/sub/login/reply", #"{"id":"\#(ids[2])","code":200}"#) == [])
        #expect(
            try receive(&node, "thing/sub/login/reply", #"{"id":"\#(ids[3])","code":500,"msg":"busy"}"#) == [
                .refused(
                    what: "the login of the sub-device lid-2", OneNETAnswer(id: ids[3], code: 500, message: "busy")),
                .ready,
            ])
        #expect(try receive(&node, "thing/sub/login/reply", #"{"id":"\#(ids[3])","code":200}"#) == [], "once")
        #expect(
            node.farewell(at: noonOnOneNET).map { String($0.told.prefix { $0 != " " }) } == [
                "thing/sub/logout", "thing/sub/logout",
            ])
    }

    @Test func whatIsAskedOfASubDevice() throws {
        var node = gateway()
        node.note(.readings([reading("lid1", 1), reading("fill", 2)]))
        let set = try request(
            receive(
                &node, "thing/sub/property/set",
                #"{"id":"1","version":"1.0","params":{"deviceName":"lid-1","productID":"654321","params":{"Lock":true}}}"#
            ))
        #expect(set.commands == [.set(sensor: "lock1", channel: nil, value: .boolean(true))])
        #expect(
            finish(&node, set, [.success(.null)]) == [
                #"thing/sub/property/set_reply {"id":"1","code":200,"msg":"success"}"#
            ])
        #expect(
            told(
                try receive(
                    &node, "thing/sub/property/get",
                    #"{"id":"2","version":"1.0","params":{"deviceName":"lid-1","productID":"654321","params":["lid1","fill"]}}"#
                )) == [#"thing/sub/property/get_reply {"id":"2","code":200,"msg":"success","data":{"lid1":1}}"#])
        let invoke = try request(
            receive(
                &node, "thing/sub/service/invoke",
                #"{"id":"3","version":"1.0","params":{"deviceName":"lid-1","productID":"654321","identifier":"Empty","input":{"side":"left"}}}"#
            ))
        #expect(invoke.commands == [.run(program: "empty", arguments: ["device=lid-1", "side=left"])])
        #expect(
            finish(&node, invoke, [.success(["ok": true])]) == [
                #"thing/sub/service/invoke_reply {"id":"3","code":200,"msg":"success","data":{"deviceName":"lid-1","productID":"654321","identifier":"Empty","output":{"ok":true}}}"#
            ])
        let stranger = try receive(
            &node, "thing/sub/property/get",
            #"{"id":"4","version":"1.0","params":{"deviceName":"lid-9","productID":"654321","params":["lid1"]}}"#)
        #expect(told(stranger).first?.includes(#""code":404"#) == true)
        #expect(
            told(try receive(&node, "thing/sub/topo/change", #"{"id":"5","version":"1.0","params":{"subList":[]}}"#))
                == [#"thing/sub/topo/change_reply {"id":"5","code":200,"msg":"success"}"#])
    }

    // MARK: Desired values

    @Test func desiredValuesAreSetAndThenDeleted() throws {
        var node = node { $0.asksForDesired = true }
        let question = try #require(try node.connected(at: noonOnOneNET).first)
        #expect(question.told.hasPrefix("thing/property/desired/get "))
        #expect(question.told.hasSuffix(#""params":["Fan","Lamp"]}"#))
        let id = try #require(
            JSONReader.value(Array(question.payload.readableBytesView)[...])["id"]?.string)
        let request = try request(
            receive(
                &node, "thing/property/desired/get/reply",
                #"{"id":"\#(id)","code":200,"data":{"Lamp":{"value":true,"version":3},"Door":{"value":1,"version":1}}}"#
            ))
        #expect(request.commands == [.set(sensor: "lamp", channel: nil, value: .boolean(true))])
        let deletion = try #require(finish(&node, request, [.success(.null)]).first)
        #expect(deletion.hasPrefix("thing/property/desired/delete "))
        #expect(deletion.hasSuffix(#""params":{"Lamp":{"version":3}}}"#))
    }

    @Test func aSubDevicesTokenIsNotSignedFromAnUnsetClock() {
        var node = gateway()
        #expect(throws: OneNETTokenError.self) { try node.connected(at: Timestamp(milliseconds: 5)) }
    }
}

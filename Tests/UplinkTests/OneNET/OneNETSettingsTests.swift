import MQTTWire
import Settings
import Testing
import Units

@testable import Uplink

@Suite struct OneNETSettingsTests {
    private static func value(_ kind: Value.Kind) -> Value { Value(kind, at: SourcePosition(line: 2, column: 1)) }

    private static func table(_ entries: KeyValuePairs<String, Value.Kind>) -> Table {
        Table(
            entries.map {
                Table.Entry(key: $0.key, keyPosition: SourcePosition(line: 2, column: 1), value: value($0.value))
            })
    }

    private func read(_ table: Table, secrets: SecretAccess = .needed) -> (
        settings: OneNETSettings?, problems: [String]
    ) {
        let reader = SettingsReader(
            table, keyPath: "uplink[1]", position: SourcePosition(line: 1, column: 1), problems: Problems(),
            secrets: secrets)
        let settings = OneNETSettings(reader, device: "board-7")
        reader.finish()
        return (settings, reader.problems.all.map { "\($0.keyPath): \($0.message)" })
    }

    @Test func littleIsEnough() throws {
        let (settings, problems) = read(
            Self.table(["product": .string("123456"), "key": .string(OneNETTokenTests.key)]))
        #expect(problems == [])
        let read = try #require(settings)
        #expect(read.credentials.device == "board-7")
        #expect(read.credentials.method == .sha256)
        #expect(read.model == .thing)
        #expect(read.window == 64)
    }

    @Test func everythingIsRead() throws {
        let sub = Self.table([
            "device": .string("lid-1"), "product": .string("654321"), "key": .string(OneNETTokenTests.key),
            "sensors": .array([Self.value(.string("lid1"))]), "outputs": .table(Self.table(["Lock": .string("lock1")])),
        ])
        let (settings, problems) = read(
            Self.table([
                "product": .string("123456"), "device": .string("bin-01"), "key": .string(OneNETTokenTests.key),
                "method": .string("sha1"), "token_lifetime": .string("10m"), "model": .string("thing"),
                "identifiers": .table(Self.table(["fill": .string("FillLevel")])),
                "outputs": .table(Self.table(["Fan": .string("fan/speed"), "Lamp": .string("lamp")])),
                "services": .table(Self.table(["Empty": .string("empty")])), "desired": .boolean(true),
                "qos": .integer(0), "keep_alive": .string("30m"), "answer_within": .string("3s"),
                "retry": .string("1s"), "attempts": .integer(4), "window": .integer(8),
                "add_sub_devices": .boolean(true), "sub_devices": .array([Self.value(.table(sub))]),
            ]))
        #expect(problems == [])
        let read = try #require(settings)
        #expect(read.credentials.device == "bin-01")
        #expect(read.credentials.lifetime == .seconds(600))
        #expect(read.outputs["Fan"] == OneNETSettings.Output(sensor: "fan", channel: "speed"))
        #expect(read.outputs["Lamp"] == OneNETSettings.Output(sensor: "lamp", channel: nil))
        #expect(read.services == ["Empty": "empty"])
        #expect(read.qos == .atMostOnce)
        #expect(read.keepAlive == .seconds(1800))
        #expect((read.attempts, read.window) == (4, 8))
        let lid = try #require(read.subDevices.first)
        #expect((lid.product, lid.device, lid.sensors) == ("654321", "lid-1", ["lid1"]))
        #expect(lid.credentials?.method == .sha1)
    }

    @Test func everythingWrongIsToldAtOnce() {
        let sub = Self.table(["device": .string("a/b")])
        let (_, problems) = read(
            Self.table([
                "product": .string("1+"), "key": .string("%"), "method": .string("sm2"),
                "keep_alive": .string("5s"), "identifiers": .table(Self.table(["fill": .string("Fill Level")])),
                "window": .integer(0), "colour": .integer(1), "sub_devices": .array([Self.value(.table(sub))]),
            ]))
        for key in ["product", "key", "method", "keep_alive", "identifiers", "window"] {
            #expect(problems.contains { $0.hasPrefix("uplink[1].\(key): ") }, "\(key) is not among \(problems)")
        }
    }

    @Test func aKeyThatIsMissingAndSubDevicesThatAreWrongAreTold() {
        let (settings, problems) = read(Self.table(["product": .string("1")]))
        #expect(settings == nil)
        #expect(problems == ["uplink[1].key: is missing"])
        let sub = Self.table(["device": .string("a/b"), "sensors": .array([])])
        let twice = Self.table(["device": .string("c"), "sensors": .array([Self.value(.string("s"))])])
        let (_, others) = read(
            Self.table([
                "product": .string("1"), "key": .string(OneNETTokenTests.key),
                "sub_devices": .array([sub, twice, twice].map { Self.value(.table($0)) }),
            ]))
        #expect(
            others == [
                "uplink[1].sub_devices[1].device: \"a/b\" is no name on OneNET",
                "uplink[1].sub_devices[3].sensors: \"s\" belongs to another sub-device already",
                "uplink[1].sub_devices[3].device: \"c\" is there already",
            ])
    }

    @Test func aKeyIsJudgedWhereItCanBeSeen() {
        let hidden = Self.table([
            "product": .string("1"), "key_file": .string("/run/credentials/nobody.service/key"),
        ])
        #expect(read(hidden).problems.contains { $0.hasPrefix("uplink[1].key_file: ") })
        #expect(read(hidden, secrets: .checked).settings != nil)
        #expect(read(hidden, secrets: .ignored).problems == [])
        let wrong = Self.table(["product": .string("1"), "key": .string("00")])
        #expect(read(wrong).problems == ["uplink[1].key: is not Base64"])
    }

    @Test func dataPointsKnowNoOutputs() {
        let (_, problems) = read(
            Self.table([
                "product": .string("1"), "key": .string(OneNETTokenTests.key), "model": .string("datapoints"),
                "outputs": .table(Self.table(["Lamp": .string("lamp")])),
            ]))
        #expect(problems == ["uplink[1].outputs: is not for data points"])
    }

    @Test func theKeyIsNeverShown() throws {
        let settings = try #require(
            read(Self.table(["product": .string("1"), "key": .string(OneNETTokenTests.key)])).settings)
        var text = ""
        dump(settings, to: &text)
        #expect(!text.contains(OneNETTokenTests.key))
        #expect(!"\(settings)".contains(OneNETTokenTests.key))
    }
}

import MQTT
import MQTTWire
import NIOCore
import Testing
import Uplink

@Suite struct BacklogMarkTests {
    private func marked(_ mark: BacklogMark, _ payload: String) throws -> (payload: String, properties: Properties) {
        var message = Message(topic: try TopicName("t"), payload: ByteBuffer(string: payload))
        mark.apply(to: &message)
        return (String(buffer: message.payload), message.properties)
    }

    @Test func eachMarkIsWhereItIsSaidToBe() throws {
        let property: Properties = [.userProperty(name: "backlog", value: "true")]
        #expect(try marked(.none, #"{"value":1}"#) == (#"{"value":1}"#, []))
        #expect(try marked(.property, #"{"value":1}"#) == (#"{"value":1}"#, property))
        #expect(try marked(.payload, #"{"value":1}"#) == (#"{"value":1,"backlog":true}"#, []))
        #expect(try marked(.both, #"{"value":1}"#) == (#"{"value":1,"backlog":true}"#, property))
    }

    @Test(arguments: ["", "{}", "1", "[1]", "{", "}"])
    func aPayloadThatIsNoObjectIsLeftAsItIs(payload: String) throws {
        #expect(try marked(.payload, payload).payload == payload)
    }
}

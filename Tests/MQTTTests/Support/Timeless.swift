import MQTT
import MQTTWire

/// For tests in which no time passes.
extension Session {
    static let beginning = ContinuousClock.now

    mutating func publish(
        _ offered: Message, from origin: Origin, mayHaveBeenSent: Bool = false, isReleased: Bool = false
    ) -> Decision {
        publish(
            offered, from: origin, mayHaveBeenSent: mayHaveBeenSent, isReleased: isReleased, at: Self.beginning)
    }

    mutating func nextResend() -> Repetition? { nextResend(at: Self.beginning) }

    /// As an application that is done with a message as soon as it has it.
    mutating func receivedAndProcessed(publish: Publish) throws -> (isNew: Bool, answer: Packet?) {
        switch try received(publish: publish) {
        case .deliver(_, nil): return (true, nil)
        case .repeated(let answer): return (false, answer)
        case .deliver(_, let receipt?):
            guard case .send(let answer)? = processed(receipt).first else { return (true, nil) }
            return (true, answer)
        }
    }
}

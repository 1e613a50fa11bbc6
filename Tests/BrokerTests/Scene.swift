import MQTTWire
import Testing

/// What the client has to do with every broker. The text goes on after “The client …”.
enum Scene: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case connecting = "is told that its session is new"
    case wrongPassword = "is refused with a wrong password"
    case version5 = "speaks MQTT 5.0"
    case versionFound = "finds out which version is spoken, and keeps to it"

    case publishingAtMostOnce = "publishes at QoS 0"
    case publishingAtLeastOnce = "publishes at QoS 1"
    case publishingExactlyOnce = "publishes at QoS 2"
    case receivingAtMostOnce = "receives at QoS 0"
    case receivingAtLeastOnce = "receives at QoS 1"
    case receivingExactlyOnce = "receives at QoS 2"
    case wildcards = "subscribes with wildcards"
    case unsubscribing = "hears no more of what it has unsubscribed from"
    case retained = "sets, replaces and clears a retained message"
    case retainedWildcard = "finds a retained message by a wildcard"
    case largePayload = "sends and receives a large payload"
    case manyTopics = "publishes to many topics"

    case willOnCut = "leaves its will when it is cut off"
    case noWillOnGoodbye = "leaves no will when it says goodbye"
    case sessionKept = "finds its session after a cut, with subscriptions and messages"
    case sessionTakenOver = "loses its session to the next one of its name"
    case offline = "publishes offline and delivers later, in order"

    case silence = "keeps a silent connection alive"
    case halfOpen = "notices a half-open connection"
    case killedBroker = "loses nothing acknowledged when the broker is killed"

    var testDescription: String { rawValue }

    func play(_ conversation: Conversation) async throws {
        switch self {
        case .connecting: try await conversation.connecting()
        case .wrongPassword: try await conversation.showingAPassword()
        case .version5: try await conversation.speakingVersion5()
        case .versionFound: try await conversation.findingTheVersion()
        case .publishingAtMostOnce: try await conversation.publishing(.atMostOnce)
        case .publishingAtLeastOnce: try await conversation.publishing(.atLeastOnce)
        case .publishingExactlyOnce: try await conversation.publishing(.exactlyOnce)
        case .receivingAtMostOnce: try await conversation.receiving(.atMostOnce)
        case .receivingAtLeastOnce: try await conversation.receiving(.atLeastOnce)
        case .receivingExactlyOnce: try await conversation.receiving(.exactlyOnce)
        case .wildcards: try await conversation.subscribingWithWildcards()
        case .unsubscribing: try await conversation.unsubscribing()
        case .retained: try await conversation.retaining { $0 }
        case .retainedWildcard: try await conversation.retaining { _ in "retainedWildcard/+" }
        case .largePayload: try await conversation.exchangingALargePayload()
        case .manyTopics: try await conversation.publishingToManyTopics()
        case .willOnCut: try await conversation.leavingAWill()
        case .noWillOnGoodbye: try await conversation.leavingNoWill()
        case .sessionKept: try await conversation.resumingASession()
        case .sessionTakenOver: try await conversation.losingASession()
        case .offline: try await conversation.queueingOffline()
        case .silence: try await conversation.keepingSilence()
        case .halfOpen: try await conversation.noticingAHalfOpenConnection()
        case .killedBroker: try await conversation.outlivingTheBroker()
        }
    }
}

import Testing

// The client against real brokers: every scene with each of them. The scenes of one broker follow each other, so that
// one of them may kill it, while the brokers run beside each other.

@Suite(.broker(.mosquitto), .serialized, .timeLimit(.minutes(3))) struct MosquittoTests {
    @Test(arguments: Scene.allCases) func theClient(_ scene: Scene) async throws { try await scene.play() }
}

@Suite(.broker(.mosquitto5), .serialized, .timeLimit(.minutes(3))) struct Mosquitto5Tests {
    @Test(arguments: Scene.allCases) func theClient(_ scene: Scene) async throws { try await scene.play() }
}

@Suite(.broker(.nats), .serialized, .timeLimit(.minutes(3))) struct NATSTests {
    @Test(arguments: Scene.allCases) func theClient(_ scene: Scene) async throws { try await scene.play() }
}

@Suite(.broker(.rabbitMQ), .serialized, .timeLimit(.minutes(3))) struct RabbitMQTests {
    @Test(arguments: Scene.allCases) func theClient(_ scene: Scene) async throws { try await scene.play() }
}

extension Scene {
    /// Plays with the suite's broker. If that cannot join in, the scene is skipped by name, and the broker has to be
    /// shown to be as the reason says.
    fileprivate func play() async throws {
        let broker = try #require(BrokerScope.broker)
        let conversation = Conversation(with: broker, name: "\(self)")
        guard let limitation = broker.kind.limitation(in: self) else { return try await play(conversation) }
        try await limitation.show(conversation)
        print("skipped: the client \(rawValue): \(broker.kind.rawValue) \(limitation.reason)")
    }
}

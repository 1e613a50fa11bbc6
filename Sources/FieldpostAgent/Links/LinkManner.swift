internal import MQTT
internal import NIOCore
internal import Pipeline
internal import Settings

/// How a link behaves beside carrying messages: how it introduces itself to its broker, what it listens to, and how it takes
/// its leave. Platforms have their own ideas of that.
protocol LinkManner: Sendable {
    /// What the next connection says of itself.
    func parameters(connection: Int) async throws -> ConnectParameters
    /// Subscribes, and does what goes on beside; until cancelled.
    func run(_ client: MQTTClient) async
    /// Something has happened to the connection.
    func notice(_ event: ClientEvent, _ client: MQTTClient) async
    /// A message has come.
    ///
    /// - Returns: whether it was for this one, which has acknowledged it or will.
    func take(_ message: ReceivedMessage, _ client: MQTTClient) async -> Bool
    /// A message has come while leave is taken, when the queue is being emptied.
    func takeLast(_ message: ReceivedMessage, _ client: MQTTClient) async
    /// Something is about to be told.
    ///
    /// - Returns: what it gives occasion to say beside what the profiles make of it.
    func observe(_ report: Report) async -> [Message]
    /// The connection stands, and is about to end because the agent stops.
    ///
    /// - Returns: whether whoever watches knows; if not, the will must tell.
    func sayGoodbye(_ reason: StopReason, _ client: MQTTClient) async -> Bool
}

/// How long each part of stopping may take; together they stay well below the five seconds that a service manager or an
/// impatient owner grants.
enum Grace {
    static let messages = Duration.milliseconds(500)
    static let commands = Duration.milliseconds(200)
    static let queue = Duration.milliseconds(1000)
    static let status = Duration.milliseconds(1500)
    static let goodbye = Duration.milliseconds(500)
}

extension LinkManner {
    func takeLast(_ message: ReceivedMessage, _ client: MQTTClient) async {}
    func observe(_ report: Report) async -> [Message] { [] }
}

extension AgentConfiguration.Broker {
    /// What a connection says of itself without a will.
    var credentials: ConnectParameters {
        ConnectParameters(username: username, password: password.map { ByteBuffer(bytes: $0.bytes) })
    }
}

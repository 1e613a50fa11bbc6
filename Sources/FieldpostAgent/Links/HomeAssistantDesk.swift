internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import Pipeline
internal import Sensing
internal import StoreForward
internal import Units
internal import Uplink

/// Announces a board's entities to Home Assistant, and keeps what it has announced.
actor HomeAssistantDesk {
    private var homeAssistant: HomeAssistant
    private let outbox: Outbox
    private let state: StateFile
    private let stateName: String
    private var kept: JSON
    private let bell = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    /// - Parameter link: its name: on each, other entities are announced.
    init(
        _ configuration: AgentConfiguration, _ uplink: AgentConfiguration.Uplink, _ settings: HomeAssistantSettings,
        outbox: Outbox, state: StateFile
    ) async {
        stateName = Self.statePrefix + uplink.name
        let former = await state[stateName]
        homeAssistant = configuration.homeAssistant(settings, uplink, state: former)
        self.outbox = outbox
        self.state = state
        kept = former ?? .null
    }

    private static let statePrefix = "homeassistant "

    /// Takes away what was announced for uplinks that the configuration has no more. Those of a broker of their own cannot be
    /// reached any more: there the messages say nothing new.
    static func forgetOthers(than uplinks: [AgentConfiguration.Uplink], outbox: Outbox, state: StateFile) async {
        var prefixes: Set<String> = []
        var names: Set<String> = []
        for uplink in uplinks {
            guard case .homeAssistant(let settings) = uplink.profile else { continue }
            prefixes.insert(settings.discoveryPrefix)
            names.insert(statePrefix + uplink.name)
        }
        for name in await state.names where name.hasPrefix(statePrefix) && !names.contains(name) {
            var messages: [Message] = []
            // Under another name it announces the same, and Home Assistant would lose what its owner has set.
            if let former = await state[name], HomeAssistant.discoveryPrefix(of: former).map(prefixes.contains) != true
            {
                messages = HomeAssistant.removals(of: former)
            }
            do {
                if !messages.isEmpty { _ = try await outbox.append(messages) }
                await state.set(name, nil)
            } catch {
                // The next start tries again.
                continue
            }
        }
        await state.save()
    }

    var subscriptions: [Subscription] {
        homeAssistant.subscriptions.map { Subscription(filter: $0, qos: .atLeastOnce) }
    }

    /// With each connection: the broker may have forgotten what it retained.
    func connected(_ client: MQTTClient) async { await tell(homeAssistant.begin(), client) }

    func take(_ message: ReceivedMessage, _ client: MQTTClient) async {
        guard homeAssistant.subscriptions.contains(where: { $0.matches(message.topic) }) else { return }
        var generator = SystemRandomNumberGenerator()
        let messages = homeAssistant.receive(
            message.topic.string, message.payload.readableBytesView, at: .now, using: &generator)
        bell.continuation.yield()
        await tell(messages, client)
    }

    /// - Returns: what is to be told ahead of the report itself.
    func observe(_ report: Report) async -> [Message] {
        let messages = homeAssistant.observe(report)
        if !messages.isEmpty { await keep() }
        return messages
    }

    /// Until cancelled.
    func run(_ client: MQTTClient) async {
        var rings = bell.stream.makeAsyncIterator()
        while !Task.isCancelled {
            guard let time = homeAssistant.wakeTime else {
                await rings.next(isolation: self)
                continue
            }
            try? await Task.sleep(until: time, clock: .continuous)
            await tell(homeAssistant.wake(at: .now), client)
        }
    }

    private func tell(_ messages: [Message], _ client: MQTTClient) async {
        if !messages.isEmpty {
            _ = try? await outbox.append(messages)
            client.storeDidChange()
        }
        await keep()
    }

    private func keep() async {
        let present = homeAssistant.state
        guard present != kept else { return }
        kept = present
        await state.set(stateName, present)
        await state.save()
    }
}

extension AgentConfiguration {
    fileprivate func homeAssistant(
        _ settings: HomeAssistantSettings, _ uplink: Uplink, state: JSON?
    ) -> HomeAssistant {
        func command(_ name: RemoteCommand.Name) -> TopicName? {
            guard let commands, commands.allowed.contains(name) else { return nil }
            return try? TopicName("\(commands.topic)/\(name.rawValue)")
        }
        let shown = sensors.filter { uplink.sensors?.contains($0.name) ?? true }
        return HomeAssistant(
            settings,
            board: HomeAssistant.Board(
                device: device.id, version: FieldpostVersion.string, status: status.topic, set: command(.set),
                acknowledge: command(.acknowledge)),
            sensors: shown.map { sensor in
                HomeAssistant.Sensor(
                    name: sensor.name, driver: sensor.source.map { type(of: $0.driver).name } ?? "expression",
                    route: sensor.route(uplink),
                    isOutput: sensor.isOutput && (commands?.outputs?.contains(sensor.name) ?? true),
                    interval: sensor.longestSilence, options: sensor.homeAssistant)
            },
            alarms: alarms.filter { alarm in shown.contains { $0.name == alarm.sensor } }.map {
                HomeAssistant.Alarm(name: $0.name, sensor: $0.sensor)
            }, state: state)
    }
}

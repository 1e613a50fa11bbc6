internal import Dispatching
internal import MQTT
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
internal import Units

/// Somebody who empties bins: a client of the broker, as the app in his pocket would be, and two hands.
struct DemoWorker: Sendable {
    private static let reaction = Duration.milliseconds(600)
    private static let way = Duration.seconds(2)

    let name: String
    let position: Position
    var load = 0
    var isOnDuty = true
    /// Does not hear the first task that he is asked for.
    var missesFirst = false

    /// Off duty, the nearest one is of no use; the next nearest does not answer at first.
    static let all = [
        DemoWorker(name: "anna", position: Position(latitude: 31.70576, longitude: 119.9372), missesFirst: true),
        DemoWorker(name: "bo", position: Position(latitude: 31.69811, longitude: 119.9372), load: 1),
        DemoWorker(name: "chen", position: Position(latitude: 31.70441, longitude: 119.9372), isOnDuty: false),
    ]

    /// Works until cancelled.
    func work(port: Int, in park: DemoPark) async {
        let client = MQTTClient(
            ClientConfiguration(
                endpoints: [Endpoint(host: "127.0.0.1", port: port)], clientIdentifier: "worker-\(name)"),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        let base = "fieldpost/dispatch/worker/\(name)"
        await withTaskGroup { tasks in
            tasks.addTask { await client.run() }
            tasks.addTask {
                do {
                    let filter = try TopicFilter("\(base)/task/+")
                    try await client.subscribe([Subscription(filter: filter, qos: .atLeastOnce)], timeout: .seconds(60))
                    let notice: JSON = [
                        "on_duty": .boolean(isOnDuty), "load": .integer(Int64(load)),
                        "position": ["latitude": .number(position.latitude), "longitude": .number(position.longitude)],
                        "time": .string(Timestamp.now().iso8601),
                    ]
                    try await publish(notice, to: base, retain: true, client)
                } catch {
                    // Then the story waits in vain for him, and says so.
                }
            }
            tasks.addTask { await answer(base, client, park) }
            await tasks.waitForAll()
        }
    }

    private func answer(_ base: String, _ client: MQTTClient, _ park: DemoPark) async {
        await withDiscardingTaskGroup { tasks in
            var missed: Substring?
            var tasksUnderWay: Set<Substring> = []
            for await message in client.messages {
                guard let id = message.topic.string.split(separator: "/").last,
                    let task = try? JSONReader.value(Array(message.payload.readableBytesView)[...])
                else { continue }
                switch task["state"]?.string {
                case "offered":
                    if missesFirst, missed == nil { missed = id }
                    if id == missed { continue }
                    tasks.addTask {
                        guard (try? await Task.sleep(for: Self.reaction)) != nil else { return }
                        try? await publish(["answer": "accepted"], to: "\(base)/answer/\(id)", client)
                    }
                case "accepted":
                    guard tasksUnderWay.insert(id).inserted, let alarm = task["alarm"]?.string,
                        let bin = DemoConfiguration.bins.first(where: { DemoConfiguration.alarm(of: $0) == alarm })
                    else { continue }
                    tasks.addTask {
                        guard (try? await Task.sleep(for: Self.way)) != nil else { return }
                        await park.empty(bin)
                    }
                default: tasksUnderWay.remove(id)
                }
            }
            tasks.cancelAll()
        }
    }

    private func publish(_ payload: JSON, to topic: String, retain: Bool = false, _ client: MQTTClient) async throws {
        try await client.publish(
            Message(
                topic: TopicName(topic), payload: ByteBuffer(string: payload.text), qos: .atLeastOnce, retain: retain))
    }
}

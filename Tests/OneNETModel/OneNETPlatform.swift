internal import MQTTServer
internal import MQTTWire
internal import NIOCore
internal import NIOPosix
public import Units

/// OneNET's side of its protocol, as its documents have it, on the embedded broker: lets devices in by their tokens,
/// takes their posts and answers them, as well or as badly as it is told, and asks them for what its users ask.
public actor OneNETPlatform {
    public struct Device: Sendable, Hashable {
        public var product: String
        public var name: String
        /// Base64.
        public var key: String

        public init(product: String, name: String, key: String) {
            self.product = product
            self.name = name
            self.key = key
        }

        var id: String { "\(product)/\(name)" }
    }

    /// What becomes of one message of a device.
    public enum Treatment: Sendable, Hashable {
        case accept
        /// Taken, but the answer is lost.
        case acceptSilently
        /// Lost on the way, and so is the answer.
        case lose
        case acceptLate(Duration)
        case acceptTwice
        case refuse(code: Int, message: String)
    }

    /// A message of a device.
    public struct Arrival: Sendable, Hashable {
        public var device: String
        /// What is behind `$sys/{product}/{device}/`.
        public var suffix: String
        public var payload: JSON
        public var text: String
    }

    public private(set) var arrivals: [Arrival] = []
    /// What the posts said.
    public private(set) var records = Records()
    public private(set) var online: Set<String> = []
    /// `online NAME`, `offline NAME`.
    public private(set) var lifecycle: [String] = []
    /// Connections that were not let in, and why.
    public private(set) var refusals: [String] = []
    /// What no document knows, and what was malformed.
    public private(set) var objections: [String] = []
    /// Sub-devices that are bound, and those that are logged in, by gateway.
    public private(set) var bound: [String: Set<String>] = [:]
    public private(set) var loggedIn: [String: Set<String>] = [:]
    /// What `desired/get` answers, by device.
    public var desired: [String: [JSON.Member]] = [:]

    private let devices: [String: Device]
    private let now: @Sendable () -> Int64
    private let keepAlive: ClosedRange<UInt16>
    private var treatment: @Sendable (Arrival) -> Treatment = { _ in .accept }
    private var server: MQTTServer?
    private let inputs: AsyncStream<Input>
    private let continuation: AsyncStream<Input>.Continuation
    private var work: Task<Void, Never>?
    private var waiters: [String: CheckedContinuation<JSON?, Never>] = [:]
    private var lastRequest = 0
    public private(set) var port = 0

    private enum Input: Sendable {
        case message(topic: String, [UInt8], from: ClientInformation)
        case connected(String)
        case disconnected(String)
        case refused(String)
    }

    /// - Parameters:
    ///   - now: the platform's clock, seconds since 1970.
    ///   - shortestKeepAlive: seconds; as the documents have it, unless a test cannot wait for so long.
    public init(
        devices: [Device], now: @escaping @Sendable () -> Int64 = { Timestamp.now().milliseconds / 1000 },
        shortestKeepAlive: UInt16 = 10
    ) {
        keepAlive = shortestKeepAlive...1800
        self.devices = Dictionary(devices.map { ($0.id, $0) }) { first, _ in first }
        self.now = now
        (inputs, continuation) = AsyncStream.makeStream()
    }

    /// - Parameter port: 0 for a free one; see ``port``.
    public func start(port: Int = 0) async throws {
        var listener = Listener(name: "onenet", address: .tcp(host: "127.0.0.1", port: port))
        listener.versions = [.v3_1_1]
        var configuration = ServerConfiguration(listeners: [listener])
        configuration.systemInterval = .zero
        let (devices, now, keepAlive, continuation) = (devices, now, keepAlive, continuation)
        configuration.hooks.validateConnection = { request in
            let objection = Self.objection(to: request, devices, keepAlive, now: now())
            guard let objection else { return .accept }
            continuation.yield(.refused("\(request.client.identifier): \(objection)"))
            return .refuse(.badUserNameOrPassword)
        }
        configuration.hooks.interceptPublish = { message, client in
            guard let client else { return .accept }
            continuation.yield(
                .message(topic: message.topic.string, Array(message.payload.readableBytesView), from: client))
            // Devices hear the platform, and never each other.
            return .swallow
        }
        configuration.hooks.onEvent = { event in
            switch event {
            case .clientConnected(let client, _): continuation.yield(.connected(client.identifier))
            case .clientDisconnected(let client, _): continuation.yield(.disconnected(client.identifier))
            default: break
            }
        }
        let server = MQTTServer(configuration, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        try await server.start()
        self.server = server
        self.port = await server.addresses.first?.address.port ?? 0
        guard work == nil else { return }
        work = Task { [inputs, weak self] in
            for await input in inputs { await self?.take(input) }
        }
    }

    /// The platform is gone for everybody, until it is started again at the same ``port``.
    public func stop() async {
        await server?.stop(timeout: .milliseconds(200))
        server = nil
    }

    public func end() async {
        await stop()
        continuation.finish()
        work?.cancel()
        for waiter in waiters.values { waiter.resume(returning: nil) }
        waiters.removeAll()
    }

    public func treat(_ treatment: @escaping @Sendable (Arrival) -> Treatment) { self.treatment = treatment }
    public func setDesired(_ members: [JSON.Member], of device: String) { desired[device] = members }
    /// Cuts a device's connection.
    public func disconnect(_ name: String) async { await server?.disconnect(name) }

    private static func objection(
        to request: ServerHooks.ConnectionRequest, _ devices: [String: Device], _ keepAlive: ClosedRange<UInt16>,
        now: Int64
    ) -> String? {
        let client = request.client
        guard let product = client.username, let device = devices["\(product)/\(client.identifier)"] else {
            return "no such device"
        }
        guard keepAlive.contains(client.keepAlive) else { return "keep-alive of \(client.keepAlive) s" }
        guard request.isCleanStart else { return "a session is to be resumed" }
        guard request.will == nil else { return "it has a will" }
        guard let password = request.password else { return "no token" }
        return TokenCheck.objection(
            to: String(buffer: password), product: product, device: device.name, key: device.key, now: now)
    }

    // MARK: What devices say

    private func take(_ input: Input) async {
        switch input {
        case .connected(let name):
            online.insert(name)
            lifecycle.append("online \(name)")
        case .disconnected(let name):
            online.remove(name)
            loggedIn = loggedIn.filter { !$0.key.hasSuffix("/\(name)") }
            lifecycle.append("offline \(name)")
        case .refused(let why): refusals.append(why)
        case .message(let topic, let bytes, let client):
            let prefix = "$sys/\(client.username ?? "")/\(client.identifier)/"
            guard topic.hasPrefix(prefix) else { return objections.append("not its own: \(topic)") }
            let text = String(decoding: bytes, as: UTF8.self)
            let payload = (try? JSONReader.value(bytes[...])) ?? .string(text)
            let device = "\(client.username ?? "")/\(client.identifier)"
            let arrival = Arrival(
                device: device, suffix: String(topic.dropFirst(prefix.count)), payload: payload, text: text)
            arrivals.append(arrival)
            await take(arrival)
        }
    }

    private func take(_ arrival: Arrival) async {
        let suffix = arrival.suffix
        if suffix.hasSuffix("_reply") || suffix.hasPrefix("cmd/response/") {
            let isResponse = suffix.hasPrefix("cmd/response/")
            let id = isResponse ? String(suffix.dropFirst("cmd/response/".count)) : arrival.payload["id"]?.string ?? ""
            if isResponse { await publish(arrival.device, "\(suffix)/accepted", "") }
            waiters.removeValue(forKey: id)?.resume(returning: arrival.payload)
            return
        }
        guard let problem = objection(to: arrival) else {
            switch treatment(arrival) {
            case .accept: await answer(arrival, record(arrival))
            case .acceptSilently: _ = record(arrival)
            case .lose: break
            case .acceptTwice:
                let data = record(arrival)
                await answer(arrival, data)
                await answer(arrival, data)
            case .acceptLate(let delay):
                let data = record(arrival)
                Task {
                    try? await Task.sleep(for: delay)
                    await answer(arrival, data)
                }
            case .refuse(let code, let message): await answer(arrival, nil, code: code, message)
            }
            return
        }
        objections.append("\(suffix): \(problem): \(arrival.text)")
        await answer(arrival, nil, code: suffix == "dp/post/json" ? 98 : 2400, problem)
    }

    private static let known: Set<String> = [
        "thing/property/post", "thing/event/post", "thing/pack/post", "thing/history/post", "dp/post/json",
        "thing/sub/topo/add", "thing/sub/topo/delete", "thing/sub/topo/get", "thing/sub/login", "thing/sub/logout",
        "thing/property/desired/get", "thing/property/desired/delete",
    ]

    /// What its documents do not allow.
    private func objection(to arrival: Arrival) -> String? {
        let payload = arrival.payload
        guard Self.known.contains(arrival.suffix) else { return "unknown topic" }
        if arrival.suffix == "dp/post/json" {
            guard let id = payload["id"]?.number, id == id.rounded(), id > 0, id <= Double(Int32.max) else {
                return "its id is no positive number of 32 bits"
            }
            guard let streams = payload["dp"]?.object, !streams.isEmpty else { return "no dp" }
            for stream in streams {
                guard let points = stream.value.array, !points.isEmpty else { return "\(stream.name) has no points" }
                for point in points {
                    switch point["v"] {
                    case .number?, .string?, .object?: break
                    default: return "\(stream.name) has no value"
                    }
                }
            }
            return nil
        }
        guard let id = payload["id"]?.string, (1...13).contains(id.utf8.count),
            id.utf8.allSatisfy({ (48...57).contains($0) })
        else { return "its id is not 1 to 13 digits in a string" }
        guard payload["version"]?.string == "1.0" else { return "no version" }
        switch arrival.suffix {
        case "thing/property/post", "thing/event/post":
            return Self.objection(
                values: payload["params"], isHistory: false, areEvents: arrival.suffix == "thing/event/post")
        case "thing/pack/post", "thing/history/post":
            let isHistory = arrival.suffix == "thing/history/post"
            guard let packs = payload["params"]?.array, !packs.isEmpty else { return "no packs" }
            for pack in packs {
                guard let identity = Self.device(pack["identity"]) else { return "a pack of nobody" }
                guard identity == arrival.device || loggedIn[arrival.device]?.contains(identity) ?? false else {
                    return "\(identity) is not logged in"
                }
                guard pack["properties"] != nil || pack["events"] != nil else { return "an empty pack" }
                for part in ["properties", "events"] where pack[part] != nil {
                    if let problem = Self.objection(
                        values: pack[part], isHistory: isHistory, areEvents: part == "events")
                    {
                        return problem
                    }
                }
            }
            return nil
        case "thing/sub/topo/add":
            guard let id = Self.device(payload["params"]), let device = devices[id],
                let token = payload["params"]?["sasToken"]?.string
            else { return "no such sub-device" }
            return TokenCheck.objection(
                to: token, product: device.product, device: device.name, key: device.key, now: now())
        case "thing/sub/login":
            guard let id = Self.device(payload["params"]) else { return "no sub-device" }
            return bound[arrival.device]?.contains(id) ?? false ? nil : "\(id) is not bound to this gateway"
        default: return nil
        }
    }

    private static func objection(values: JSON?, isHistory: Bool, areEvents: Bool) -> String? {
        guard let members = values?.object, !members.isEmpty else { return "no values" }
        for member in members {
            if isHistory, member.value.array == nil { return "\(member.name) is no series" }
            for point in isHistory ? member.value.array ?? [] : [member.value] {
                guard let value = point["value"], value != .null else {
                    return "required value:identifier:\(member.name)"
                }
                if areEvents, value.object == nil { return "\(member.name) is no event" }
                if let time = point["time"], (time.number ?? 0) < 1e12 {
                    return "\(member.name) is not in milliseconds"
                }
                if isHistory, point["time"] == nil { return "\(member.name) has no time" }
            }
        }
        return nil
    }

    static func device(_ json: JSON?) -> String? {
        guard let product = json?["productID"]?.string, let name = json?["deviceName"]?.string else { return nil }
        return "\(product)/\(name)"
    }

    /// - Returns: the answer's data.
    private func record(_ arrival: Arrival) -> JSON? {
        let params = arrival.payload["params"]
        switch arrival.suffix {
        case "thing/property/post", "thing/event/post", "thing/pack/post", "thing/history/post", "dp/post/json":
            records.take(arrival)
        case "thing/sub/topo/add": if let id = Self.device(params) { bound[arrival.device, default: []].insert(id) }
        case "thing/sub/login": if let id = Self.device(params) { loggedIn[arrival.device, default: []].insert(id) }
        case "thing/sub/logout": if let id = Self.device(params) { loggedIn[arrival.device]?.remove(id) }
        case "thing/property/desired/get": return .object(desired[arrival.device] ?? [])
        case "thing/property/desired/delete":
            let names = Set((params?.object ?? []).map(\.name))
            desired[arrival.device]?.removeAll { names.contains($0.name) }
        default: break
        }
        return nil
    }

    private func answer(_ arrival: Arrival, _ data: JSON?, code: Int = 200, _ message: String = "success") async {
        if arrival.suffix == "dp/post/json" {
            let id = arrival.payload["id"] ?? .null
            if code == 200 {
                return await publish(arrival.device, "dp/post/json/accepted", JSON.object([JSON.Member("id", id)]).text)
            }
            let rejection = JSON.object([
                JSON.Member("id", id), JSON.Member("err_code", .integer(Int64(code))),
                JSON.Member("err_msg", .string(message)),
            ])
            return await publish(arrival.device, "dp/post/json/rejected", rejection.text)
        }
        var members = [
            JSON.Member("id", arrival.payload["id"] ?? ""), JSON.Member("code", .integer(Int64(code))),
            JSON.Member("msg", .string(message)),
        ]
        if let data { members.append(JSON.Member("data", data)) }
        await publish(arrival.device, "\(arrival.suffix)/reply", JSON.object(members).text)
    }

    /// Says something to a device under its own topics, for what no other function says.
    public func publish(_ device: String, _ suffix: String, _ payload: String) async {
        guard let topic = try? TopicName("$sys/\(device)/\(suffix)") else { return }
        _ = try? await server?.publish(ServerMessage(topic: topic, payload: ByteBuffer(string: payload)))
    }

    // MARK: What the platform's users ask

    /// Sends a request of OneJSON, and waits for its reply.
    ///
    /// - Parameters:
    ///   - suffix: `thing/property/set`, for example.
    ///   - id: nil takes a new one.
    /// - Returns: nil when none came.
    public func ask(
        _ device: String, _ suffix: String, _ params: JSON, id: String? = nil, patience: Duration = .seconds(5)
    ) async -> JSON? {
        lastRequest += 1
        let id = id ?? String(lastRequest)
        let request = JSON.object([
            JSON.Member("id", .string(id)), JSON.Member("version", "1.0"), JSON.Member("params", params),
        ])
        return await ask(id, patience) { await self.publish(device, suffix, request.text) }
    }

    /// Sends a command of the old style, and waits for its response.
    public func command(_ device: String, _ text: String, patience: Duration = .seconds(5)) async -> JSON? {
        lastRequest += 1
        let id = "command-\(lastRequest)"
        return await ask(id, patience) { await self.publish(device, "cmd/request/\(id)", text) }
    }

    private func ask(_ id: String, _ patience: Duration, _ send: @escaping @Sendable () async -> Void) async -> JSON? {
        let alarm = Task {
            try? await Task.sleep(for: patience)
            if !Task.isCancelled { giveUp(id) }
        }
        defer { alarm.cancel() }
        return await withCheckedContinuation { continuation in
            waiters.updateValue(continuation, forKey: id)?.resume(returning: nil)
            Task { await send() }
        }
    }

    private func giveUp(_ id: String) { waiters.removeValue(forKey: id)?.resume(returning: nil) }
}

internal import Logging
internal import Sensing
internal import Units
internal import Uplink

/// Does what the board is asked from afar, if the configuration allows it: each command within its time, each id once, and
/// each with an answer.
actor CommandCenter {
    /// What was asked, and by whom.
    struct Request: Sendable {
        var text: CommandText
        /// Ids are the asker's own.
        var asker: String
        var time = ContinuousClock.now
    }

    /// So many commands may be under way.
    private static let limit = 8
    private static let stateName = "commands"
    private static let intervalsName = "intervals"

    private let settings: CommandSettings
    private let world: World
    private let state: StateFile
    private let logger: Logger
    private let pool = BlockingPool(width: 2, stuckLimit: 2, queueLimit: 8)
    private var ledger: CommandLedger
    private var underWay = 0
    /// Who waits for what somebody else has asked for under the same id.
    private var waiting: [String: [CheckedContinuation<JSON?, Never>]] = [:]
    private var allowance = LogAllowance()
    private(set) var counts = Counts()
    /// Through which all commands come.
    nonisolated let queue = CommandQueue()

    struct Counts: Sendable, Hashable {
        var done = 0
        var refused = 0
        var failed = 0
        /// Asked again under the same id.
        var repeated = 0
    }

    /// What commands act on.
    struct World: Sendable {
        var runner: SensorRunner
        var processing: Processing
        var sensors: [String: SensorFacts]
        var status: @Sendable () async -> JSON
        /// Nil where nobody can reload.
        var reload: Reload?
    }

    struct SensorFacts: Sendable {
        /// Its values are computed.
        var isDerived: Bool
        var isOutput: Bool
        /// Its values are how fast something changes.
        var isRate = false
    }

    init(_ settings: CommandSettings, _ world: World, state: StateFile, logger: Logger) async {
        self.settings = settings
        self.world = world
        self.state = state
        self.logger = logger
        ledger = CommandLedger(state: await state[Self.stateName])
    }

    /// Intervals that an earlier run was told hold on. To be called before the runner runs.
    func begin() async {
        guard settings.allowed.contains(.interval) else { return }
        for member in await state[Self.intervalsName]?.object ?? [] {
            guard let facts = world.sensors[member.name], !facts.isDerived, let text = member.value.string,
                let every = try? Duration(parsing: text)
            else { continue }
            logger.notice(
                "a sensor keeps the interval that a command gave it",
                metadata: ["sensor": "\(member.name)", "every": "\(every.compact)"])
            try? world.runner.begin(member.name, every: every)
        }
    }

    /// - Returns: the answer: `{"ok":true, …}` or `{"ok":false,"error":"forbidden","message":"…"}`, with the id where one was
    ///   said.
    func answer(_ request: Request) async -> JSON {
        let text = request.text
        guard let id = text.id else {
            do throws(CommandError) {
                return done(try await result(of: text, since: request.time), nil)
            } catch {
                return refused(text, error)
            }
        }
        let key = "\(request.asker) \(id)"
        switch ledger.admit(key, of: text.command) {
        case .done(let answer):
            counts.repeated += 1
            return answer ?? Self.unknownAnswer(id)
        case .underWay:
            counts.repeated += 1
            return await withCheckedContinuation { waiting[key, default: []].append($0) } ?? Self.unknownAnswer(id)
        case .taken: return refused(text, CommandError(.malformed, "the id came before, with another command"))
        case .new: break
        }
        let end: ContinuousClock.Instant
        do throws(CommandError) {
            end = try admit(text, since: request.time)
        } catch {
            // Nothing was begun: the same may come again under this id, and be done.
            ledger.forget(key)
            return refused(text, error)
        }
        defer { underWay -= 1 }
        // At most once: that it was begun has to be known before it is.
        if text.command.changesSomething {
            await state.set(Self.stateName, ledger.state)
            await state.save()
        }
        let answer: JSON
        do throws(CommandError) {
            answer = done(try await perform(text.command, until: end), id)
            note(text, id)
        } catch {
            answer = refused(text, error)
        }
        ledger.finish(key, answer)
        await state.set(Self.stateName, ledger.state)
        // Who has heard it hears the same after a restart too.
        if text.command.changesSomething { await state.save() }
        for waiter in waiting.removeValue(forKey: key) ?? [] { waiter.resume(returning: answer) }
        return answer
    }

    private static func unknownAnswer(_ id: String) -> JSON {
        [
            "ok": false, "id": .string(id), "error": .string(CommandError.Kind.failed.rawValue),
            "message": "a command with this id was begun before the agent was started anew; it may have been done",
        ]
    }

    /// Who opened the gate should be found out later.
    private func note(_ text: CommandText, _ id: String?) {
        guard text.command.changesSomething, let omitted = allowance.admit(at: .now) else { return }
        logger.info(
            "a command was done",
            metadata: ["command": "\(text.command.summary)", "id": "\(id ?? "none")", "left-out": "\(omitted)"])
    }

    private func done(_ result: [JSON.Member], _ id: String?) -> JSON {
        counts.done += 1
        return .object([JSON.Member("ok", true)] + (id.map { [JSON.Member("id", .string($0))] } ?? []) + result)
    }

    private func refused(_ text: CommandText, _ error: CommandError) -> JSON {
        if error.kind == .failed || error.kind == .timedOut { counts.failed += 1 } else { counts.refused += 1 }
        if let omitted = allowance.admit(at: .now) {
            logger.warning(
                "a command was not done",
                metadata: [
                    "command": "\(text.command.name.rawValue)", "reason": "\(error)", "left-out": "\(omitted)",
                ])
        }
        return .object(
            [JSON.Member("ok", false)] + (text.id.map { [JSON.Member("id", .string($0))] } ?? [])
                + [
                    JSON.Member("error", .string(error.kind.rawValue)),
                    JSON.Member("message", .string(error.message)),
                ])
    }

    /// Does a command that platforms have their own words for.
    ///
    /// - Parameter time: when it came.
    /// - Throws: ``CommandError``.
    func result(of text: CommandText, since time: ContinuousClock.Instant = .now) async throws(CommandError)
        -> [JSON.Member]
    {
        let end = try admit(text, since: time)
        defer { underWay -= 1 }
        return try await perform(text.command, until: end)
    }

    /// Looks whether it may be done; if so it counts as under way.
    ///
    /// - Returns: until when it is to be done.
    private func admit(
        _ text: CommandText, since time: ContinuousClock.Instant
    ) throws(CommandError) -> ContinuousClock.Instant {
        try check(text.command)
        var end = time + settings.patience
        let now = Timestamp.now()
        if let deadline = text.deadline, now.isPlausible {
            guard deadline > now else {
                throw CommandError(.timedOut, "the command came after its deadline, \(deadline.iso8601)")
            }
            end = min(end, .now + (deadline - now))
        }
        guard underWay < Self.limit else {
            throw CommandError(.busy, "\(Self.limit) commands are under way; ask again when one is done")
        }
        underWay += 1
        return end
    }

    private func check(_ command: RemoteCommand) throws(CommandError) {
        guard settings.allowed.contains(command.name) else {
            throw CommandError(
                .forbidden, "\"\(command.name.rawValue)\" is not among the commands that [commands] allows")
        }
        switch command {
        case .read(let sensor): if let sensor { _ = try facts(sensor) }
        case .set(let sensor, _, _):
            guard try facts(sensor).isOutput else {
                throw CommandError(.malformed, "sensor \"\(sensor)\" cannot be set: it is no output")
            }
            if let outputs = settings.outputs, !outputs.contains(sensor) {
                throw CommandError(.forbidden, "sensor \"\(sensor)\" is not among the outputs that [commands] names")
            }
        case .interval(let sensor, _):
            if try facts(sensor).isDerived {
                throw CommandError(.malformed, "sensor \"\(sensor)\" is computed whenever its inputs are read")
            }
        case .calibrate(let sensor, _, let target):
            if try facts(sensor).isRate, target != nil {
                throw CommandError(
                    .malformed, "sensor \"\(sensor)\" tells how fast its value changes (rate): no offset corrects that")
            }
        case .run(let name, _):
            guard settings.programs.contains(where: { $0.name == name }) else {
                throw CommandError(.unknown, "there is no program \"\(name.prefix(64))\"")
            }
        case .acknowledge, .status: break
        case .reload:
            if world.reload == nil { throw CommandError(.failed, "nobody here can reload") }
        }
    }

    private func facts(_ sensor: String) throws(CommandError) -> SensorFacts {
        if let facts = world.sensors[sensor] { return facts }
        // Whoever says something very long has not mistyped a name.
        let meant = sensor.utf8.count <= 128 ? world.sensors.keys.sorted().nearest(to: sensor) : nil
        let mend = meant.map { "; did you mean \"\($0)\"?" } ?? ""
        throw CommandError(.unknown, "there is no sensor \"\(sensor.prefix(64))\"\(mend)")
    }

    private func perform(
        _ command: RemoteCommand, until end: ContinuousClock.Instant
    ) async throws(CommandError) -> [JSON.Member] {
        let patience = end - .now
        guard patience > .zero else {
            throw CommandError(.timedOut, "its time was up before it could be begun; it was not done")
        }
        switch command {
        case .read(let sensor): return try await read(sensor, within: patience)
        case .set(let sensor, let channel, let value):
            let readings: [Reading]
            do {
                readings = try await world.runner.set(sensor, channel: channel, to: value, timeout: patience)
            } catch {
                throw Self.failure(error)
            }
            return [JSON.Member("readings", .array(readings.map(Self.json)))]
        case .interval(let sensor, let every):
            do {
                try await world.runner.setInterval(of: sensor, to: every, timeout: patience)
            } catch {
                throw Self.failure(error)
            }
            var intervals = (await state[Self.intervalsName]?.object ?? []).filter { $0.name != sensor }
            if let every { intervals.append(JSON.Member(sensor, .string(every.compact))) }
            await state.set(Self.intervalsName, .object(intervals))
            await state.save()
            return []
        case .calibrate(let sensor, let channel, let target):
            let offset = try await world.processing.calibrate(sensor, channel: channel, to: target)
            return offset.map { [JSON.Member("offset", .number($0))] } ?? []
        case .acknowledge(let alarm, let by):
            let reports = try await world.processing.acknowledge(alarm, by: by)
            return [JSON.Member("changed", .boolean(!reports.isEmpty))]
        case .status: return [JSON.Member("status", await world.status())]
        case .reload:
            let reload = world.reload
            if let problem = await reload?.problem() {
                throw CommandError(.failed, "the configuration was not read again: \(problem)")
            }
            // The answer has to be on its way first.
            Task {
                try? await Task.sleep(for: .milliseconds(500))
                await reload?.go()
            }
            return []
        case .run(let name, let arguments):
            guard let program = settings.programs.first(where: { $0.name == name }) else { return [] }
            let logger = logger
            do {
                let output = try await pool.run(timeout: patience + .seconds(1), isSlow: true) {
                    try program.run(arguments, within: patience) { line in
                        logger.notice("a program says", metadata: ["program": "\(name)", "line": "\(line)"])
                    }
                }
                return [JSON.Member("output", .string(String(output.prefix(4096))))]
            } catch {
                throw Self.failure(error)
            }
        }
    }

    private func read(_ sensor: String?, within patience: Duration) async throws(CommandError) -> [JSON.Member] {
        let names = sensor.map { [$0] } ?? world.sensors.keys.sorted()
        let runner = world.runner
        let results = await withTaskGroup(of: (String, CommandError?).self) { group in
            for name in names where world.sensors[name]?.isDerived == false {
                group.addTask {
                    do {
                        _ = try await runner.read(name, timeout: patience)
                        return (name, nil)
                    } catch {
                        return (name, Self.failure(error))
                    }
                }
            }
            var failures: [String: CommandError] = [:]
            for await (name, failure) in group { failures[name] = failure }
            return failures
        }
        if let sensor, let failure = results[sensor] { throw failure }
        let values = await world.processing.values(of: names)
        var members = [JSON.Member("readings", .array(values.map(Self.json)))]
        if !results.isEmpty {
            members.append(
                JSON.Member(
                    "failures",
                    .object(results.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .string($0.value.message)) })))
        }
        return members
    }

    private static func failure(_ error: any Error) -> CommandError {
        switch error {
        case let error as CommandError: return error
        case let error as SensorError:
            return CommandError(error.kind == .rejected ? .malformed : .failed, "\(error)")
        case BlockingPoolError.timedOut(let time):
            return CommandError(.timedOut, "it took longer than \(time.compact); it may be done all the same")
        case is CancellationError: return CommandError(.failed, "the agent is stopping")
        default: return CommandError(.failed, "\(error)")
        }
    }

    private static func json(_ reading: Reading) -> JSON {
        var members = [JSON.Member("sensor", .string(reading.sensor))]
        if let channel = reading.channel { members.append(JSON.Member("channel", .string(channel))) }
        members.append(JSON.Member("time", .string(reading.time.iso8601)))
        members.append(JSON.Member("value", reading.value.json))
        if let unit = reading.unit { members.append(JSON.Member("unit", .string(unit))) }
        if let reason = reading.quality.reason {
            members += [.init("quality", .string(reading.quality.name)), .init("reason", .string(reason))]
        }
        return .object(members)
    }
}

/// Asks whoever runs the agent to read the configuration again.
struct Reload: Sendable {
    /// What is wrong with it, if anything is.
    var problem: @Sendable () async -> String?
    var go: @Sendable () async -> Void
}

extension RemoteCommand {
    /// For the log.
    fileprivate var summary: String {
        switch self {
        case .read(let sensor): "read \(sensor ?? "all")"
        case .set(let sensor, let channel, let value):
            "set \(sensor)\(channel.map { " \($0)" } ?? "") \(value.json.text.prefix(64))"
        case .interval(let sensor, let every): "interval \(sensor) \(every?.compact ?? "as configured")"
        case .calibrate(let sensor, _, let value): "calibrate \(sensor) \(value.map { "\($0)" } ?? "as configured")"
        case .acknowledge(let alarm, let by): "acknowledge \(alarm)\(by.map { " by \($0)" } ?? "")"
        case .status, .reload: name.rawValue
        case .run(let program, _): "run \(program)"
        }
    }

    /// Whether doing it twice may do harm.
    fileprivate var changesSomething: Bool {
        switch self {
        case .read, .status: false
        case .set, .interval, .calibrate, .acknowledge, .reload, .run: true
        }
    }
}

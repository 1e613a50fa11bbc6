internal import MQTT
internal import OpenSSLTransport
internal import Sensing
internal import Settings
internal import Units

/// The conversation of `fieldpost setup`: asks what was not given, tries the broker, shows what it will write, writes it.
struct Setup: Sendable {
    let options: SetupOptions
    let terminal: any SetupTerminal
    let world: SetupWorld
    let files: SetupFiles

    /// So often something is asked before whoever answers is believed not to understand.
    private static let attempts = 5

    init(_ options: SetupOptions, terminal: any SetupTerminal, world: SetupWorld) {
        self.options = options
        self.terminal = terminal
        self.world = world
        files = SetupFiles(file: world.absolute(options.file ?? world.usualFile), accounts: world.accounts)
    }

    /// - Throws: ``SetupError``; then nothing was written.
    func run() async throws(SetupError) {
        if options.file?.isEmpty == true { throw SetupError(.usage, "--config is empty; name a file") }
        try files.prepare()
        let isQuiet = options.isQuiet
        if !isQuiet {
            terminal.show(
                "This writes \(files.file). Enter takes what stands in brackets; Ctrl-C leaves everything as it is.")
        }
        try await askToReplace()
        var answers = SetupAnswers()
        try await askForBroker(&answers, options)
        answers.sensors = try await askForSensors()
        try await test(&answers)

        let lines = answers.configuration(passwordFile: files.passwordName)
        terminal.show("")
        for line in lines { terminal.show("    \(line)") }
        terminal.show("")
        if !isQuiet, !(try await confirm("Write this to \(files.file)?", isUsual: true)) {
            throw SetupError(.declined, "nothing was written")
        }
        let present = files.present
        let password: Secret? = if case .typed(let secret)? = answers.password { secret } else { nil }
        try files.write(password: password) { answers.configuration(passwordFile: $0) }
        terminal.show(
            "\(files.file)\(files.target == files.file ? "" : ", which leads to \(files.target),") is written"
                + (password == nil ? "" : ", and \(files.passwordFile) with the password"))
        if present != .nothing { terminal.show("what was there before is in \(files.backup)") }
        if let passwordFile = unreadablePassword(answers) {
            for line in world.credentialSteps(passwordFile, files.file) { terminal.show(line) }
        }
        for line in world.nextSteps(files.file) { terminal.show(line) }
    }

    /// The password's file, if no user is there who is to read it.
    private func unreadablePassword(_ answers: SetupAnswers) -> String? {
        guard let (user, isInvented) = world.serviceUser(for: files.file), isInvented else { return nil }
        return switch answers.password {
        case .typed: files.passwordFile
        case .file(let path, _): user.obstacle(to: .read, path) == nil ? nil : path
        case nil: nil
        }
    }

    private func askToReplace() async throws(SetupError) {
        guard files.present == .configuration, !options.force else { return }
        let refusal = "\(files.file) is there already"
        if options.isQuiet {
            throw SetupError(.usage, "\(refusal); --force replaces it and keeps it as \(files.backup)")
        }
        guard try await confirm("\(refusal). Replace it, and keep it as \(files.backup)?", isUsual: false) else {
            throw SetupError(.declined, "nothing was written")
        }
    }

    // MARK: The broker

    /// - Parameter given: what need not be asked for.
    private func askForBroker(_ answers: inout SetupAnswers, _ given: SetupOptions) async throws(SetupError) {
        answers.broker = try await answer(
            "broker", "Broker (mqtts://host, mqtt://host, wss://host/path; or none: one of its own)",
            given: given.broker, usual: answers.endpoint.map { "\($0)" }
        ) { text throws(InvalidText) in
            text.lowercased() == "none" ? .own : .at(try Endpoint(parsing: text))
        }
        answers.device = try await answer(
            "device", "Device name, as it stands in topics", given: given.device,
            usual: answers.device.isEmpty ? try? TopicLevel.check(world.hostName) : answers.device, TopicLevel.check)
        guard let endpoint = answers.endpoint else {
            (answers.username, answers.password, answers.caFile) = (nil, nil, nil)
            for (option, text) in [("username", given.username), ("ca-file", given.caFile)]
            where text ?? "none" != "none" {
                throw SetupError(.usage, "--\(option) has no meaning for a broker of the board's own; leave it out")
            }
            return
        }
        if endpoint.transport.isSecure {
            answers.caFile = try await answer(
                "ca-file", "CA file, if the broker's certificate is not publicly trusted", given: given.caFile,
                usual: answers.caFile ?? "none", checkCA)
        } else if let file = given.caFile, file != "none" {
            throw SetupError(.usage, "--ca-file \(file): \(endpoint) is reached without TLS; write mqtts:// or wss://")
        } else {
            answers.caFile = nil
        }
        let former = answers.username
        answers.username = try await answer(
            "username", "User name", given: given.username, usual: former ?? "none"
        ) { text throws(InvalidText) in
            if text.isEmpty || text == "none" { return nil }
            try TopicLevel.checkControlCharacters(text)
            return text
        }
        guard answers.username != nil else {
            answers.password = nil
            if let file = given.passwordFile {
                throw SetupError(.usage, "--password-file \(file) stands without a --username; give one")
            }
            return
        }
        try await askForPassword(&answers, given, hasFormer: former == answers.username)
    }

    private func askForPassword(
        _ answers: inout SetupAnswers, _ given: SetupOptions, hasFormer: Bool
    ) async throws(SetupError) {
        switch given.passwordFile {
        case "-"? where !options.isQuiet:
            throw SetupError(.usage, "--password-file - takes standard input away from the answers; add --yes")
        case "-"?:
            guard let line = try await terminal.ask(nil, isSecret: true), !line.isEmpty else {
                throw SetupError(.usage, "--password-file -: standard input has no password in its first line")
            }
            answers.password = .typed(Secret(line.utf8))
        case let file?:
            let path = world.absolute(file)
            do {
                let secret = try Self.secret(inFile: path)
                answers.password = .file(path, secret.secret)
                if let (user, isInvented) = world.serviceUser(for: files.file), !isInvented,
                    let obstacle = user.obstacle(to: .read, path)
                {
                    answers.password = .typed(secret.secret)
                    terminal.show(
                        "\(obstacle); what stands in it goes to \(files.passwordFile), which the service can read")
                } else if secret.isPublic {
                    terminal.show("warning: every user can read \(path); chmod 600 it")
                }
            } catch {
                throw SetupError(
                    .usage,
                    "--password-file: \(error)\(error.mend == nil ? ": name the file with the password, or - for standard input" : "")"
                )
            }
        case nil where options.isQuiet: answers.password = nil
        case nil:
            let former = hasFormer ? answers.password : nil
            let hint = former == nil ? "empty: none" : "empty: as before"
            for _ in 1...Self.attempts {
                guard let line = try await terminal.ask("Password (not shown; \(hint)):", isSecret: true) else {
                    throw Self.ended
                }
                // Keys that do something elsewhere, Ctrl-Z and the like.
                if (try? TopicLevel.checkControlCharacters(line)) == nil {
                    terminal.show("That holds a control character; type it again.")
                    continue
                }
                answers.password = line.isEmpty ? former : .typed(Secret(line.utf8))
                return
            }
            throw SetupError(.usage, "no password that can be used")
        }
    }

    /// As ``SettingsReader`` will read it.
    private static func secret(inFile path: String) throws(InvalidText) -> (secret: Secret, isPublic: Bool) {
        let file = try SmallFile(path: path, limit: 65_536)
        var bytes = file.bytes[...]
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        if bytes.isEmpty { throw InvalidText("\(path) is empty") }
        return (Secret(bytes), file.isPublic)
    }

    private func checkCA(_ text: String) throws(InvalidText) -> String? {
        if text.isEmpty || text == "none" { return nil }
        let path = world.absolute(text)
        var tls = TLSClientConfiguration()
        tls.trustRoots = .file(path)
        do {
            _ = try TLSClientContext(tls)
        } catch {
            throw InvalidText("\(error)")
        }
        if let (user, _) = world.serviceUser(for: files.file), let obstacle = user.obstacle(to: .read, path) {
            throw InvalidText(
                obstacle,
                mend: "the service must: copy it to /etc/fieldpost, chmod 644, and name it there")
        }
        return path
    }

    /// Until the broker answers as it should, or somebody wants it all the same.
    private func test(_ answers: inout SetupAnswers) async throws(SetupError) {
        guard options.tests else { return }
        while true {
            if let endpoint = answers.endpoint { terminal.show("Trying \(endpoint) …") }
            switch await world.test(answers) {
            case .good(let text):
                terminal.show("Good: \(text).")
                return
            case .failed(let reason):
                if options.isQuiet {
                    throw SetupError(.unavailable, "\(reason)\nnothing was written; --no-test writes without trying")
                }
                terminal.show("It does not work: \(reason).")
                let choice = try await answer(
                    "no-test", "Change the answers (c), try again (t), save them all the same (s), or leave (q)?",
                    given: nil, usual: "c"
                ) { text throws(InvalidText) in
                    guard let letter = text.lowercased().first, "ctsq".contains(letter) else {
                        throw InvalidText("is c, t, s or q")
                    }
                    return letter
                }
                switch choice {
                case "c": try await askForBroker(&answers, SetupOptions())
                case "s": return
                case "q": throw SetupError(.declined, "nothing was written")
                default: break
                }
            }
        }
    }

    // MARK: Sensors

    private func askForSensors() async throws(SetupError) -> [SensorCandidate] {
        let found = await world.findSensors()
        if found.isEmpty {
            if let given = options.sensors, given != "all", given != "none" {
                throw SetupError(.usage, "--sensors \(given): no sensor was found; write them yourself")
            }
            terminal.show("No sensor was found that the drivers can read; write [[sensor]] tables yourself.")
            return []
        }
        if !options.isQuiet {
            terminal.show("Sensors that were found:")
            for line in Self.table(of: found) { terminal.show(line) }
        }
        let all = found.filter { !$0.readings.isEmpty && !$0.candidate.isOutput }.map(\.candidate)
        return try await answer(
            "sensors", "Which of them (all, none, or numbers and names: 1,3-5)", given: options.sensors,
            usual: "all"
        ) { text throws(InvalidText) in
            switch text.lowercased() {
            case "all": all
            case "none": []
            default: try Self.choose(text, among: found.map(\.candidate))
            }
        }
    }

    private static func table(of found: [FoundSensor]) -> [String] {
        var table = TextTable("#", "sensor", "says", "is")
        for (index, sensor) in found.enumerated() {
            table.add("\(index + 1)", sensor.candidate.name, sensor.presentValue, sensor.candidate.summary)
        }
        return table.lines.dropFirst().map { "  \($0)" }
    }

    /// "1,3-5 load"
    private static func choose(
        _ text: String, among candidates: [SensorCandidate]
    ) throws(InvalidText) -> [SensorCandidate] {
        var chosen: Set<Int> = []
        for word in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
            if let index = candidates.firstIndex(where: { $0.name == word }) {
                chosen.insert(index)
                continue
            }
            let ends = word.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
            guard let first = ends.first, let last = ends.last, ends.count <= 2, 1 <= first, first <= last,
                last <= candidates.count
            else {
                throw InvalidText(
                    "\"\(word)\" is none of them", mend: "there are \(candidates.map(\.name).joined(separator: ", "))")
            }
            chosen.formUnion(first - 1...last - 1)
        }
        return candidates.indices.filter(chosen.contains).map { candidates[$0] }
    }

    // MARK: Asking

    private static let ended = SetupError(
        .usage, "the input ended before the questions did; give the other answers as options, and --yes")

    /// What was given, or what somebody answers, or what is usual.
    ///
    /// - Parameters:
    ///   - option: what the answer is called on the command line.
    ///   - usual: what an empty answer means; nil: there must be one.
    private func answer<Answer>(
        _ option: String, _ question: String, given: String?, usual: String?,
        _ parse: (String) throws(InvalidText) -> Answer
    ) async throws(SetupError) -> Answer {
        if let given = given ?? (options.isQuiet ? usual : nil) {
            do {
                return try parse(given)
            } catch {
                throw SetupError(.usage, "--\(option): \(error)")
            }
        }
        if options.isQuiet { throw SetupError(.usage, "--\(option) is missing, and cannot be guessed") }
        for _ in 1...Self.attempts {
            guard let line = try await terminal.ask("\(question)\(usual.map { " [\($0)]" } ?? ""):", isSecret: false)
            else { throw Self.ended }
            guard let text = line.isEmpty ? usual : line else {
                terminal.show("There is no usual answer.")
                continue
            }
            do throws(InvalidText) {
                return try parse(text)
            } catch {
                terminal.show("\(error).")
            }
        }
        throw SetupError(.usage, "no answer that can be used to: \(question)")
    }

    private func confirm(_ question: String, isUsual: Bool) async throws(SetupError) -> Bool {
        try await answer("yes", "\(question) (y/n)", given: nil, usual: isUsual ? "y" : "n") {
            text throws(InvalidText) in
            switch text.lowercased() {
            case "y", "yes": return true
            case "n", "no": return false
            default: throw InvalidText("answer y or n")
            }
        }
    }
}

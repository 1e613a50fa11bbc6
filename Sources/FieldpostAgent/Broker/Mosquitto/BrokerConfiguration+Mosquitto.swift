internal import Logging
internal import MQTTServer
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension BrokerConfiguration {
    /// Reads a mosquitto.conf, and what it includes.
    ///
    /// - Returns: a broker that does as the file says, how many directives are honoured, and what is to be said of the
    ///   others.
    /// - Throws: ``MosquittoErrors`` if the file cannot be used.
    public static func read(
        mosquitto path: String
    ) throws(MosquittoErrors) -> (BrokerConfiguration, honoured: Int, findings: [MosquittoFinding]) {
        var reader = MosquittoReader.read(file: path)
        if reader.isUnreadable { throw MosquittoErrors(findings: reader.findings) }
        let configuration = reader.configuration()
        guard !reader.findings.contains(where: { $0.kind == .error }) else {
            throw MosquittoErrors(findings: reader.findings.filter { $0.kind != .needless })
        }
        return (configuration, reader.honoured, reader.findings)
    }
}

extension MosquittoReader {
    /// The broker that the file asks for; what is wrong with the whole of it becomes a finding.
    fileprivate mutating func configuration() -> BrokerConfiguration {
        var configuration = BrokerConfiguration()
        configuration.access = AccessFiles(
            passwordPath: security.passwords, accessControlPath: security.rules)
        configuration.server.limits = limits
        configuration.server.systemInterval = systemInterval ?? configuration.server.systemInterval
        configuration.processFile = processFile
        addListeners(to: &configuration)
        addPersistence(to: &configuration)
        configuration.clientPrefix = clientPrefix
        configuration.maximumPayload = messageSizeLimit
        if let messageSizeLimit, !limitsPackets {
            // The packet must come in for the message to be refused in it.
            configuration.server.limits.maximumPacketSize = max(
                limits.maximumPacketSize, min(messageSizeLimit + 1 << 20, Int(LimitSettings.largestPacket)))
        }
        addLog(to: &configuration.log)
        if !namesUser, geteuid() == 0 {
            note(
                .notHonoured, file: file, 0, "user",
                "Mosquitto would become the user mosquitto; the broker stays root: start it as another user: User= in a unit of systemd"
            )
        }
        if !limitsPackets {
            note(
                .notHonoured, file: file, 0, "",
                "Mosquitto takes packets of any size; here they end at \(TOMLText.size(configuration.server.limits.maximumPacketSize)), unless max_packet_size says otherwise"
            )
        }
        return configuration
    }

    private mutating func addListeners(to configuration: inout BrokerConfiguration) {
        var all = listeners
        // Options alone make Mosquitto listen for everybody, too, and let them in anonymously; the latter is not
        // done here (S4).
        if hasDefaultListener || isDefaultListenerTold { all.insert(defaultListener, at: 0) }
        guard !all.isEmpty else {
            for address in Listener.Address.loopback(port: 1883) {
                var listener = Listener(address: address)
                // Mosquitto's default, with and without a password file, for nobody but this machine.
                listener.allowsAnonymous = defaultListener.security.allowsAnonymous ?? security.allowsAnonymous ?? true
                configuration.server.listeners.append(listener)
            }
            return
        }
        for listener in all { add(listener, to: &configuration) }
    }

    private mutating func add(_ told: MosquittoListener, to configuration: inout BrokerConfiguration) {
        let own = isPerListener ? told.security : security
        var listener = Listener(address: .tcp(host: "", port: 0), speech: told.isWebSocket ? .webSocket : .mqtt)
        let addresses: [Listener.Address]
        do {
            listener.tls = try told.tls(preSharedKeys: own.preSharedKeys)
            addresses = try told.addresses()
        } catch {
            return note(.error, file: told.file, told.line, "listener \(told.port)", error.message, mend: error.mend)
        }
        listener.certificateIdentity = told.certificateIdentity
        listener.allowsAnonymous = told.security.allowsAnonymous ?? own.allowsAnonymous ?? false
        listener.maximumConnections = told.maximumConnections
        listener.maximumQoS = told.maximumQoS
        listener.topicAliasMaximum = told.topicAliases
        listener.versions = told.versions
        for address in addresses {
            listener.address = address
            listener.name = address.description
            guard !configuration.server.listeners.contains(where: { $0.name == listener.name }) else {
                note(
                    .error, file: told.file, told.line, "listener \(told.port)",
                    "\(address) is another listener's already")
                continue
            }
            configuration.server.listeners.append(listener)
            let paths = AccessFiles(passwordPath: own.passwords, accessControlPath: own.rules)
            if paths != configuration.access { configuration.listenerAccess[listener.name] = paths }
            if told.pskHint != nil { configuration.listenerPSKFiles[listener.name] = own.preSharedKeys }
        }
    }

    private mutating func addPersistence(to configuration: inout BrokerConfiguration) {
        guard persists else { return }
        let folder = persistenceFolder.isEmpty ? "." : persistenceFolder
        let name = persistenceFile.hasSuffix(".db") ? String(persistenceFile.dropLast(3)) : persistenceFile
        let path = "\(folder)\(folder.hasSuffix("/") ? "" : "/")\(name).fieldpost.db"
        configuration.server.persistence = ServerConfiguration.Persistence(path: path)
        note(
            .notHonoured, file: file, 0, "persistence",
            "\(persistenceFile) cannot be read; sessions and retained messages are kept in \(path) from now on")
    }

    private func addLog(to log: inout BrokerConfiguration.Log) {
        if let logLevels { log.level = logLevels.min() ?? .critical }
        log.files = logFiles
        if let logDestinations { log.isOnStandardError = logDestinations.contains("stderr") }
    }
}

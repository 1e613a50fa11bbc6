internal import MQTTServer
internal import OpenSSLTransport
public import Settings
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

extension BrokerConfiguration {
    /// Loads everything that the configuration names, as the broker does when it starts.
    ///
    /// - Parameter secrets: `checked`: files and folders that may be only the service's are worth a warning.
    /// - Returns: all that is wrong with it, and what its owner should look at all the same.
    public func check(secrets: SecretAccess = .needed) -> (problems: [String], warnings: [String]) {
        var problems: [String] = []
        var warnings: [String] = []
        func areVisible(_ files: [String?]) -> Bool {
            let hidden = secrets == .needed ? [] : files.compactMap { $0.flatMap(SecretAccess.hidden) }
            warnings += hidden.map { "\($0.message): \($0.mend)" }
            return hidden.isEmpty
        }
        func note(_ problem: (text: String, isOfThisUser: Bool)?, at place: String) {
            guard let problem else { return }
            if secrets != .needed, problem.isOfThisUser {
                warnings.append("\(place): \(problem.text)")
            } else {
                problems.append("\(place): \(problem.text)")
            }
        }
        for files in Set([access] + listenerAccess.values)
        where areVisible([files.passwordPath, files.accessControlPath]) {
            do {
                warnings += try files.load().warnings.map(\.description)
            } catch {
                problems += "\(error)".split(separator: "\n").map(String.init)
            }
        }
        for listener in server.listeners {
            if let tls = listener.tls, areVisible(tls.files + [listenerPSKFiles[listener.name]]) {
                do {
                    _ = try TLSServerContext(tls)
                } catch {
                    problems.append("listener \(listener.name): \(error)")
                }
            }
            if case .unix(let path) = listener.address {
                note(Self.problem(ofFolderOf: path), at: "listener \(listener.name)")
            }
            // The agent's own door has its own key.
            if listener.name != AgentDoor.name, !isOpen(to: listener) {
                warnings.append(
                    "listener \(listener.name): nobody can come in: give it a password_file, client certificates as identity, or allow_anonymous = true"
                )
            }
        }
        for path in [server.persistence?.path, processFile] + log.files {
            if let path { note(Self.problem(ofFolderOf: path), at: path) }
        }
        return (problems.sorted(), warnings)
    }

    /// - Returns: what is wrong with it, and whether that need not hold for another user.
    private static func problem(ofFolderOf path: String) -> (text: String, isOfThisUser: Bool)? {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(folder, &status) == 0 else {
            let code = errno
            return ("its folder \(folder): \(String(cString: strerror(code))); make it first", code == EACCES)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return ("\(folder) is no folder", false) }
        return mayWrite(in: folder)
            ? nil : ("nothing may be written in \(folder) by this user; chown or chmod it", true)
    }

    // MARK: Who may come in

    /// Whether anybody can come in there at all.
    private func isOpen(to listener: Listener) -> Bool {
        listener.allowsAnonymous == true || access(at: listener).passwordPath != nil
            || listener.certificateIdentity != .notUsed
    }

    /// Whether anybody can come in anywhere.
    public var isOpen: Bool { server.listeners.contains(where: isOpen) }

    /// One line for each listener: where it is, and who may come in.
    ///
    /// - Parameter ports: those that listeners were given for port 0, by name.
    func announcement(ports: [String: Int] = [:]) -> [String] {
        server.listeners.filter { $0.name != AgentDoor.name }.map { listener in
            var address = listener.address
            if case .tcp(let host, 0) = address, let port = ports[listener.name] {
                address = .tcp(host: host, port: port)
            }
            return "\(Self.scheme(listener))\(address): \(welcome(at: listener))"
        }
    }

    public var announcement: [String] { announcement() }

    private static func scheme(_ listener: Listener) -> String {
        if case .unix = listener.address { return listener.speech == .webSocket ? "ws+unix:" : "unix:" }
        return switch (listener.speech, listener.tls != nil) {
        case (.webSocket, false): "ws://"
        case (.webSocket, true): "wss://"
        case (.mqtt, false): "mqtt://"
        case (.mqtt, true): "mqtts://"
        case (.both, false): "mqtt:// and ws://"
        case (.both, true): "mqtts:// and wss://"
        }
    }

    private func welcome(at listener: Listener) -> String {
        let isLocal = listener.address.isLocal
        let who = isLocal ? "everybody on this machine" : "everybody who can reach it"
        var keys: [String] = []
        if access(at: listener).passwordPath != nil { keys.append("a password") }
        if listener.certificateIdentity != .notUsed { keys.append("a certificate") }
        var text =
            if listener.allowsAnonymous == true {
                "for \(who)\(keys.isEmpty ? "" : ", with or without \(keys.joined(separator: " or "))")"
            } else if keys.isEmpty {
                "for nobody: anonymous clients are refused, and no password is known"
            } else {
                "for \(who) with \(keys.joined(separator: " or "))"
            }
        if isLocal { text += "; others cannot reach it" }
        if case .required? = listener.tls?.clientCertificates, listener.certificateIdentity == .notUsed {
            text += "; a certificate must be shown"
        }
        if !(listener.tls?.preSharedKeys.isEmpty ?? true) { text += "; a pre-shared key must be known" }
        return text
    }
}

// The type has a property of the function's name.
private func mayWrite(in folder: String) -> Bool { access(folder, W_OK) == 0 }

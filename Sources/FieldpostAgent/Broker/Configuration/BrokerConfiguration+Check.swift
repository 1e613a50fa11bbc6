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
    /// - Parameters:
    ///   - secrets: `checked`: files and folders that may be only the service's are worth a warning.
    ///   - folders: whether to look at those as well where the broker is to make files. When it does, it finds out for
    ///     itself what is in the way: a disk that is not there yet is no mistake of the configuration's.
    /// - Returns: all that is wrong with it, and what its owner should look at all the same.
    public func check(
        secrets: SecretAccess = .needed, folders: Bool = true
    ) -> (problems: [String], warnings: [String]) {
        var problems: [String] = []
        var warnings: [String] = []
        func areVisible(_ files: [String?]) -> Bool {
            let hidden = secrets == .needed ? [] : files.compactMap { $0.flatMap(SecretAccess.hidden) }
            warnings += hidden.map { "\($0.message): \($0.mend)" }
            return hidden.isEmpty
        }
        func note(_ problem: FolderProblem?, at place: String) {
            guard folders, let problem else { return }
            if secrets != .needed, problem.cause == .user {
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
                note(FolderProblem(ofFolderOf: path), at: "listener \(listener.name)")
            }
            // The agent's own door has its own key.
            if listener.name != AgentDoor.name, !isOpen(to: listener) {
                warnings.append(
                    "listener \(listener.name): nobody can come in: give it a password_file, client certificates as identity, or allow_anonymous = true"
                )
            }
        }
        for path in [processFile] + log.files {
            if let path { note(FolderProblem(ofFolderOf: path), at: path) }
        }
        if let path = server.persistence?.path, let problem = FolderProblem(ofFolderOf: path) {
            if problem.cause == .mistake {
                note(problem, at: path)
            } else if folders {
                warnings.append(
                    "\(path): \(problem.text); until then sessions and retained messages are kept in memory only")
            }
        }
        return (problems.sorted(), warnings)
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

/// Why no file can be made somewhere.
private struct FolderProblem {
    enum Cause {
        /// The path cannot be meant.
        case mistake
        /// The rights, which may be others for another user.
        case user
        /// The disk, which may be well again later.
        case disk
    }

    var text: String
    var cause: Cause

    /// - Returns: nil where all is well.
    init?(ofFolderOf path: String) {
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(folder, &status) == 0 else {
            let code = errno
            let isMistake = [ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP].contains(code)
            let mend = isMistake ? "make it first" : code == EACCES ? "chown or chmod it" : "look after its disk"
            text = "its folder \(folder): \(String(cString: strerror(code))); \(mend)"
            cause = isMistake ? .mistake : code == EACCES ? .user : .disk
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            (text, cause) = ("\(folder) is no folder", .mistake)
            return
        }
        guard access(folder, W_OK) != 0 else { return nil }
        let code = errno
        (text, cause) =
            switch code {
            case EACCES, EPERM: ("nothing may be written in \(folder) by this user; chown or chmod it", .user)
            case EROFS:
                (
                    "\(folder) is on a file system that is mounted for reading only; mount it for writing, or name a file elsewhere",
                    .disk
                )
            default: ("nothing can be written in \(folder): \(String(cString: strerror(code)))", .disk)
            }
    }
}

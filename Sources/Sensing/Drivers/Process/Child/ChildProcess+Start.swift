internal import CLinux
internal import Units

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

extension ChildProcess {
    /// Starts a program.
    ///
    /// - Parameters:
    ///   - takesInput: whether we have something to tell it; if not, its standard input is empty.
    ///   - processorTime: how long it may compute, in seconds.
    /// - Throws: why it could not be started, with the mend.
    static func start(
        _ options: ProgramOptions, takesInput: Bool, processorTime: UInt64 = 0, context: DriverContext
    ) throws(SensorError) -> ChildProcess {
        Orphans.reap()
        let environment = options.variables
        let path = try options.path(in: environment)
        let account = try options.account(context)
        let input = takesInput ? Descriptor.pipe() : Descriptor.nothing().map { ($0, $0) }
        guard let input, let output = Descriptor.pipe(), let errors = Descriptor.pipe() else {
            throw options.failure(clinux_failure(step: Int32(clinux_step_process.rawValue), code: errno))
        }
        let started = ProcessStarter.run {
            var failure = clinux_failure()
            let id = withCStrings([path, options.directory]) { strings in
                withCStrings(options.command) { arguments in
                    withCStrings(environment.map { "\($0.name)=\($0.value)" }) { environment in
                        (account?.groups ?? []).withUnsafeBufferPointer { groups in
                            var program = clinux_program(
                                path: strings?[0], arguments: arguments, environment: environment,
                                directory: strings?[1], input: input.0.number, output: output.writing.number,
                                errors: errors.writing.number, memory: UInt64(max(options.memory.bytes, 0)),
                                processor_time: processorTime, files: UInt64(options.openFiles ?? 0),
                                processes: UInt64(options.processes ?? 0), changes_user: account == nil ? 0 : 1,
                                user: account?.user ?? 0, group: account?.group ?? 0, groups: groups.baseAddress,
                                group_count: groups.count)
                            return clinux_start(&program, &failure)
                        }
                    }
                }
            }
            return (id, failure)
        }
        guard let (id, failure) = started else {
            throw options.failure(clinux_failure(step: Int32(clinux_step_process.rawValue), code: EAGAIN))
        }
        guard id > 0 else { throw options.failure(failure) }
        return ChildProcess(
            id: id, input: takesInput ? input.1 : nil, output: output.reading, errors: errors.reading)
    }
}

/// Lends the strings as C has them, with a null pointer at the end.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>?) -> Result
) -> Result {
    var pointers = strings.map { strdup($0) }
    pointers.append(nil)
    defer { for pointer in pointers { free(pointer) } }
    return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
}

extension ProgramOptions {
    /// All variables of the program; what the table names counts.
    var variables: [(name: String, value: String)] {
        let inherited = [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")]
        return inherited.compactMap { name, standard in
            guard !environment.contains(where: { $0.name == name }) else { return nil }
            return (name, getenv(name).map { String(cString: $0) } ?? standard)
        } + environment
    }

    /// The program's file.
    func path(in environment: [(name: String, value: String)]) throws(SensorError) -> String {
        guard let name = command.first, !name.hasPrefix("/") else { return command.first ?? "" }
        let folders = environment.last { $0.name == "PATH" }?.value ?? ""
        for folder in folders.split(separator: ":") where access("\(folder)/\(name)", X_OK) == 0 {
            return "\(folder)/\(name)"
        }
        throw SensorError(
            .missing, self.name, "is in none of PATH's folders (\(folders))",
            mend: "install it, or write its absolute path")
    }

    /// Whom to become; nil to stay who we are.
    func account(_ context: DriverContext) throws(SensorError) -> UserAccount? {
        guard let user else { return nil }
        let passwords = try KernelFile.text(context.path("/etc/passwd"))
        // Without the file there are no further groups.
        let groups = (try? KernelFile.text(context.path("/etc/group"))) ?? ""
        guard let account = UserAccount(named: user, passwords: passwords, groups: groups) else {
            throw SensorError(
                .missing, context.path("/etc/passwd"), "has no user \"\(user)\"", mend: "create it, or name another one"
            )
        }
        if geteuid() == 0 { return account }
        guard account.user == geteuid() else {
            throw SensorError(
                .forbidden, name, "may not be run as \"\(user)\": only an agent that runs as root can change the user",
                mend: "remove user = \"\(user)\"; the program then has the agent's rights, and no more")
        }
        return nil
    }

    /// Why a start failed, and what to do.
    func failure(_ failure: clinux_failure) -> SensorError {
        let reason = strerror(failure.code).map { String(cString: $0) } ?? "errno \(failure.code)"
        switch clinux_step(rawValue: UInt32(max(failure.step, 0))) {
        case clinux_step_program: return notRunnable(failure.code, reason)
        case clinux_step_directory:
            return SensorError(
                .missing, directory, "cannot be the working folder of \(name): \(reason)",
                mend: "correct directory = \"…\"")
        case clinux_step_user:
            return SensorError(.forbidden, name, "could not be given the user \"\(user ?? "")\": \(reason)")
        case clinux_step_limits: return SensorError(.forbidden, name, "could not be given its limits: \(reason)")
        default:
            return SensorError(
                .unavailable, name, "could not be started: \(reason)",
                mend: "the system is short of processes, memory or descriptors")
        }
    }

    private func notRunnable(_ code: Int32, _ reason: String) -> SensorError {
        let path = command.first ?? ""
        switch code {
        case ENOENT where access(path, F_OK) == 0:
            return SensorError(
                .missing, path, "names an interpreter that is not there", mend: "look at its first line, #!…")
        case ENOENT, ENOTDIR:
            return SensorError(.missing, path, "does not exist", mend: "install it, or correct command")
        case EACCES:
            return SensorError(
                .forbidden, path, "may not be run\(user.map { " by \($0)" } ?? "")",
                mend: "chmod +x it, open its folders, and look whether its file system is mounted noexec")
        case ENOEXEC:
            return SensorError(
                .malformed, path, "is no program for this machine",
                mend: "a script begins with a line like #!/bin/sh; a program must be built for this processor")
        default: return SensorError(.unavailable, path, "could not be run: \(reason)")
        }
    }
}

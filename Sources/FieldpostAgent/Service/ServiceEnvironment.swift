#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// What a service manager such as systemd says in the environment of a service that is to report to it (sd_notify(3),
/// sd_watchdog_enabled(3)).
public struct ServiceEnvironment: Sendable, Hashable {
    /// `NOTIFY_SOCKET`: where it listens, a path or, after an `@`, a name in Linux's abstract namespace.
    var notifySocket: String
    /// `WATCHDOG_USEC`: it wants a sign of life within each such time; nil if it wants none, or not from this process.
    var watchdog: Duration?

    /// - Parameter processIdentifier: `WATCHDOG_PID` must be this process, if it is set.
    /// - Returns: nil if nobody wants to be told anything.
    init?(_ environment: [String: String], processIdentifier: Int32) {
        guard let socket = environment["NOTIFY_SOCKET"], !socket.isEmpty else { return nil }
        notifySocket = socket
        guard environment["WATCHDOG_PID"].map({ Int32($0) == processIdentifier }) ?? true,
            let microseconds = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), microseconds > 0
        else { return }
        // No service can live by less; three signs in each interval would be all that it does.
        watchdog = max(.microseconds(microseconds), .milliseconds(100))
    }

    /// That of this process, also after ``hide()``.
    static var current: ServiceEnvironment? {
        ServiceEnvironment(AgentConfiguration.currentEnvironment, processIdentifier: getpid())
    }

    /// Takes all of it out of what processes that this one starts will inherit: they are not the service, and what they
    /// said would count as said by it. To be called before there is a second thread.
    public static func hide() {
        for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) }
    }
}

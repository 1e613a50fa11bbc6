public import Sensing

/// What a board can be asked to do from afar, in whatever protocol it was said.
public enum RemoteCommand: Sendable, Hashable {
    /// Read a sensor now; nil: all of them. Its readings are reported as ever, and are the answer too.
    case read(sensor: String?)
    /// Set an output.
    case set(sensor: String, channel: String?, value: Reading.Value)
    /// Read a sensor so often from now on; nil: as the configuration says.
    case interval(sensor: String, every: Duration?)
    /// Correct a sensor from now on: the value that it shows now is to become this one; nil: as the configuration says.
    case calibrate(sensor: String, channel: String?, to: Double?)
    case acknowledge(alarm: String, by: String?)
    case status
    case reload
    /// Run one of the programs that the configuration names.
    case run(program: String, arguments: [String])

    /// As configurations and topics name it.
    public var name: Name {
        switch self {
        case .read: .read
        case .set: .set
        case .interval: .interval
        case .calibrate: .calibrate
        case .acknowledge: .acknowledge
        case .status: .status
        case .reload: .reload
        case .run: .run
        }
    }

    public enum Name: String, Sendable, Hashable, CaseIterable {
        case read, set, interval, calibrate, acknowledge, status, reload, run
    }
}

/// Why a command was not done.
public struct CommandError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// What was said is no command, or one with wrong arguments.
        case malformed
        /// The configuration does not allow it.
        case forbidden
        /// There is no such sensor, alarm or program.
        case unknown
        /// It was tried, and failed.
        case failed
        /// It took longer than it may, or came too late.
        case timedOut = "timed out"
        /// Too many are under way.
        case busy
    }

    public var kind: Kind
    /// What is wrong, and what can be done about it.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    public var description: String { message }
}

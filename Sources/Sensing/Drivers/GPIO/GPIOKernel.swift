#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What the driver asks of the kernel: one system call each, as the character device takes them.
///
/// ``CharacterDevices`` asks the kernel itself, a test asks a model of it.
protocol GPIOKernel: Sendable {
    /// The chips' devices, "/dev/gpiochip0" first; links among them.
    func chipPaths() -> [String]
    /// The name of a chip's device, ``GPIOChip/device``.
    func device(ofChip name: String) -> String?

    func openChip(_ path: String) throws(SystemFault) -> Int32
    /// Closes a chip's or a line's descriptor.
    func release(_ descriptor: Int32)

    /// - Parameter path: what the descriptor was opened with.
    func chip(_ descriptor: Int32, at path: String) throws(SystemFault) -> GPIOChip
    /// Asking changes nothing, whoever has the line.
    func line(_ offset: UInt32, ofChip descriptor: Int32) throws(SystemFault) -> GPIOLine
    /// - Returns: a descriptor that holds the line until it is closed, and does not block.
    func request(_ request: LineRequest, ofChip descriptor: Int32) throws(SystemFault) -> Int32

    func level(_ line: Int32) throws(SystemFault) -> Bool
    func set(_ line: Int32, to level: Bool) throws(SystemFault)
    /// The next edges, oldest first; none if there is none now.
    func events(_ line: Int32) throws(SystemFault) -> [LineEvent]
    /// Waits until the descriptor is readable, or so many milliseconds are over.
    func wait(for descriptor: Int32, milliseconds: Int32)

    /// The clock that edges are stamped with, CLOCK_MONOTONIC, in nanoseconds.
    var monotonicNow: UInt64 { get }
}

extension GPIOKernel {
    /// A call that a signal interrupted is made again.
    func retrying<Result>(_ call: () throws(SystemFault) -> Result) throws(SystemFault) -> Result {
        while true {
            do throws(SystemFault) {
                return try call()
            } catch {
                guard error.code == EINTR else { throw error }
            }
        }
    }
}

/// A system call failed.
struct SystemFault: Error, Hashable {
    /// `errno`.
    var code: Int32
}

/// What a line is asked for with.
struct LineRequest: Sendable, Hashable {
    /// The kernel gives no more (GPIO_V2_LINES_MAX * 16), and asked for less would lose more.
    static let eventBufferSize: UInt32 = 1024
    /// Without its NUL.
    static let consumerLimit = 31

    var offset: UInt32
    /// At most ``consumerLimit`` bytes; the kernel shows it to whoever asks for the line.
    var consumer: String
    var flags: LineFlags
    /// In microseconds.
    var debounce: UInt32?
    /// An output's first level.
    var output: Bool?
}

/// `enum gpio_v2_line_flag` of <linux/gpio.h>.
struct LineFlags: OptionSet, Sendable, Hashable {
    let rawValue: UInt64

    static let used = LineFlags(rawValue: 1 << 0)
    static let activeLow = LineFlags(rawValue: 1 << 1)
    static let input = LineFlags(rawValue: 1 << 2)
    static let output = LineFlags(rawValue: 1 << 3)
    static let rising = LineFlags(rawValue: 1 << 4)
    static let falling = LineFlags(rawValue: 1 << 5)
    static let openDrain = LineFlags(rawValue: 1 << 6)
    static let openSource = LineFlags(rawValue: 1 << 7)
    static let pullUp = LineFlags(rawValue: 1 << 8)
    static let pullDown = LineFlags(rawValue: 1 << 9)
    static let biasDisabled = LineFlags(rawValue: 1 << 10)
}

extension LineFlags {
    init(_ bias: GPIOLine.Bias) {
        self =
            switch bias {
            case .asIs: []
            case .pullUp: .pullUp
            case .pullDown: .pullDown
            case .disabled: .biasDisabled
            }
    }

    init(_ drive: GPIOLine.Drive) {
        self =
            switch drive {
            case .pushPull: []
            case .openDrain: .openDrain
            case .openSource: .openSource
            }
    }

    init(_ edges: GPIOLine.Edges?) {
        self =
            switch edges {
            case nil: []
            case .rising: .rising
            case .falling: .falling
            case .both: [.rising, .falling]
            }
    }
}

extension GPIOLine {
    /// - Parameter debounce: in microseconds.
    init(offset: UInt32, name: String, consumer: String, flags: LineFlags, debounce: UInt32?) {
        self.init(
            offset: offset, name: name.isEmpty ? nil : name, isUsed: flags.contains(.used),
            consumer: consumer.isEmpty ? nil : consumer, direction: flags.contains(.output) ? .output : .input,
            isActiveLow: flags.contains(.activeLow),
            bias: flags.contains(.pullUp)
                ? .pullUp : flags.contains(.pullDown) ? .pullDown : flags.contains(.biasDisabled) ? .disabled : .asIs,
            drive: flags.contains(.openDrain) ? .openDrain : flags.contains(.openSource) ? .openSource : .pushPull,
            edges: flags.isSuperset(of: [.rising, .falling])
                ? .both : flags.contains(.rising) ? .rising : flags.contains(.falling) ? .falling : nil,
            debounce: debounce.flatMap { $0 > 0 ? .microseconds(Int64($0)) : nil })
    }
}

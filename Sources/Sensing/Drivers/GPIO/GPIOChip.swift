/// A GPIO chip as the kernel shows it.
public struct GPIOChip: Sendable, Hashable {
    /// "/dev/gpiochip0".
    public var path: String
    /// "gpiochip0". Its number may be another one after a restart, and with another kernel.
    public var name: String
    /// "pinctrl-bcm2711": the same on all boards of a kind; empty if its driver gives none.
    public var label: String
    /// The last part of its device's path in sysfs, "fe200000.gpio" or "1-0020": which of several chips of one label.
    public var device: String?
    /// Its lines' offsets are 0 and up to this, exclusive.
    public var lineCount: UInt32

    public init(path: String, name: String, label: String, device: String? = nil, lineCount: UInt32) {
        self.path = path
        self.name = name
        self.label = label
        self.device = device
        self.lineCount = lineCount
    }
}

/// A line of a chip, and what it is used for at present.
public struct GPIOLine: Sendable, Hashable {
    public enum Direction: String, Sendable, CaseIterable { case input, output }

    public enum Bias: String, Sendable, CaseIterable {
        case asIs = "as-is"
        case pullUp = "pull-up"
        case pullDown = "pull-down"
        case disabled
    }

    public enum Drive: String, Sendable, CaseIterable {
        case pushPull = "push-pull"
        case openDrain = "open-drain"
        case openSource = "open-source"
    }

    public enum Edges: String, Sendable, CaseIterable { case rising, falling, both }

    public var offset: UInt32
    /// As the board's device tree calls it: "GPIO17".
    public var name: String?
    /// It cannot be had: the kernel or a program has it, or its pin does something else.
    public var isUsed: Bool
    /// What the one who has it calls himself; nil also if he does not say.
    public var consumer: String?
    public var direction: Direction
    public var isActiveLow: Bool
    public var bias: Bias
    /// Of an output.
    public var drive: Drive
    /// The edges that the one who has it listens to.
    public var edges: Edges?
    public var debounce: Duration?

    public init(
        offset: UInt32, name: String? = nil, isUsed: Bool = false, consumer: String? = nil,
        direction: Direction = .input, isActiveLow: Bool = false, bias: Bias = .asIs, drive: Drive = .pushPull,
        edges: Edges? = nil, debounce: Duration? = nil
    ) {
        self.offset = offset
        self.name = name
        self.isUsed = isUsed
        self.consumer = consumer
        self.direction = direction
        self.isActiveLow = isActiveLow
        self.bias = bias
        self.drive = drive
        self.edges = edges
        self.debounce = debounce
    }
}

/// Where a driver finds itself.
public struct DriverContext: Sendable {
    /// The name of the sensor that the driver serves.
    public var sensor: String
    /// Takes a line for the log about something that is no failure of the sensor, such as what a plugin says on its
    /// standard error. Drivers bound what they say.
    public var log: @Sendable (String) -> Void
    /// The folder that holds `sys`, `proc` and `etc`: "/" on a board, a fake tree in a test. No slash at its end.
    private let root: String

    public init(sensor: String, root: String = "/", log: @escaping @Sendable (String) -> Void = { _ in }) {
        self.sensor = sensor
        self.log = log
        var root = root[...]
        while root.last == "/" { root.removeLast() }
        self.root = String(root)
    }

    /// An absolute path on the board, as a path that can be opened.
    public func path(_ path: String) -> String { root + path }

    /// The paths under the root that match a pattern, sorted.
    func matches(_ pattern: String) -> [String] { KernelFolder.matches(pattern, under: root) }
}

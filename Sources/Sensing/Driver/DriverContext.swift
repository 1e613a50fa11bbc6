/// Where a driver finds itself.
public struct DriverContext: Sendable {
    /// The name of the sensor that the driver serves.
    public var sensor: String
    /// The folder that holds `sys`, `proc` and `etc`: "/" on a board, a fake tree in a test. No slash at its end.
    private let root: String

    public init(sensor: String, root: String = "/") {
        self.sensor = sensor
        var root = root[...]
        while root.last == "/" { root.removeLast() }
        self.root = String(root)
    }

    /// An absolute path on the board, as a path that can be opened.
    public func path(_ path: String) -> String { root + path }

    /// The paths under the root that match a pattern, sorted.
    func matches(_ pattern: String) -> [String] { KernelFolder.matches(pattern, under: root) }
}

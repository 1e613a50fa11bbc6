public import Sensing

/// The drivers and finders that this program has.
public enum AgentDrivers {
    @TaskLocal private static var added = Added()

    private struct Added: Sendable {
        var drivers: [any SensorDriver.Type] = []
        var finders: [any SensorFinder] = []
    }

    /// Those of the libraries, and what was added.
    public static var registry: DriverRegistry {
        var registry = DriverRegistry.builtIn
        registry.register(MQTTDriver.self)
        for driver in added.drivers { registry.register(driver) }
        return registry
    }

    /// Those of the library, and what was added.
    public static var finders: [any SensorFinder] { SensorDiscovery.builtIn + added.finders }

    /// Adds drivers and finders for as long as `body` runs, and for the tasks that it starts.
    public static func withDrivers<T>(
        _ drivers: [any SensorDriver.Type], finders: [any SensorFinder] = [], _ body: () throws -> T
    ) rethrows -> T {
        let all = Added(drivers: added.drivers + drivers, finders: added.finders + finders)
        return try $added.withValue(all, operation: body)
    }
}

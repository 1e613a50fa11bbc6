public import Settings

/// The drivers that a configuration may name.
public struct DriverRegistry: Sendable {
    private var drivers: [String: any SensorDriver.Type] = [:]

    public init() {}

    /// The drivers of this library.
    public static var builtIn: DriverRegistry {
        var registry = DriverRegistry()
        registry.register(DiskDriver.self)
        registry.register(ExecDriver.self)
        registry.register(FileDriver.self)
        registry.register(HwmonDriver.self)
        registry.register(IIODriver.self)
        registry.register(LEDDriver.self)
        registry.register(NetDriver.self)
        registry.register(PluginDriver.self)
        registry.register(PowerSupplyDriver.self)
        registry.register(PWMDriver.self)
        registry.register(RTCDriver.self)
        registry.register(SimulatedDriver.self)
        registry.register(SystemDriver.self)
        registry.register(ThermalDriver.self)
        registry.register(W1Driver.self)
        return registry
    }

    /// Adds a driver; one of the same name gives way.
    public mutating func register(_ driver: any SensorDriver.Type) { drivers[driver.name] = driver }

    public var names: [String] { drivers.keys.sorted() }

    public subscript(name: String) -> (any SensorDriver.Type)? { drivers[name] }

    /// The driver that `settings` name under `driver`, with its options. Nil after a problem.
    public func driver(_ settings: SettingsReader, context: DriverContext) -> (any SensorDriver)? {
        settings.require("driver", mend: "possible are \(names.joined(separator: ", "))")
        guard let name = settings.string("driver") else {
            settings.ignoreUnknownKeys()
            return nil
        }
        guard let type = drivers[name] else {
            settings.problem(at: "driver", message: "\"\(name)\" is no driver", mend: names.suggestion(for: name))
            settings.ignoreUnknownKeys()
            return nil
        }
        return type.init(settings, context: context)
    }
}

internal import Units

// Per cent of what? Platforms want to know, and only the names of sensors and channels tell.
extension String {
    /// Whether a name in small letters is one of a relative humidity.
    var isHumidity: Bool { includes("humid") }

    /// Whether a name in small letters is one of a battery's charge; "capacity" is the kernel's word (power_supply).
    var isBatteryCharge: Bool { includes("battery") || self == "capacity" }
}

extension String {
    /// Whether a name in small letters is one of a concentration of carbon dioxide.
    var isCarbonDioxide: Bool { includes("co2") }
}

public import Settings
internal import Units

/// How one sensor is shown, where what its readings tell is not enough: the table `[sensor.homeassistant]`.
///
///     [sensor.homeassistant]
///     name = "Bin"                      # default: from the sensor's and the channel's name
///     device_class = "moisture"         # default: from the unit; left out where the unit does not belong to it
///     state_class = "total"             # measurement, total, total_increasing; default: from the device class
///     icon = "mdi:trash-can"
///     entity_category = "diagnostic"    # or "config" (outputs), or "none"; default: diagnostic for the board's own
///     enabled = false                   # whether it is enabled when it is new
///     hidden = true                     # not shown at all, and taken away if it was
///     expire_after = "1h"               # default: three intervals, at least a minute; none for what speaks for itself
///     value_template = "{{ value }}"    # how to read payloads of a format of your own
///     min = 0                           # of an output that is a number; default 0 to 100 in steps of 0.1
///     max = 20
///     step = 0.5
public struct HomeAssistantEntity: Sendable, Hashable {
    public enum Category: String, Sendable, Hashable, CaseIterable {
        case diagnostic, config, none
    }

    public var name: String?
    public var deviceClass: String?
    public var stateClass: String?
    public var icon: String?
    public var category: Category?
    public var isEnabled: Bool?
    public var isHidden = false
    public var expiresAfter: Duration?
    public var valueTemplate: String?
    public var minimum = 0.0
    public var maximum = 100.0
    public var step = 0.1

    public init() {}

    public init(_ settings: SettingsReader) {
        name = settings.string("name")
        deviceClass = settings.parsed("device_class", Self.deviceClass)
        stateClass = settings.choice("state_class", of: DeviceClass.StateClass.self)?.rawValue
        icon = settings.parsed("icon", Self.icon)
        category = settings.choice("entity_category", of: Category.self)
        isEnabled = settings.boolean("enabled")
        isHidden = settings.boolean("hidden") ?? false
        expiresAfter = settings.duration("expire_after", in: .seconds(1)...)
        valueTemplate = settings.string("value_template")
        minimum = settings.number("min") ?? minimum
        maximum = settings.number("max") ?? maximum
        step = settings.number("step", in: 0.001...) ?? step
        if minimum >= maximum {
            settings.problem(
                at: settings.has("max") ? "max" : "min",
                message: "\(JSON.text(of: maximum)) is not above the least value, \(JSON.text(of: minimum))",
                mend: "set min and max so that there is something between them")
        }
    }

    private static func deviceClass(_ text: String) throws(InvalidText) -> String {
        let all = DeviceClass.ofBooleans.union(DeviceClass.known.keys).union(DeviceClass.ofSwitches)
        guard all.contains(text) else {
            throw InvalidText("\"\(text)\" is no device class", mend: all.sorted().suggestion(for: text))
        }
        return text
    }

    private static func icon(_ text: String) throws(InvalidText) -> String {
        guard let colon = text.firstIndex(of: ":"), colon > text.startIndex, text.index(after: colon) < text.endIndex
        else {
            throw InvalidText("\"\(text)\" is no icon", mend: #"write it with its collection, as in "mdi:trash-can""#)
        }
        return text
    }
}

public import Settings
internal import Units

/// What Home Assistant is told of a board as a whole: keys of an uplink's table.
///
///     discovery_prefix = "homeassistant"   # the default, as Home Assistant's own
///     birth_topic = "homeassistant/status" # the default: where Home Assistant tells that it has started
///     device_name = "Cold store"           # default: its id
///     model = "Raspberry Pi 4"             # default: "Fieldpost board"
///     manufacturer = "Raspberry Pi"        # default: "Fieldpost"
///     area = "Cellar"                      # suggested when the device is new
///     expire = false                       # default true: what has not come for three intervals is shown as unavailable
///     diagnostics = false                  # default true: entities of the board itself are enabled from the start
public struct HomeAssistantSettings: Sendable, Hashable {
    public var discoveryPrefix = "homeassistant"
    public var birthTopic = "homeassistant/status"
    public var name: String?
    public var model = "Fieldpost board"
    public var manufacturer = "Fieldpost"
    public var area: String?
    public var expires = true
    public var enablesDiagnostics = true

    public init() {}

    /// - Returns: nil after a problem.
    public init?(_ settings: SettingsReader) {
        let prefix = settings.parsed("discovery_prefix", Self.topic)
        let birth = settings.parsed("birth_topic", Self.topic)
        name = settings.string("device_name")
        model = settings.string("model") ?? model
        manufacturer = settings.string("manufacturer") ?? manufacturer
        area = settings.string("area")
        expires = settings.boolean("expire") ?? expires
        enablesDiagnostics = settings.boolean("diagnostics") ?? enablesDiagnostics
        guard settings.has("discovery_prefix") == (prefix != nil), settings.has("birth_topic") == (birth != nil) else {
            return nil
        }
        discoveryPrefix = prefix ?? discoveryPrefix
        birthTopic = birth ?? birthTopic
    }

    private static func topic(_ text: String) throws(InvalidText) -> String {
        _ = try TopicTemplate(parsing: text, allowed: [])
        guard text.utf8.first != UInt8(ascii: "/"), text.utf8.last != UInt8(ascii: "/") else {
            throw InvalidText("\"\(text)\" begins or ends with a slash", mend: "leave it out, as in \"homeassistant\"")
        }
        return text
    }
}

public import Settings

/// The sensor drivers that a configuration may name, and how they read their own settings.
public protocol DriverCatalog {
    /// What `driver = "…"` may say.
    var names: [String] { get }

    /// The driver called `name` (one of ``names``), set up from its sensor's table, in which its own settings stand
    /// beside those of every sensor.
    /// - Returns: nil if the settings are wrong, which `settings` has then been told.
    func driver(named name: String, settings: SettingsReader) -> (any Sendable)?
}

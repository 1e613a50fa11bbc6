internal import Settings

/// Which of a driver's channels a sensor wants: `channel = "…"`, `channel = ["…", "…"]`, or all.
///
/// One channel that is asked for by its name is the sensor's value, without a channel; several keep their names.
struct ChannelChoice: Sendable {
    /// Nil for all.
    private(set) var names: [String]?

    /// - Parameter known: all there can be, where that is known without the device; other names are refused.
    init(_ settings: SettingsReader, among known: [String]? = nil) {
        names = settings.strings("channel")
        guard let names else { return }
        if names.isEmpty { settings.problem(at: "channel", message: "is empty", mend: "leave it out for all channels") }
        for (index, name) in names.enumerated() {
            if names[..<index].contains(name) {
                settings.problem(at: "channel", message: "\"\(name)\" stands there twice", mend: "keep it once")
            }
            if let known, !known.contains(name) {
                settings.problem(
                    at: "channel", message: "\"\(name)\" is no channel", mend: known.suggestion(for: name))
            }
        }
    }

    /// The word with which a channel is asked for by its name, or by another one that it has; nil if it is not.
    func word(for name: String, _ other: String? = nil) -> String? {
        guard let names else { return name }
        return names.first { $0 == name } ?? names.first { $0 == other }
    }

    /// Whether a channel was asked for, or all were.
    func wants(_ name: String) -> Bool { names?.contains(name) ?? true }
}

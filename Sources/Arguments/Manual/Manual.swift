/// What a program's manual page says besides its commands.
public struct Manual: Sendable {
    /// A name and what there is to say about it.
    public struct Entry: Sendable {
        let name: String
        let text: String

        public init(_ name: String, _ text: String) {
            self.name = name
            self.text = text
        }
    }

    /// When the page changed last, as in 2026-11-21.
    public var date: String
    public var exitCodes: [Entry]
    public var environment: [Entry]
    public var files: [Entry]
    /// Other pages, as in mosquitto_pub(1).
    public var seeAlso: [String]

    public init(
        date: String = "", exitCodes: [Entry] = [], environment: [Entry] = [], files: [Entry] = [],
        seeAlso: [String] = []
    ) {
        self.date = date
        self.exitCodes = exitCodes
        self.environment = environment
        self.files = files
        self.seeAlso = seeAlso
    }
}

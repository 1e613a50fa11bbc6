/// What `fieldpost setup` is told on its command line; what is nil is asked for.
public struct SetupOptions: Sendable {
    /// Where the configuration goes. Default: `/etc/fieldpost/fieldpost.toml` for root, else `fieldpost.toml` here.
    public var file: String?
    /// A URL, or "none" for a broker of the board's own.
    public var broker: String?
    /// The board's name in topics.
    public var device: String?
    /// Empty: none.
    public var username: String?
    /// The file that the password stands in; "-": the first line of standard input.
    public var passwordFile: String?
    /// Whom to trust. Empty: the system's store.
    public var caFile: String?
    /// "all", "none", or names with commas between them.
    public var sensors: String?
    /// Asks nothing: what was not given is as it is by default.
    public var isQuiet = false
    /// Replaces a configuration that is there; it stays beside the new one as `.bak`.
    public var force = false
    /// Whether the broker is connected to before anything is written.
    public var tests = true

    public init() {}
}

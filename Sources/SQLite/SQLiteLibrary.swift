internal import CSQLite

/// The SQLite that this program is linked with.
public enum SQLiteLibrary {
    /// As in "3.46.1".
    public static var version: String { String(cString: sqlite3_libversion()) }
}

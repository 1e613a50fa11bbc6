/// Which file a database is in: the one that was named, or `{file}.format-{ours}` beside it, a stand-in, while the named one
/// is a newer program's that this one does not know.
///
/// A board that went back to its earlier program must not be dark for it. The newer program's file stays as it is, and
/// when that program is back it takes over what the stand-in holds.
package struct DatabasePlace: Sendable, Hashable {
    /// The file to be used.
    package let file: String
    /// What the named file says of itself, if it is not to be touched.
    package let newer: DatabaseVersion?
    /// What other programs have begun beside the named file, and this one can read; the newest format first.
    package let standIns: [String]

    /// As it is named.
    package init(usual path: String) {
        file = path
        newer = nil
        standIns = []
    }

    /// Looks, and touches nothing.
    package init(finding path: String, format: DatabaseFormat) {
        var newer: DatabaseVersion?
        do {
            if let header = DatabaseHeader(path: path) { _ = try format.check(header) }
        } catch .newer(let version) {
            newer = version
        } catch {
            // Whoever opens it is told so.
        }
        let file = newer == nil ? path : "\(path).\(Self.kind)-\(format.schema)"
        self.newer = newer
        self.file = file
        standIns = DatabaseFile.numbered(path, Self.kind).map(\.path).filter { candidate in
            guard candidate != file else { return false }
            guard let header = DatabaseHeader(path: candidate) else { return true }
            return (try? format.check(header)) != nil
        }
    }

    private static let kind = "format"
}

/// What a database says of its format, in `PRAGMA user_version`.
///
/// A board may go back to the program that it had before (A/B images, a package that is downgraded), so a file tells two
/// things: which format it is laid out in, and the oldest format whose programs can use it all the same. A change that
/// older programs need not know of (a table, an index, a row in `meta`) raises the first number only: they go on with the
/// file and leave alone what they do not know; the newer program must bear that they did. Any other change raises both,
/// a further column among them, since programs insert whole rows.
///
/// The number in the file is `readableFrom * 1000 + written`, or the one number where both are the same.
package struct DatabaseVersion: Sendable, Hashable {
    /// The format that the file is laid out in, from 1.
    package var written: Int64
    /// The oldest format whose programs can use it.
    package var readableFrom: Int64

    package init(written: Int64, readableFrom: Int64) {
        self.written = written
        self.readableFrom = readableFrom
    }

    /// Whatever the number is, it comes out as a format from 1 that is readable from no later one.
    package init(userVersion: Int64) {
        let readableFrom = max(1, userVersion < 1000 ? userVersion : userVersion / 1000)
        self.init(written: max(readableFrom, userVersion % 1000), readableFrom: readableFrom)
    }

    package var userVersion: Int64 { written == readableFrom ? written : readableFrom * 1000 + written }
}

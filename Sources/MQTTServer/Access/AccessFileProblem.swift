/// Something in a password file or an ACL file that its owner should look at.
public struct AccessFileProblem: Sendable, Hashable {
    /// The file.
    public var path: String
    /// Counted from 1; nil if it concerns the file itself.
    public var line: Int?
    /// What is wrong; never a password or its hash.
    public var message: String
    /// What to do about it.
    public var mend: String?
}

extension AccessFileProblem: CustomStringConvertible {
    /// As compilers print theirs: `/etc/fieldpost/acl:3: "tropic" is none of …: write …`.
    public var description: String {
        let place = line.map { ":\($0)" } ?? ""
        let text = "\(path)\(place): \(message)\(mend.map { ": \($0)" } ?? "")"
        // What the file says is repeated here, and is not to move a terminal's cursor.
        return text.unicodeScalars.reduce(into: "") { line, scalar in
            line += scalar.properties.generalCategory == .control ? scalar.escaped(asASCII: true) : String(scalar)
        }
    }
}

/// Reads a password file, and collects what is wrong with it.
struct PasswordFileReader {
    var findings: AccessFileFindings
    private(set) var entries: [[UInt8]: (line: Int, hash: PasswordHash)] = [:]
    private var plainText: [(line: Int, user: String)] = []
    private var hasHashes = false

    private let userLimit: Int

    init(path: String, userLimit: Int = PasswordFile.userLimit) {
        findings = AccessFileFindings(path: path)
        self.userLimit = userLimit
    }

    mutating func read(_ bytes: [UInt8]) {
        if bytes.count > AccessFileText.limit {
            return findings.error(line: nil, "is larger than \(AccessFileText.limit) bytes")
        }
        for (number, line) in AccessFileLines(bytes) where !line.isEmpty && line.first != UInt8(ascii: "#") {
            read(line, number)
            if entries.count > userLimit {
                findings.error(line: number, "is one user more than the \(userLimit) that are possible")
                break
            }
        }
        for (line, user) in plainText {
            // The tool takes hashes for passwords and hashes them again.
            let mend =
                hasHashes
                ? "set it anew with: mosquitto_passwd \(findings.path) \"\(user)\""
                : "mosquitto_passwd -U \(findings.path)"
            findings.error(line: line, "the password of \"\(user)\" is in plain text", mend: mend)
        }
    }

    private mutating func read(_ line: ArraySlice<UInt8>, _ number: Int) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            return findings.error(
                line: number, "has no colon between a user and a hash",
                mend: "write # as the first character of a comment, or let mosquitto_passwd add the user")
        }
        let name = line[..<colon].withoutOuterSpace
        if name.isEmpty { return findings.error(line: number, "names no user before the colon") }
        if name.count > Int(UInt16.max) { return findings.error(line: number, "the user's name is over 65,535 bytes") }
        guard let user = String(validating: name, as: UTF8.self), !name.contains(0) else {
            return findings.error(line: number, "the user's name is not UTF-8, which MQTT demands")
        }
        let text = line[(colon + 1)...].withoutOuterSpace
        let anew = "set it anew with: mosquitto_passwd \(findings.path) \"\(user)\""
        if text.isEmpty { return findings.error(line: number, "\"\(user)\" has no password", mend: anew) }
        do {
            let hash = try PasswordHash(parsing: text)
            hasHashes = true
            if let earlier = entries.updateValue((number, hash), forKey: Array(name)) {
                findings.warning(
                    line: number, "\"\(user)\" stands in line \(earlier.line) already; this line counts",
                    mend: "remove one of them")
            }
        } catch .plainText {
            if plainText.count < AccessFileError.limit { plainText.append((number, user)) }
        } catch {
            hasHashes = true
            findings.error(line: number, "the password hash of \"\(user)\" \(error.description)", mend: anew)
        }
    }
}

extension PasswordHash.Flaw {
    fileprivate var description: String {
        switch self {
        case .plainText: "is plain text"
        case .unknownMethod: "is neither $6$ (SHA-512) nor $7$ (PBKDF2)"
        case .wrongNumberOfFields: "has not the form $6$salt$key or $7$iterations$salt$key"
        case .iterations: "has not 1 to 10,000,000 iterations"
        case .salt: "has a salt that is empty or no Base64"
        case .key: "has a key that is not 64 bytes in Base64"
        }
    }
}

internal import Units

extension SettingsReader {
    /// What stands under `key`, or in the file that `{key}_file` names: `password` or `password_file`, but not both.
    ///
    /// A newline at the file's end does not count; 65,536 bytes at most. That other users may read the file is worth a
    /// warning. A relative name is relative to the configuration's directory. What only the service can see, or nobody
    /// wants to see (``secrets``), has a stand-in.
    public func secret(_ key: String) -> Secret? {
        let fileKey = "\(key)_file"
        if secrets == .ignored { return has(key) || has(fileKey) ? SecretAccess.standIn : nil }
        let literal = string(key)
        let path = string(fileKey)
        if has(key), has(fileKey) {
            problem(at: fileKey, message: "stands beside \"\(key)\"", mend: "keep one of them")
            return nil
        }
        if let literal { return Secret(literal.utf8) }
        guard let path else { return nil }
        return secret(inFile: path.hasPrefix("/") ? path : "\(directory)/\(path)", fileKey)
    }

    private func secret(inFile path: String, _ key: String) -> Secret? {
        do {
            let file = try SmallFile(path: path, limit: 65_536)
            if file.isPublic { warning(at: key, message: "every user can read \(path)", mend: "chmod o-r \(path)") }
            var secret = file.bytes[...]
            if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
            if secret.last == UInt8(ascii: "\r") { secret.removeLast() }
            if !secret.isEmpty { return Secret(secret) }
            problem(at: key, message: "\(path) is empty")
        } catch {
            if secrets == .checked, let hidden = SecretAccess.hidden(path) {
                warning(at: key, message: hidden.message, mend: hidden.mend)
                return SecretAccess.standIn
            }
            let isCredential = environment["CREDENTIALS_DIRECTORY"].map { path.hasPrefix("\($0)/") } ?? false
            problem(
                at: key, message: error.message,
                mend: isCredential ? SecretAccess.credentialMend(path) : error.mend)
        }
        return nil
    }
}

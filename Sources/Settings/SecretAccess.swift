#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// How somebody who reads a configuration stands to the secrets that it names in files.
public enum SecretAccess: Sendable, Hashable {
    /// They are used: one that cannot be read is an error.
    case needed
    /// They are looked at where that is possible: one that only the service itself can see is worth a warning.
    case checked
    /// There is no use for them, and nobody looks at them.
    case ignored

    /// In the place of a secret that was not looked at; good for a key in hexadecimal too.
    static var standIn: Secret { Secret("00".utf8) }

    /// A file that this user cannot see, though the service may: systemd shows credentials to their service alone, and
    /// other secrets are its user's.
    ///
    /// - Returns: what is to be told of it; nil if it can be read, or is simply not there.
    package static func hidden(_ path: String) -> (message: String, mend: String)? {
        guard access(path, R_OK) != 0 else { return nil }
        switch errno {
        case EACCES:
            return ("not looked at: \(path) may not be read by this user", "check as root, or as the service's user")
        case ENOENT, ENOTDIR:
            guard path.hasPrefix("/run/credentials/") else { return nil }
            return ("not looked at: \(path) is there only while the service runs", credentialMend(path))
        default: return nil
        }
    }

    /// For a file in systemd's folder of credentials.
    static func credentialMend(_ path: String) -> String {
        "its unit must say LoadCredential=\(path.split(separator: "/").last ?? "NAME"):FILE"
    }
}

internal import COpenSSL

/// The OpenSSL that this program runs with.
public enum OpenSSLLibrary {
    /// As in "3.5.4".
    public static var version: String {
        OpenSSL_version(OPENSSL_VERSION_STRING).map { String(cString: $0) } ?? "unknown"
    }
}

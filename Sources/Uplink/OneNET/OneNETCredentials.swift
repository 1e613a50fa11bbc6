internal import COpenSSL
public import Settings
public import Units

/// Who a device is on OneNET, and how it proves that: by a token that is signed with its key, for a while.
public struct OneNETCredentials: Sendable, Hashable {
    /// With which hash the token is signed.
    public enum Method: String, Sendable, Hashable, CaseIterable {
        case md5, sha1, sha256
    }

    /// The product's id.
    public var product: String
    /// The device's name in that product.
    public var device: String
    /// The device's access key, or the product's, in Base64 as the console shows it.
    public var key: Secret
    public var method: Method
    /// How long a token is good for.
    public var lifetime: Duration

    public init(
        product: String, device: String, key: Secret, method: Method = .sha256, lifetime: Duration = .seconds(86_400)
    ) {
        self.product = product
        self.device = device
        self.key = key
        self.method = method
        self.lifetime = lifetime
    }

    /// A token that is good for ``lifetime`` from now on.
    ///
    /// - Throws: ``OneNETTokenError``; from a clock that was never set no token is signed, since it would have expired
    ///   long ago.
    public func token(at now: Timestamp) throws(OneNETTokenError) -> String {
        guard now.isPlausible else { throw .clockNotSet(now) }
        return try token(expiring: (now + lifetime).milliseconds / 1000)
    }

    /// - Parameter expiry: seconds since 1970.
    func token(expiring expiry: Int64) throws(OneNETTokenError) -> String {
        let version = "2018-10-31"
        let resource = "products/\(product)/devices/\(device)"
        guard let key = OneNETText.bytes(base64: key.bytes), !key.isEmpty else { throw .keyNotBase64 }
        let text = "\(expiry)\n\(method.rawValue)\n\(resource)\n\(version)"
        guard let code = Self.authenticationCode(of: Array(text.utf8), method, key) else { throw .notSigned(method) }
        let signature = OneNETText.percentEncoded(OneNETText.base64(code))
        return "version=\(version)&res=\(OneNETText.percentEncoded(resource))&et=\(expiry)"
            + "&method=\(method.rawValue)&sign=\(signature)"
    }

    /// HMAC (RFC 2104); nil when OpenSSL does not do it: a policy may forbid MD5 or SHA-1.
    private static func authenticationCode(of text: [UInt8], _ method: Method, _ key: [UInt8]) -> [UInt8]? {
        var code = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count = 0
        let room = code.count
        guard
            EVP_Q_mac(
                nil, "HMAC", nil, method.rawValue.uppercased(), nil, key, key.count, text, text.count, &code, room,
                &count) != nil, count <= room
        else { return nil }
        return Array(code.prefix(count))
    }
}

/// Why there is no token.
public enum OneNETTokenError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The board does not know the time yet: to be tried again when it does.
    case clockNotSet(Timestamp)
    case keyNotBase64
    case notSigned(OneNETCredentials.Method)

    public var description: String {
        switch self {
        case .clockNotSet(let time):
            "no OneNET token can be signed: the clock shows \(time.iso8601), so it was never set; wait for NTP or set it"
        case .keyNotBase64: "the OneNET key is not Base64; copy it from the device's page in the console"
        case .notSigned(let method): "OpenSSL does not sign with HMAC-\(method.rawValue); choose another method"
        }
    }
}

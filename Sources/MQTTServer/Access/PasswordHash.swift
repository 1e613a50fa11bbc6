internal import COpenSSL

/// What a password file keeps of a password, in the forms of `mosquitto_passwd`: `$6$salt$key` and
/// `$7$iterations$salt$key`, salt and key in Base64.
struct PasswordHash: Sendable, Hashable {
    enum Method: Sendable, Hashable {
        /// `$6$`: SHA-512 over the password and the salt.
        case sha512
        /// `$7$`: PBKDF2 with HMAC-SHA-512 (RFC 8018 §5.2).
        case pbkdf2(iterations: Int32)
    }

    /// More would keep the broker busy for seconds each time somebody connects.
    static let iterations = 1...10_000_000
    /// What SHA-512 gives, and what Mosquitto asks of PBKDF2.
    static let keyLength = 64

    var method: Method
    var salt: [UInt8]
    var key: [UInt8]

    /// Takes as long for a wrong password as for the right one.
    func verify(_ password: UnsafeRawBufferPointer) -> Bool {
        guard let derived = Self.derive(method, password: password, salt: salt), derived.count == key.count else {
            return false
        }
        return CRYPTO_memcmp(derived, key, key.count) == 0
    }

    /// Nil when OpenSSL does not do it, for lack of memory or because its configuration leaves SHA-512 out.
    static func derive(_ method: Method, password: UnsafeRawBufferPointer, salt: [UInt8]) -> [UInt8]? {
        var key = [UInt8](repeating: 0, count: keyLength)
        let done =
            switch method {
            case .sha512: EVP_Digest(Array(password) + salt, password.count + salt.count, &key, nil, EVP_sha512(), nil)
            case .pbkdf2(let iterations):
                PKCS5_PBKDF2_HMAC(
                    password.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(password.count), salt,
                    Int32(salt.count), iterations, EVP_sha512(), Int32(keyLength), &key)
            }
        return done == 1 ? key : nil
    }
}

extension PasswordHash: CustomStringConvertible {
    var description: String {
        let method =
            switch method {
            case .sha512: "6"
            case .pbkdf2(let iterations): "7$\(iterations)"
            }
        return "$\(method)$\(Base64.encode(salt))$\(Base64.encode(key))"
    }
}

extension PasswordHash {
    /// What is wrong with a hash. No case tells anything of it.
    enum Flaw: Error, Hashable {
        case plainText
        case unknownMethod
        case wrongNumberOfFields
        case iterations
        case salt
        case key
    }

    init(parsing text: some Collection<UInt8>) throws(Flaw) {
        let fields = text.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard fields.count > 2, fields[0].isEmpty else { throw .plainText }
        switch (String(decoding: fields[1], as: UTF8.self), fields.count) {
        case ("6", 4): method = .sha512
        case ("7", 5):
            guard fields[2].count <= 8, fields[2].allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
                let iterations = Int32(String(decoding: fields[2], as: UTF8.self)),
                Self.iterations.contains(Int(iterations))
            else { throw .iterations }
            method = .pbkdf2(iterations: iterations)
        case ("6", _), ("7", _): throw .wrongNumberOfFields
        default: throw .unknownMethod
        }
        guard let salt = Base64.decode(fields[fields.count - 2]), !salt.isEmpty else { throw .salt }
        guard let key = Base64.decode(fields[fields.count - 1]), key.count == Self.keyLength else { throw .key }
        (self.salt, self.key) = (salt, key)
    }
}

internal import Glibc

/// An authority of the tests' own, in a temporary folder: certificates are made by OpenSSL's command line when they are
/// first asked for.
public actor Authority {
    /// A certificate and its key, as files.
    public struct Leaf: Sendable {
        /// Its path, with what stands between it and the root.
        public var chain: String
        /// The path of its private key.
        public var key: String

        public init(chain: String, key: String) {
            self.chain = chain
            self.key = key
        }
    }

    private static let folder: TemporaryDirectory? = try? TemporaryDirectory()
    private static let shared = Task {
        // Globals are not torn down: the folder has to be removed by hand.
        atexit { Authority.folder.map { Authority.removeFiles(in: $0.path) } }
        guard let folder else { throw ProgramError.missing("a temporary folder") }
        return try await Authority(folder.path)
    }

    /// "CN=Test CA": trusted by who names its `ca.pem`.
    public static func get() async throws -> Authority { try await shared.value }

    /// The folder's path.
    public nonisolated let path: String
    /// The authority's own certificate.
    public nonisolated var root: String { path + "/ca.pem" }
    private let openssl: String
    private var made: [String: Task<Leaf, any Error>] = [:]
    private var last: Task<Void, Never>?

    private init(_ path: String) async throws {
        self.path = path
        openssl = try systemProgram("openssl")
        try Self.write(
            """
            [ca]
            default_ca = it
            [it]
            database = \(path)/index.txt
            new_certs_dir = \(path)
            rand_serial = yes
            default_md = sha256
            default_days = 365
            default_crl_days = 30
            policy = any
            unique_subject = no
            [any]
            commonName = supplied
            """, to: path + "/ca.cnf")
        try Self.write("", to: path + "/index.txt")
        try await run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "\(path)/ca.key")
        try await selfSigned(
            "ca", subject: "/CN=Test CA", key: "\(path)/ca.key", extension: "basicConstraints=critical,CA:true")
    }

    /// Runs the `openssl` command.
    @discardableResult
    public func run(_ arguments: String...) async throws -> [String] {
        let result = try await runProgram(openssl, arguments, directory: path)
        guard result.ending == .exited(0) else {
            throw ProgramError.failed("openssl \(arguments)", result.ending, output: result.errors)
        }
        return result.output
    }

    /// A certificate that nobody vouches for. The same name gives the same one.
    @discardableResult
    public func selfSigned(
        _ name: String, subject: String, key: String? = nil, extension addition: String = "subjectAltName=DNS:localhost"
    ) async throws -> Leaf {
        if let task = made[name] { return try await task.value }
        let task = Task { try await makeSelfSigned(name, subject, key, addition) }
        made[name] = task
        return try await task.value
    }

    private func makeSelfSigned(
        _ name: String, _ subject: String, _ key: String?, _ addition: String
    ) async throws -> Leaf {
        let chain = "\(path)/\(name).pem"
        if key == nil {
            try await run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "\(path)/\(name).key")
        }
        try await run(
            "req", "-x509", "-new", "-key", key ?? "\(path)/\(name).key", "-subj", subject, "-days", "3650", "-out",
            chain, "-addext", addition)
        return Leaf(chain: chain, key: key ?? "\(path)/\(name).key")
    }

    /// A certificate of this authority, or of one of its intermediate ones.
    ///
    /// - Parameters:
    ///   - name: files are named after it; the same name gives the same certificate.
    ///   - from: YYYYMMDD; the day before today where it is not given.
    public func leaf(
        _ name: String, extensions: String = "subjectAltName=DNS:localhost,IP:127.0.0.1", from: String? = nil,
        until: String? = nil, issuer: Leaf? = nil
    ) async throws -> Leaf {
        if let task = made[name] { return try await task.value }
        let task = queue { try await self.make(name, extensions, from, until, issuer) }
        made[name] = task
        return try await task.value
    }

    /// One after the other: the authority's index takes one writer at a time.
    private func queue<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) -> Task<Result, any Error> {
        let previous = last
        let task = Task {
            await previous?.value
            return try await body()
        }
        last = Task { _ = try? await task.value }
        return task
    }

    private func make(
        _ name: String, _ extensions: String, _ from: String?, _ until: String?, _ issuer: Leaf?
    ) async throws -> Leaf {
        let base = "\(path)/\(name)"
        try await run(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key",
            "-subj", "/CN=\(name)", "-out", base + ".csr")
        try Self.write(extensions.split(separator: "\n").joined(separator: "\n") + "\n", to: base + ".ext")
        var arguments = [
            "ca", "-batch", "-config", "\(path)/ca.cnf", "-cert", issuer?.chain ?? root, "-keyfile",
            issuer?.key ?? "\(path)/ca.key", "-in", base + ".csr", "-out", base + ".pem", "-notext", "-extfile",
            base + ".ext",
        ]
        if let from { arguments += ["-startdate", from + "000000Z"] }
        if let until { arguments += ["-enddate", until + "000000Z"] }
        let result = try await runProgram(openssl, arguments)
        guard result.ending == .exited(0) else {
            throw ProgramError.failed("openssl ca", result.ending, output: result.errors)
        }
        return Leaf(chain: base + ".pem", key: base + ".key")
    }

    /// The authority's list of revoked certificates.
    ///
    /// - Parameter revoking: goes onto the list.
    public func revocationList(_ name: String, revoking leaf: Leaf? = nil, options: [String] = []) async throws
        -> String
    {
        try await queue { try await self.makeRevocationList(name, leaf, options) }.value
    }

    private func makeRevocationList(_ name: String, _ leaf: Leaf?, _ options: [String]) async throws -> String {
        let ca = ["ca", "-config", "\(path)/ca.cnf", "-cert", root, "-keyfile", "\(path)/ca.key"]
        if let leaf { _ = try await runProgram(openssl, ca + ["-revoke", leaf.chain]) }
        let file = "\(path)/\(name)"
        let result = try await runProgram(openssl, ca + ["-gencrl", "-out", file] + options)
        guard result.ending == .exited(0) else {
            throw ProgramError.failed("openssl ca -gencrl", result.ending, output: result.errors)
        }
        return file
    }

    /// Writes a file anew.
    public static func write(_ text: String, to path: String) throws {
        guard let file = fopen(path, "we") else { throw ProgramError.missing(path) }
        fputs(text, file)
        fclose(file)
    }

    /// Up to 64 KiB of a file.
    public static func read(_ path: String) throws -> [UInt8] {
        guard let file = fopen(path, "re") else { throw ProgramError.missing(path) }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }

    private static func removeFiles(in path: String) {
        guard let folder = opendir(path) else { return }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            unlink("\(path)/\(name)")
        }
        closedir(folder)
        rmdir(path)
    }
}

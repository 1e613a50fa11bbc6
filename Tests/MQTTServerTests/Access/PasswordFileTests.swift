import Glibc
import NIOCore
import TestSupport
import Testing

@testable import MQTTServer

@Suite struct PasswordFileTests {
    /// What the tool of Mosquitto 2.0.11 made of the password "one".
    static let one = (
        pbkdf2:
            "$7$101$1QDYhQoCj2tm2YB8$vbrLexYj0RpNlYnOtmxn+JXYYIFz0ogkvZXQMEVJiEKDLTK8rchcUDxjduXO2z4+hNSWsWmc8ugghu0yL0884w==",
        sha512:
            "$6$hoZc+b7AvpH9OIJB$Ti3HZunqqL0csUihPn+8dirOPYJ2U/Klz5pewnVczQbRwrwmQ1j8QIUCLp5YS4tUzJF8OoVnKaE68ubnPie03A=="
    )

    @Test(arguments: [one.pbkdf2, one.sha512])
    func `the right password is taken and no other`(hash: String) throws {
        let file = try PasswordFile("u:\(hash)\n")
        #expect(file.verify(user: "u", password: ByteBuffer(string: "one")))
        for wrong in ["", "on", "One", "one ", "one\u{0}x", "two", hash] {
            #expect(!file.verify(user: "u", password: ByteBuffer(string: wrong)), "\(wrong)")
        }
        #expect(!file.verify(user: "u", password: nil))
        #expect(!file.verify(user: "v", password: ByteBuffer(string: "one")))
        #expect(!file.verify(user: "", password: ByteBuffer(string: "one")))
    }

    @Test(arguments: [[], ["-H", "sha512"], ["-H", "sha512-pbkdf2", "-I", "1"], ["-I", "7"], ["-I", "30000"]])
    func `what mosquitto_passwd writes is read`(options: [String]) async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.path("passwords")
            let users = [
                "u": "one", "a b": "with spaces: and colons", "é#+/": "pässwörd 🔑", "empty": "",
                "long": String(repeating: "0123456789", count: 300),
            ]
            for (index, (user, password)) in users.enumerated() {
                let tool = try await runProgram(
                    systemProgram("mosquitto_passwd"),
                    options + (index == 0 ? ["-c"] : []) + ["-b", path, user, password])
                try #require(tool.ending == .exited(0), "\(tool)")
            }
            let file = try PasswordFile(path: path)
            #expect(file.count == users.count)
            // The tool leaves its file readable for everyone under the usual umask.
            #expect(file.warnings.allSatisfy { $0.line == nil })
            for (user, password) in users {
                #expect(file.verify(user: user, password: ByteBuffer(string: password)), "\(user)")
                #expect(!file.verify(user: user, password: ByteBuffer(string: password + "x")), "\(user)")
            }
        }
    }

    @Test func `a file is understood as the real Mosquitto understands it`() async throws {
        let made = try #require(
            PasswordFile.hash(password: Array("two".utf8), iterations: 55, salt: Array("peppercorns!".utf8)))
        let text = """
            # made by hand
            u:\(Self.one.pbkdf2)
             blank  :  \(Self.one.sha512) \t\r
            made:\(made)
            twice:\(Self.one.pbkdf2)
            again:\(made)
            again:\(made)
            twice:\(made)

            #u:\(made)
            last:\(Self.one.sha512)
            """
        let file = try PasswordFile(text)
        #expect(file.count == 6)
        #expect(
            file.warnings.map(\.description) == [
                #"passwords:7: "again" stands in line 6 already; this line counts: remove one of them"#,
                #"passwords:8: "twice" stands in line 5 already; this line counts: remove one of them"#,
            ])
        try await withTemporaryDirectory { directory in
            let path = try directory.write(text, to: "passwords")
            // Its folder can be entered by its owner alone, and the file is read before root is given up.
            try await withMosquitto(lines: ["password_file \(path)"]) { broker in
                let pairs = ["u", "blank", " blank ", "made", "twice", "again", "last", "#u", "nobody"].flatMap {
                    user in
                    ["one", "two"].map { (user, $0) }
                }
                for (user, password) in pairs {
                    let client = try await runProgram(
                        systemProgram("mosquitto_pub"),
                        ["-h", "127.0.0.1", "-p", "\(broker.port)", "-t", "t", "-n", "-u", user, "-P", password])
                    let isIn = file.verify(user: user, password: ByteBuffer(string: password))
                    #expect(isIn == (client.ending == .exited(0)), "\(user) with \(password)")
                }
            }
        }
        #expect(file.verify(user: "twice", password: ByteBuffer(string: "two")))
    }

    @Test func `all wrong lines are told at once, without hashes and passwords`() throws {
        let salt = "$1QDYhQoCj2tm2YB8"
        let key = "$" + Self.one.sha512.suffix(88)
        let lines = [
            ("", nil), ("# a comment: yes", nil), ("  \t ", nil), ("good:$6\(salt)\(key)", nil),
            ("garbage", "has no colon between a user and a hash"),
            ("  # a comment", "has no colon between a user and a hash"),
            (":$6\(salt)\(key)", "names no user before the colon"),
            ("a:", #""a" has no password"#), ("b: ", #""b" has no password"#),
            ("c:$5\(salt)\(key)", #"the password hash of "c" is neither $6$ (SHA-512) nor $7$ (PBKDF2)"#),
            ("d:$6\(salt)", #"the password hash of "d" has not the form $6$salt$key or $7$iterations$salt$key"#),
            ("e:$7\(salt)\(key)", #"the password hash of "e" has not the form $6$salt$key or $7$iterations$salt$key"#),
            ("f:$7$0\(salt)\(key)", #"the password hash of "f" has not 1 to 10,000,000 iterations"#),
            ("g:$7$10000001\(salt)\(key)", #"the password hash of "g" has not 1 to 10,000,000 iterations"#),
            ("h:$7$-1\(salt)\(key)", #"the password hash of "h" has not 1 to 10,000,000 iterations"#),
            ("i:$7$10000000\(salt)\(key)", nil), ("j:$7$1\(salt)\(key)", nil),
            ("k:$7$99999999999999999999\(salt)\(key)", #"the password hash of "k" has not 1 to 10,000,000 iterations"#),
            ("l:$6$\(key)", #"the password hash of "l" has a salt that is empty or no Base64"#),
            ("m:$6$aaa\(key)", #"the password hash of "m" has a salt that is empty or no Base64"#),
            ("n:$6$a=aa\(key)", #"the password hash of "n" has a salt that is empty or no Base64"#),
            ("o:$6\(salt)$aaaa", #"the password hash of "o" has a key that is not 64 bytes in Base64"#),
            ("p:$6\(salt)\(key):x", #"the password hash of "p" has a key that is not 64 bytes in Base64"#),
            (
                "q:$6\(salt)\(key)$x",
                #"the password hash of "q" has not the form $6$salt$key or $7$iterations$salt$key"#
            ),
            ("r\u{1B}[2J:$6\(salt)", "the password hash of \"r\u{1B}[2J\" has not the form"),
            ("s:$6$YQ==\(key)", nil), ("t:$6$YWE=\(key)", nil),
        ]
        let failure = try #require(throws: AccessFileError.self) {
            try PasswordFile(lines.map(\.0).joined(separator: "\n"))
        }
        let told = failure.problems.map { [$0.line ?? 0: $0.message] }
        for (index, (line, message)) in lines.enumerated() {
            let found = failure.problems.filter { $0.line == index + 1 }.map(\.message)
            #expect(found.count == (message == nil ? 0 : 1), "\(line): \(found)")
            if let message { #expect(found.first?.hasPrefix(message) == true, "\(line): \(found)") }
        }
        #expect(told.count == lines.count { $0.1 != nil })
        let text = failure.description
        #expect(!text.contains(key) && !text.contains(salt) && !text.contains("\u{1B}"))
        #expect(text.contains(#"passwords:8: "a" has no password: set it anew with: mosquitto_passwd passwords "a""#))
    }

    @Test func `a plain text password is told with the tool that mends it`() async throws {
        let plain = try #require(throws: AccessFileError.self) { try PasswordFile("# c\nu:hunter2\nv:$ecret\n") }
        #expect(
            plain.description == """
                passwords:2: the password of "u" is in plain text: mosquitto_passwd -U passwords
                passwords:3: the password of "v" is in plain text: mosquitto_passwd -U passwords
                """)
        // The tool would hash the hashes.
        let mixed = try #require(throws: AccessFileError.self) { try PasswordFile("u:hunter2\nv:\(Self.one.sha512)\n") }
        #expect(
            mixed.description
                == #"passwords:1: the password of "u" is in plain text: set it anew with: mosquitto_passwd passwords "u""#
        )

        try await withTemporaryDirectory { directory in
            let path = try directory.write("u:hunter2\nv:$ecret\n", to: "passwords")
            let tool = try await runProgram(systemProgram("mosquitto_passwd"), ["-U", path])
            try #require(tool.ending == .exited(0), "\(tool)")
            let file = try PasswordFile(path: path)
            #expect(file.verify(user: "u", password: ByteBuffer(string: "hunter2")))
            #expect(file.verify(user: "v", password: ByteBuffer(string: "$ecret")))
        }
    }

    @Test func `users are told apart by their bytes`() throws {
        let file = try PasswordFile("é:\(Self.one.pbkdf2)\n")
        #expect(file.verify(user: "\u{E9}", password: ByteBuffer(string: "one")))
        #expect(!file.verify(user: "e\u{301}", password: ByteBuffer(string: "one")))
        #expect(throws: AccessFileError.self) {
            try PasswordFile(parsing: [0xFF, 0x3A] + Self.one.pbkdf2.utf8, path: "p")
        }
    }

    @Test func `an unknown user costs as much time as a known one`() throws {
        func hash(_ iterations: Int) throws -> String {
            try #require(PasswordFile.hash(password: [1], iterations: iterations, salt: [2]))
        }
        let file = try PasswordFile("a:\(hash(40_000))\nb:\(hash(1))\nc:\(hash(40_000))\n")
        func cost(_ user: String) -> Duration {
            var shortest = Duration.seconds(60)
            for _ in 0..<3 {
                let start = processorTime()
                #expect(!file.verify(user: user, password: ByteBuffer(bytes: [3])))
                shortest = min(shortest, processorTime() - start)
            }
            return shortest
        }
        #expect(cost("nobody") > cost("a") / 3)
        #expect(cost("nobody") > cost("b") * 10)
    }

    @Test func `a hash is made within bounds only`() throws {
        #expect(PasswordFile.hash(password: [1], iterations: 0, salt: [1]) == nil)
        #expect(PasswordFile.hash(password: [1], iterations: 10_000_001, salt: [1]) == nil)
        #expect(PasswordFile.hash(password: [1], iterations: 1, salt: []) == nil)
        for length in 1...9 {
            let salt = Array(repeating: UInt8(0xFB), count: length)
            let hash = try #require(PasswordFile.hash(password: [], iterations: 3, salt: salt))
            #expect(try PasswordFile("u:\(hash)").verify(user: "u", password: ByteBuffer()))
        }
    }

    @Test func `a file that everyone can read is worth a warning`() async throws {
        try await withTemporaryDirectory { directory in
            let path = try directory.write("u:\(Self.one.pbkdf2)\n", to: "passwords")
            #expect(chmod(path, 0o644) == 0)
            #expect(
                try PasswordFile(path: path).warnings.map(\.description) == [
                    "\(path): every user can read the password hashes: chmod o-r \(path)"
                ])
            #expect(chmod(path, 0o640) == 0)
            #expect(try PasswordFile(path: path).warnings.isEmpty)
        }
    }

    @Test func `what cannot be read is told by its name`() async throws {
        try await withTemporaryDirectory { directory in
            for path in [directory.path("none"), directory.path] {
                let failure = try #require(throws: AccessFileError.self) { try PasswordFile(path: path) }
                #expect(failure.description.hasPrefix("\(path): ") && failure.problems.count == 1, "\(failure)")
            }
        }
        let large = [UInt8](repeating: UInt8(ascii: "\n"), count: 16 << 20 + 1)
        #expect(throws: AccessFileError.self) { try PasswordFile(parsing: large, path: "large") }
    }

    @Test func `more users than the limit are refused`() throws {
        var reader = PasswordFileReader(path: "passwords", userLimit: 2)
        reader.read(Array("a:\(Self.one.sha512)\nb:\(Self.one.sha512)\nb:\(Self.one.sha512)\n".utf8))
        #expect(throws: Never.self) { try reader.findings.check() }
        reader.read(Array("c:\(Self.one.sha512)\nd:\n".utf8))
        let failure = try #require(throws: AccessFileError.self) { try reader.findings.check() }
        #expect(failure.description == "passwords:1: is one user more than the 2 that are possible")
    }

    @Test func `of many problems a hundred are kept and the others counted`() throws {
        let failure = try #require(throws: AccessFileError.self) {
            try PasswordFile(String(repeating: "garbage\n", count: 250))
        }
        #expect(failure.problems.count == 100 && failure.omitted == 150)
        #expect(failure.description.hasSuffix("\nand 150 more"))
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `no bytes harm the reader`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        let seedText =
            "# c\nu:\(Self.one.pbkdf2)\r\nv:\(Self.one.sha512)\n\nw:$7$20$YWE=\(Self.one.sha512.suffix(89))\n"
        var accepted = 0
        for round in 0..<1_000 {
            let bytes = random.mutation(of: Array(seedText.utf8), alphabet: Array("$:#\n\r =67A\u{0}".utf8))
            do {
                let file = try PasswordFile(parsing: bytes, path: "p")
                accepted += 1
                #expect(file.count <= bytes.count { $0 == UInt8(ascii: ":") }, "seed \(seed), round \(round)")
                _ = file.verify(user: "w", password: ByteBuffer(bytes: bytes))
            } catch {
                let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
                let isSound =
                    !error.problems.isEmpty && error.problems.allSatisfy { (1...lines).contains($0.line ?? 0) }
                #expect(isSound, "seed \(seed), round \(round): \(error)")
            }
        }
        #expect(accepted > 10 && accepted < 990, "\(accepted), seed \(seed)")
    }
}

extension PasswordFile {
    fileprivate init(_ text: String) throws(AccessFileError) {
        try self.init(parsing: Array(text.utf8), path: "passwords")
    }
}

/// Of this thread alone, so that others' work does not count.
private func processorTime() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
}

import Settings
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite final class SecretTests {
    let problems = Problems()
    let directory: String

    init() throws {
        var template = Array("/tmp/fieldpost-secret-XXXXXX".utf8CString)
        directory = String(cString: try #require(mkdtemp(&template)))
    }

    deinit {
        for name in ["s", "dir"] { remove("\(directory)/\(name)") }
        rmdir(directory)
    }

    func secret(_ entries: KeyValuePairs<String, String>) -> Secret? {
        let table = Table(
            entries.enumerated().map { index, entry in
                Table.Entry(
                    key: entry.key, keyPosition: SourcePosition(line: index + 1, column: 1),
                    value: Value(.string(entry.value), at: SourcePosition(line: index + 1, column: 9)))
            })
        let reader = SettingsReader(
            table, keyPath: "broker", position: SourcePosition(line: 1, column: 1), problems: problems,
            environment: ["P": "from outside"], directory: directory)
        defer { reader.finish() }
        return reader.secret("password")
    }

    func write(_ content: String, mode: mode_t = 0o600) throws {
        let file = try #require(fopen("\(directory)/s", "we"))
        defer { fclose(file) }
        try #require(fchmod(fileno(file), mode) == 0)
        try #require(fwrite(content, 1, content.utf8.count, file) == content.utf8.count)
    }

    var printed: [String] { problems.all.map { $0.description.replacing(directory, with: "DIR") } }

    @Test func `A secret stands in the configuration, in the environment or in a file`() throws {
        #expect(secret(["password": "open sesame"]) == Secret("open sesame".utf8))
        #expect(secret(["password": "${P}"]) == Secret("from outside".utf8))
        try write("open sesame\n")
        #expect(secret(["password_file": "s"]) == Secret("open sesame".utf8))
        #expect(secret(["password_file": "\(directory)/s"]) == Secret("open sesame".utf8))
        #expect(secret([:]) == nil)
        #expect(printed.isEmpty)
    }

    @Test(
        "One newline at the file's end does not count",
        arguments: [("a\r\n", "a"), ("a", "a"), ("a\n\n", "a\n"), (" a \n", " a "), ("\n a", "\n a")])
    func newline(content: String, expected: String) throws {
        try write(content)
        #expect(secret(["password_file": "s"]) == Secret(expected.utf8))
    }

    @Test func `Both at once are a problem`() {
        #expect(secret(["password": "a", "password_file": "s"]) == nil)
        #expect(printed == ["2:9: broker.password_file: stands beside \"password\": keep one of them"])
    }

    @Test func `A file that every user can read is worth a warning`() throws {
        try write("a", mode: 0o644)
        #expect(secret(["password_file": "s"]) != nil)
        #expect(printed == ["1:9: warning: broker.password_file: every user can read DIR/s: chmod o-r DIR/s"])
    }

    @Test func `A file that cannot be is told`() throws {
        #expect(secret(["password_file": "s"]) == nil)
        try write("\n")
        #expect(secret(["password_file": "s"]) == nil)
        try write(String(repeating: "x", count: 70_000))
        #expect(secret(["password_file": "s"]) == nil)
        mkdir("\(directory)/dir", 0o700)
        #expect(secret(["password_file": "dir"]) == nil)
        #expect(
            printed == [
                "1:9: broker.password_file: DIR/s does not exist",
                "1:9: broker.password_file: DIR/s is empty",
                "1:9: broker.password_file: DIR/s is larger than 65536 bytes",
                "1:9: broker.password_file: DIR/dir is no regular file",
            ])
    }

    @Test func `S2: a secret is not printed`() {
        struct Holder { var password = Secret("open sesame".utf8) }
        var dumped = ""
        dump(Holder(), to: &dumped)
        for text in ["\(Holder())", "\(Holder().password)", String(reflecting: Holder()), dumped] {
            #expect(!text.contains("sesame") && !text.contains("115"))
            #expect(text.contains("<secret>"))
        }
    }
}

extension String {
    fileprivate func replacing(_ part: String, with replacement: String) -> String {
        var result = "", rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(part) {
                result += replacement
                rest = rest.dropFirst(part.count)
            } else if let first = rest.popFirst() {
                result.append(first)
            }
        }
        return result
    }
}

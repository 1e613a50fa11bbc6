import TestSupport
import Testing

@Suite(.timeLimit(.minutes(3))) struct ManualTests {
    private func page() throws -> String { try #require(text(["help", "--manual"])) }

    @Test func `The manual has all commands, options and what the program adds`() throws {
        let lines = try page().split(separator: "\n").map(String.init)
        #expect(lines.first == ".TH EXAMPLE 1 \"2026-01-02\" \"example 1.2.3\"")
        for line in [
            "example \\- shows what can be declared", ".SS \"example list\"", ".SS \"example send\"",
            ".SS \"example store status\"", ".SS \"example store purge\"",
            "\\fB\\-\\-generate\\-completion\\-script <shell>\\fR", "\\fB\\-r, \\-\\-ratio <ratio>\\fR",
            "\\fB<place>\\fR", ".SH EXIT STATUS", "\\fB/etc/example.conf\\fR", "Says \\(aqwhat\\(aq and \\-how.",
            ".BR cat (1)", ".EX", "example list \\-\\-limit 3",
        ] {
            #expect(lines.contains(line), "\(line)")
        }
        #expect(!lines.contains { $0.split(separator: " ").contains("secret") || $0.hasPrefix("\\fB\\-\\-unseen") })
    }

    @Test func `What commands share stands once`() throws {
        let lines = try page().split(separator: "\n")
        #expect(lines.count { $0 == "\\fB\\-\\-insecure\\fR" } == 1)
        #expect(lines.contains("\\fB\\-\\-signed\\fR"), "others have other options under the same heading")
        #expect(lines.contains("For \\fBexample send\\fR and \\fBexample store purge\\fR."))
    }

    @Test func `Formatters find nothing wrong with it`() async throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write(page() + "\n", to: "example.1")
        for (formatter, arguments) in [
            ("mandoc", ["-T", "lint", "-W", "style", file]), ("groff", ["-man", "-ww", "-z", file]),
        ] {
            guard let program = try? systemProgram(formatter) else { continue }
            let result = try await runProgram(program, arguments)
            #expect(result.ending == .exited(0))
            #expect(result.output + result.errors == [])
        }
    }
}

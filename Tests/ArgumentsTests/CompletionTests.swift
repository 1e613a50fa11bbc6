import TestSupport
import Testing

/// What real shells offer, in a folder with some files.
@Suite(.timeLimit(.minutes(3))) struct CompletionTests {
    /// A line up to the cursor, and what is offered.
    static let lines: [(line: String, offered: Set<String>)] = [
        ("example ", ["list", "send", "store", "help"]),
        ("example s", ["send", "store"]),
        ("example store ", ["status", "purge"]),
        ("example store p", ["purge"]),
        ("example help ", ["list", "send", "store"]),
        ("example help store ", ["status", "purge"]),
        ("example list --li", ["--limit"]),
        ("example list --no-", ["--no-sort", "--no-paged"]),
        ("example list --colour ", ["red", "green", "blue"]),
        ("example list --colour gr", ["green"]),
        ("example list --colour=gr", ["green"]),
        ("example list --colour red --pai", ["--paint"]),
        ("example list ", ["a.toml", "b.conf", "folder"]),
        ("example list a", ["a.toml"]),
        ("example send --cafile ", ["a.toml", "b.conf", "c.txt", "folder"]),
        ("example send --cafile=c", ["c.txt"]),
        ("example send --capath ", ["folder"]),
        ("example send --unse", []),
        ("example sec", []),
        ("example store purge --in", ["--insecure"]),
    ]

    private let folder: TemporaryDirectory
    private let scripts: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        scripts = try TemporaryDirectory()
        for name in ["a.toml", "b.conf", "c.txt", "folder/d.txt"] { try folder.write("", to: name) }
    }

    private func script(_ shell: String) throws -> String {
        let script = try #require(text(["--generate-completion-script", shell]))
        return try scripts.write(script + "\n", to: shell)
    }

    private func offered(_ shell: String, _ program: String, _ line: String) async throws -> [String] {
        let result = try await runProgram(
            try systemProgram(shell), try [scripts.write(program, to: "driver"), script(shell), line],
            directory: folder.path, timeout: .seconds(30))
        #expect(result.errors == [], "\(line)")
        return result.output
    }

    /// Without what a shell puts behind a folder.
    private func plain(_ words: [String]) -> Set<String> {
        Set(words.map { $0.last == "/" ? String($0.dropLast()) : $0 })
    }

    @Test(arguments: lines) func `bash completes`(line: String, expected: Set<String>) async throws {
        // As bash itself calls it: words end at spaces and at equals signs.
        let driver = """
            source "$1"
            COMP_WORDS=(${2//=/ = })
            [[ $2 == *[\\ =] ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMPREPLY=()
            _example example "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            ((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "${COMPREPLY[@]}"
            """
        let words = try await offered("bash", driver, line)
        #expect(plain(words) == expected)
        #expect(words.count == expected.count, "nothing is offered twice: \(words)")
    }

    @Test(.enabled(if: isInstalled("fish"), "there is no fish"), arguments: lines)
    func `fish completes`(line: String, expected: Set<String>) async throws {
        let driver = """
            source $argv[1]
            complete -C $argv[2]
            """
        let words = try await offered("fish", driver, line).map { String($0.prefix { $0 != "\t" }) }
        // What is joined to its option comes with it.
        let joined = plain(words.map { $0.hasPrefix("--") ? String($0.drop { $0 != "=" }.dropFirst()) : $0 })
        #expect(line.contains("=") ? joined == expected : plain(words) == expected, "\(words)")
    }

    @Test(.enabled(if: isInstalled("zsh"), "there is no zsh"), arguments: lines)
    func `zsh completes`(line: String, expected: Set<String>) async throws {
        // A shell at a terminal of its own, which says what is added to its list, and ends.
        let driver = """
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "source ${1:h}/inner; source $1; print -r -- REA''DY"
            zpty -r -m shell line '*READY*'
            zpty -n -w shell "$2"$'\\t'
            zpty -r -m shell line '*ENDS*'
            print -r -- "${${line#*BEGINS}%%ENDS*}"
            """
        let inner = """
            PROMPT=
            autoload -Uz compinit && compinit -u -D
            zstyle ':completion:*' insert-tab false
            bindkey '^I' complete-word
            begins() { print -r -- BEGINS }
            ends() { print -r -- ENDS; exit }
            compprefuncs=(begins) comppostfuncs=(ends)
            compadd() {
                local -a hits
                [[ "${@[1,(i)(-|--)]}" == *' -'[ADO]' '* ]] || { builtin compadd -A hits "$@"; print -rl -- $hits }
                builtin compadd "$@"
            }
            """
        try scripts.write(inner, to: "inner")
        let words = try await offered("zsh", driver, line).map { String($0.filter { $0 != "\r" && $0 != "\r\n" }) }
            .filter { !$0.isEmpty }
        #expect(plain(words) == expected)
    }
}

private func isInstalled(_ program: String) -> Bool { (try? systemProgram(program)) != nil }

/// Completion for fish: a function that knows the command before the cursor, and what each of them takes.
struct FishScript {
    private let program: Completable
    private let function: String

    init(_ program: Completable) {
        self.program = program
        function = "__\(identifier(program.name))"
    }

    var text: String {
        let commands = program.tree.dropFirst().map { quoted($0.path.joined(separator: " ")) }
        let step = """
                    switch "$command $word"
                        case \(commands.joined(separator: " "))
                            set command "$command $word"
                        case '*'
                            string match -q -- '-*' $word; or break
                    end
            """
        return """
            # fish completion for \(program.name)

            function \(function)_command
                set -l command \(program.name)
                for word in (commandline -opc)[2..-1]
            \(commands.isEmpty ? "        break" : step)
                end
                echo $command
            end

            # Files with these extensions, and the folders on the way to them.
            function \(function)_files
                set -l word (string replace -r -- '^-[^=]*=' '' (commandline -ct))
                complete -C "'' $word" | string match -r -- '.*(?:/|\\.(?:'(string join '|' $argv)'))$'
            end

            complete -c \(program.name) -f
            \(program.tree.flatMap(lines).joined(separator: "\n"))
            """
    }

    private func lines(_ command: Completable) -> [String] {
        let here =
            "complete -c \(program.name) -n "
            + quoted("test (\(function)_command) = \"\(command.path.joined(separator: " "))\"")
        let options = command.options.flatMap { option in
            // What denies a flag is an option of its own.
            [option.names, option.inverseNames].filter { !$0.isEmpty }.map { names in
                let spelled = names.map { name in
                    switch name {
                    case .long(let name): "-l \(name)"
                    case .short(let letter): "-s \(quoted("\(letter)"))"
                    }
                }
                return "\(here) \(spelled.joined(separator: " "))\(option.takesValue ? " -r" : "")\(action(option))"
                    + (option.help.abstract.isEmpty ? "" : " -d \(quoted(option.help.abstract))")
            }
        }
        return command.subcommands.map { "\(here) -a \($0.name) -d \(quoted($0.abstract))" }
            + command.arguments.compactMap { action($0).isEmpty ? nil : here + action($0) } + options
    }

    private func action(_ declaration: Declaration) -> String {
        switch declaration.candidates {
        case .default: ""
        case .list(let words): " -f -a \(quoted(words.joined(separator: " ")))"
        case .file(let extensions) where extensions.isEmpty: " -F"
        case .file(let extensions):
            " -f -a " + quoted("(\(function)_files \(extensions.joined(separator: " ")))")
        case .directory: " -f -a '(__fish_complete_directories (commandline -ct))'"
        }
    }
}

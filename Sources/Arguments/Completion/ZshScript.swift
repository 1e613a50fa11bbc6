/// Completion for zsh: a function for each command, as `_arguments` wants it.
struct ZshScript {
    private let program: Completable

    init(_ program: Completable) { self.program = program }

    var text: String {
        let functions = program.tree.map(self.function).joined(separator: "\n\n")
        let main = name(program)
        return """
            #compdef \(program.name)

            \(functions)

            if [[ $funcstack[1] == \(main) ]]; then
                \(main) "$@"
            else
                compdef \(main) \(program.name)
            fi
            """
    }

    private func name(_ command: Completable) -> String {
        "_" + command.path.map(identifier).joined(separator: "_")
    }

    private func function(_ command: Completable) -> String {
        var specifications = command.options.flatMap(specification)
        if command.subcommands.isEmpty {
            for (place, argument) in command.arguments.enumerated() {
                let position = argument.isRepeating ? "*" : argument.isRequired ? "\(place + 1)" : "\(place + 1):"
                specifications.append(quoted("\(position):\(escaped(argument.valueName)):\(action(argument))"))
            }
            let lines = (["_arguments -s -S"] + specifications).joined(separator: " \\\n        ")
            return "\(name(command))() {\n    \(lines)\n}"
        }
        let lines = (["_arguments -C -s -S"] + specifications + ["'1:command:->command'", "'*::argument:->argument'"])
            .joined(separator: " \\\n        ")
        let described = command.subcommands.map { quoted("\($0.name):\(escaped($0.abstract))") }
        let branches = command.subcommands.map { "        \($0.name)) \(name($0)) && result=0 ;;" }
        return """
            \(name(command))() {
                local curcontext=$curcontext state line result=1
                typeset -A opt_args
                \(lines) && result=0
                case $state in
                command)
                    local -a commands=(
                        \(described.joined(separator: "\n            "))
                    )
                    _describe -t commands command commands && result=0
                    ;;
                argument)
                    case $line[1] in
            \(branches.joined(separator: "\n"))
                    esac
                    ;;
                esac
                return result
            }
            """
    }

    /// One for each name, which exclude each other unless the option may be repeated.
    private func specification(_ option: Declaration) -> [String] {
        let all = option.allNames.map(\.description)
        let excluded =
            switch option.kind {
            case .help, .version: "(- *)"
            default: option.isRepeating ? "*" : all.count > 1 ? "(\(all.joined(separator: " ")))" : ""
            }
        return option.allNames.map { name in
            let joint = option.takesValue ? (name.isShort ? "+" : "=") : ""
            let value = option.takesValue ? ":\(escaped(option.valueName)):\(action(option))" : ""
            return quoted("\(excluded)\(name)\(joint)[\(escaped(option.help.abstract))]\(value)")
        }
    }

    private func action(_ declaration: Declaration) -> String {
        switch declaration.candidates {
        case .default: " "
        case .list(let words): "(\(words.map(escaped).joined(separator: " ")))"
        case .file(let extensions):
            switch extensions.count {
            case 0: "_files"
            case 1: "_files -g \"*.\(extensions[0])\""
            default: "_files -g \"*.(\(extensions.joined(separator: "|")))\""
            }
        case .directory: "_files -/"
        }
    }

    /// What `_arguments` and `_describe` would take for their own.
    private func escaped(_ text: String) -> String {
        String(text.flatMap { "\\:[]".contains($0) ? ["\\", $0] : [$0] })
    }
}

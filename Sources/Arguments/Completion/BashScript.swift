/// Completion for bash: one function that walks the words before the cursor, and tables of what comes behind them.
struct BashScript {
    private let program: Completable
    private let function: String

    init(_ program: Completable) {
        self.program = program
        function = "_" + identifier(program.name)
    }

    var text: String {
        """
        # bash completion for \(program.name); to be sourced

        \(function)_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

        \(function)_folders() {
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        }

        # Files with these extensions, or all, and the folders on the way to them.
        \(function)_files() {
            local extension
            if (($#)); then \(function)_folders; else mapfile -t COMPREPLY < <(compgen -f -- "$cur"); fi
            for extension in "$@"; do
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -X "!*.$extension" -- "$cur")
            done
            compopt -o filenames 2>/dev/null
        }

        \(function)() {
            local cur=$2 command=\(program.name) option= ended= count=0 options= i word
            COMPREPLY=()
            for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                if [[ $option ]]; then
                    # --option=value comes as three words.
                    [[ $word == = ]] || option=
                elif [[ $ended || $word != -?* ]]; then
                    case $command/$word in
        \(arms([(program.tree.dropFirst().map(path), "command+=/$word")]))
                    *) ((count++)) ;;
                    esac
                elif [[ $word == -- ]]; then
                    ended=1
                else
                    case $command/$word in
        \(arms([(valued.map(\.name), "option=$word")]))
                    esac
                fi
            done
            [[ $cur != = ]] || cur=
            if [[ $option ]]; then
                case $command/$option in
        \(arms(grouped(valued), indent: 8))
                esac
                return
            fi
            case $command in
        \(arms(grouped(program.tree.map { (path($0), action($0)) }), indent: 4))
            esac
            if [[ ! $ended && ($cur == -* || (! $cur && ${#COMPREPLY[@]} == 0)) ]]; then
                \(function)_words "$options"
            fi
        }

        complete -F \(function) \(program.name)
        """
    }

    private func path(_ command: Completable) -> String { command.path.joined(separator: "/") }

    /// The options that have a value, each with its command before it.
    private var valued: [(name: String, action: String)] {
        program.tree.flatMap { command in
            command.options.filter(\.takesValue).flatMap { option in
                option.names.map { ("\(path(command))/\($0)", action(option)) }
            }
        }
    }

    /// What completes a value.
    private func action(_ declaration: Declaration) -> String {
        switch declaration.candidates {
        case .default: ""
        case .list(let words): "\(function)_words \(quoted(words.joined(separator: " ")))"
        case .file(let extensions): ([function + "_files"] + extensions.map(quoted)).joined(separator: " ")
        case .directory: function + "_folders"
        }
    }

    /// What completes the next word of a command.
    private func action(_ command: Completable) -> String {
        let names = command.options.flatMap(\.allNames).map(\.description).joined(separator: " ")
        var actions = names.isEmpty ? [] : ["options=\(quoted(names))"]
        if !command.subcommands.isEmpty {
            let words = command.subcommands.map(\.name).joined(separator: " ")
            actions.append("if ((count == 0)); then \(function)_words \(quoted(words)); fi")
        }
        for (place, argument) in command.arguments.enumerated() where !action(argument).isEmpty {
            let isHere = argument.isRepeating ? "count >= \(place)" : "count == \(place)"
            actions.append("if ((\(isHere))); then \(action(argument)); fi")
        }
        return actions.joined(separator: "; ")
    }

    private typealias Arm = (patterns: [String], action: String)

    /// Patterns with the same action together; those without one are left out.
    private func grouped(_ arms: [(name: String, action: String)]) -> [Arm] {
        var groups: [Arm] = []
        for arm in arms where !arm.action.isEmpty {
            if let place = groups.firstIndex(where: { $0.action == arm.action }) {
                groups[place].patterns.append(arm.name)
            } else {
                groups.append(([arm.name], arm.action))
            }
        }
        return groups
    }

    /// Branches of a `case`.
    private func arms(_ arms: [Arm], indent: Int = 12) -> String {
        let margin = String(repeating: " ", count: indent)
        return arms.filter { !$0.patterns.isEmpty }
            .map { "\(margin)\($0.patterns.joined(separator: " | "))) \($0.action) ;;" }.joined(separator: "\n")
    }
}

/// A name that functions of shells can have.
func identifier(_ name: String) -> String {
    String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
}

public import Units

/// What a payload of the plain profile looks like.
///
///     format = "json"                                     # {"time":"…","value":83.2,"unit":"%"}, as if nothing were said
///     format = "number"                                   # 83.2
///     format = "{value:.1} {unit}"                        # 83.2 %
///     format = '{"v":{value},"u":"{unit}","ts":{seconds:.0}}'
public enum PlainFormat: Sendable, Hashable {
    case json
    /// Just the value. A sensor that fails says nothing: see its board's status.
    case number
    case template(PayloadTemplate)

    /// - Throws: ``InvalidText`` for a word that names no format, and for a wrong template.
    public init(parsing text: String) throws(InvalidText) {
        switch text {
        case "json": self = .json
        case "number": self = .number
        default:
            guard text.utf8.contains(UInt8(ascii: "{")) else {
                throw InvalidText(
                    "\"\(text)\" is no format",
                    mend: "possible are json, number, or a template such as \"{value} {unit}\"")
            }
            self = .template(try PayloadTemplate(parsing: text))
        }
    }
}

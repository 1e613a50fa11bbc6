import Testing

/// What a board shows under /sys and /proc, as text:
///
///     [/sys/class/thermal/thermal_zone0]
///     type = cpu-thermal
///     device -> ../../thermal_zone0
///
/// A text of several lines has its later ones behind "|".
struct Board: CustomTestStringConvertible, Sendable {
    let name: String
    let listing: String

    var testDescription: String { name }

    static let all = [raspberryPi3, raspberryPi4, raspberryPi5, debianPC]

    func tree() throws -> FakeTree {
        let tree = try FakeTree()
        try fill(tree)
        return tree
    }

    func fill(_ tree: FakeTree) throws {
        var folder = ""
        var file: (path: String, text: String)?
        func finish() throws {
            if let file { try tree.write(file.path, file.text + "\n") }
            file = nil
        }
        for line in listing.split(separator: "\n") {
            if line.first == "|" {
                file?.text += "\n" + line.dropFirst()
                continue
            }
            try finish()
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            if line.first == "[", line.last == "]" {
                folder = String(line.dropFirst().dropLast())
                try tree.makeFolder(folder)
            } else if words.count > 2, words[1] == "->" {
                try tree.link("\(folder)/\(words[0])", to: words[2])
            } else if words.count > 1, words[1] == "=" {
                file = ("\(folder)/\(words[0])", words.count > 2 ? words[2] : "")
            } else {
                throw BadListing(line: String(line))
            }
        }
        try finish()
    }

    struct BadListing: Error { let line: String }
}

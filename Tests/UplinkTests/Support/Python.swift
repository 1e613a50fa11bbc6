import TestSupport
import Testing
import Units

/// Gives lines to a script of this folder's neighbour `Python`, and returns the JSON that it prints for each.
func python(_ script: String, _ lines: [String], file: String = #filePath) async throws -> [JSON] {
    let directory = try TemporaryDirectory()
    let input = try directory.write(lines.joined(separator: "\n") + "\n", to: "input")
    let folder = file.split(separator: "/").dropLast(2).joined(separator: "/")
    let program = try await Program.start("/usr/bin/python3", ["-B", "/\(folder)/Python/\(script)", input])
    var answers: [JSON] = []
    for try await line in program.output { answers.append(try JSONReader.value(Array(line.utf8)[...])) }
    let ending = try await program.wait(timeout: .seconds(60))
    var errors: [String] = []
    for try await line in program.errors { errors.append(line) }
    #expect(ending == .exited(0), "\(errors.joined(separator: "\n"))")
    return answers
}

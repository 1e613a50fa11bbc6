import TestSupport

/// Whose client.
enum Library: String, CaseIterable, Sendable {
    case pahoPython = "Paho Python"
    case pahoC = "Paho C"
    case mqttJS = "MQTT.js"
    case libmosquitto
    case own = "ours"

    /// Those that live in processes of their own.
    static let foreign = allCases.filter { $0 != .own }

    /// How its process is started.
    func command() async throws -> [String] {
        switch self {
        // Where the distribution's packages are, whatever else is called python3.
        case .pahoPython: ["/usr/bin/python3", "-B", Self.source("paho_python.py")]
        case .mqttJS: [try systemProgram("node"), Self.source("mqttjs.cjs")]
        case .pahoC: [try await Self.compiled("paho_c", library: "paho-mqtt3as")]
        case .libmosquitto: [try await Self.compiled("libmosquitto", library: "mosquitto")]
        case .own: preconditionFailure("ours lives here")
        }
    }

    private static func source(_ name: String, file: String = #filePath) -> String {
        file.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Clients/\(name)"
    }

    private static func compiled(_ name: String, library: String) async throws -> String {
        try await Workshop.shared.program(source(name + ".c"), name: name, library: library)
    }
}

/// Compiles clients that are written in C, each once.
private actor Workshop {
    static let shared = Workshop()
    private var programs: [String: Task<String, any Error>] = [:]
    private var folder: TemporaryDirectory?

    func program(_ source: String, name: String, library: String) async throws -> String {
        if let program = programs[name] { return try await program.value }
        let folder = try folder ?? TemporaryDirectory()
        self.folder = folder
        let task = Task {
            let result = try await runProgram(
                systemProgram("cc"),
                ["-O1", "-Wall", "-Wextra", "-o", folder.path(name), source, "-l\(library)", "-lpthread"],
                timeout: .seconds(60))
            guard result.ending == .exited(0) else {
                throw ProgramError.failed("cc \(source)", result.ending, output: result.errors)
            }
            return folder.path(name)
        }
        programs[name] = task
        return try await task.value
    }
}

import Glibc
import TestSupport

/// A tree of files some of which fail, vanish or block, as `Python/faulty_files.py` shows them.
///
/// A file system in user space, mounted where only its own process sees it, and reached through that process's root. So
/// it goes with the process, and needs no right that a user does not have where user namespaces are allowed.
enum FaultyFiles {
    /// - Parameters:
    ///   - tree: what to show; changes of it are seen at once.
    ///   - body: is given the folder that stands for a board's root.
    /// - Throws: ``FaultyFilesError`` where the machine does not permit it.
    static func show<Result>(_ tree: FakeTree, _ body: (_ root: String) async throws -> Result) async throws -> Result {
        let mountpoint = tree.root + ".faulty"
        guard mkdir(mountpoint, 0o700) == 0 else { throw SystemFailure(code: errno) }
        // Not before: without the folder the mount is gone too.
        defer { rmdir(mountpoint) }
        let script = #filePath.split(separator: "/").dropLast(2).map { "/\($0)" }.joined() + "/Python/faulty_files.py"
        var reasons: [String] = []
        for spaces in geteuid() == 0 ? ["-m", "-Urm"] : ["-Urm"] {
            let program = try await Program.start(
                systemProgram("unshare"), [spaces, systemProgram("python3"), "-B", script, tree.root, mountpoint])
            guard (try? await program.output.next()) == "ready" else {
                await program.kill()
                reasons.append(await program.errors.lines.joined(separator: " "))
                continue
            }
            do {
                let result = try await body("/proc/\(program.processIdentifier)/root\(mountpoint)")
                await program.kill()
                return result
            } catch {
                await program.kill()
                throw error
            }
        }
        throw FaultyFilesError(reasons: reasons)
    }

    /// Whether this machine lets us mount one; says once why not.
    static func isPossible() async -> Bool { await attempt.value }

    private static let attempt = Task {
        do {
            return try await show(FakeTree(["/x": ""])) { access("\($0)/x", F_OK) == 0 }
        } catch {
            print("Files that fail cannot be shown here: \(error)")
            return false
        }
    }
}

struct FaultyFilesError: Error {
    var reasons: [String]
}
